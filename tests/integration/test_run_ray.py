"""The Ray engine on a local cluster, one for the session: the same outputs as with processes."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import EngineError
from segment_scorer.runner.run import run_segment
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle

ray = pytest.importorskip("ray", reason="no ray: make ray", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # Ray's own are not ours


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def setting(tmp_path: Path) -> tuple[list[Path], Path]:
    chance = random.Random(3)
    people = [
        *(person(n, chance.random(), OptOut=chance.choice(["NONE", "ALL"])) for n in range(3000)),
        "broken",
    ]
    return [write_segment(tmp_path / "people.jsonl.gz", people)], make_bundle(tmp_path / "bundle")


def ask(setting: tuple[list[Path], Path], out: Path, **more: Any) -> RunOptions:
    return RunOptions(
        segment=setting[0],
        out=out,
        bundle=setting[1],
        scheduled_time="2026-01-31T19:00:00Z",
        slices=2,
        **more,
    )


def read(out: Path) -> dict[str, Any]:
    summary = json.loads((out / "summary.json").read_text())
    texts = {
        name: (out / name).read_bytes()
        for name in ("scores.csv", "decisions.csv", "rejected.jsonl")
    }
    return {
        **texts,
        "segment": gzip.decompress((out / "segment.jsonl.gz").read_bytes()),
        "summary": {**summary, "seconds": 0},
    }


def children_of(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_actors_write_what_one_process_writes(
    cluster: None, setting: tuple[list[Path], Path], tmp_path: Path
) -> None:
    run_segment(ask(setting, tmp_path / "here", processes=1), lambda *_: None)
    run_segment(ask(setting, tmp_path / "ray", engine="ray"), lambda *_: None)
    assert read(tmp_path / "ray") == read(tmp_path / "here")


def test_actors_choose_the_people_that_one_process_chooses(cluster: None, tmp_path: Path) -> None:
    chance = random.Random(5)
    people = [
        {
            **person(n, round(chance.random(), 2)),
            "ChannelType": chance.choice(["EMAIL", "SMS", "GCM"]),
            "User": {"UserId": f"u{chance.randrange(1000)}"},
        }
        for n in range(3000)
    ]
    segment = [write_segment(tmp_path / "people.jsonl.gz", people)]
    (tmp_path / "ids.csv").write_text("UserId\nu1\nu2\n")
    (tmp_path / "policy.toml").write_text(
        'threshold = 0.2\n[holdout]\npercent = 10.0\nsalt = "s"\n'
    )
    setting = (segment, make_bundle(tmp_path / "bundle"))
    choice = {
        "policy": tmp_path / "policy.toml",
        "budget": "30%",
        "one_per": "user",
        "channel_order": "SMS,GCM",
        "suppress": tmp_path / "ids.csv",
        "treatments": "A:50,B:50",
    }
    run_segment(ask(setting, tmp_path / "here", processes=1, **choice), lambda *_: None)
    run_segment(ask(setting, tmp_path / "ray", engine="ray", **choice), lambda *_: None)
    assert read(tmp_path / "ray") == read(tmp_path / "here")
    summary = read(tmp_path / "here")["summary"]
    assert min(summary[name] for name in ("budget", "one_per_user", "suppressed")) > 0


def test_a_run_that_was_stopped_on_ray_goes_on_in_processes(
    cluster: None, setting: tuple[list[Path], Path], tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_segment(ask(setting, tmp_path / "out", engine="ray", checkpoint_seconds=0.0), stop)
    run_segment(ask(setting, tmp_path / "out", resume=True), lambda *_: None)
    run_segment(ask(setting, tmp_path / "here", processes=1), lambda *_: None)
    assert read(tmp_path / "out") == read(tmp_path / "here")


def test_a_lost_actor_ends_the_run_in_one_sentence(
    cluster: None, setting: tuple[list[Path], Path], tmp_path: Path
) -> None:
    def lose(done: int, total: int) -> None:
        for child in children_of(os.getpid()):  # the raylet among them
            for actor in children_of(child):
                if Path(f"/proc/{actor}/cmdline").read_bytes().startswith(b"ray::Worker"):
                    os.kill(actor, signal.SIGKILL)

    with pytest.raises(EngineError, match=r"^--engine ray: an actor of the cluster was lost"):
        run_segment(ask(setting, tmp_path / "out", engine="ray", checkpoint_seconds=0.0), lose)
    run_segment(ask(setting, tmp_path / "out", engine="ray", resume=True), lambda *_: None)
    run_segment(ask(setting, tmp_path / "here", processes=1), lambda *_: None)
    assert read(tmp_path / "out") == read(tmp_path / "here")
