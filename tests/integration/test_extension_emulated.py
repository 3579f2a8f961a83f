"""The sidecar under AWS's emulator, as an executable in /opt/extensions.

/opt is a file system of the test's own. That needs a private mount namespace; without one the tests
are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
from tests.bundles import COLUMNS, expected_scores, make_bundle, make_rows
from tests.fakes import make_endpoint, make_event
from tests.processes import ROOT
from tools.image.emulator import Emulator, run_emulator
from tools.image.sessions import find_session

SCRIPT = ROOT / "segment_scorer" / "service" / "extensions" / "segment-scorer"
LAY = 'mount -t tmpfs none /opt && mkdir /opt/extensions && cp "$0" /opt/extensions/ && exec "$@"'
PATIENCE = 180.0


def can_unshare() -> bool:
    if not shutil.which("unshare"):
        return False
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /opt"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


pytestmark = pytest.mark.skipif(
    not can_unshare(), reason="needs a private mount namespace (unshare --map-root-user --mount)"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@contextlib.contextmanager
def run_with_sidecar(bundle: Path, folder: Path, **environ: str) -> Iterator[Emulator]:
    settings = {
        "SCORER_TARGET": f"unix:{folder}/scorer.sock",
        "SCORER_BUNDLE": str(bundle),
        "SCORER_FALLBACK": "none",
        # As long as a host waits: without a fallback a late score is lost.
        "SCORER_CALL_MS": "14000",
        "SEGMENT_SCORER_HOME": str(ROOT),
        "PYTHON": sys.executable,
        **environ,
    }
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", LAY, str(SCRIPT)]
    with run_emulator(environ=settings, inside=inside) as emulator:
        yield emulator


def make_people(count: int, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    rows = make_rows(count, seed)
    rows = np.nan_to_num(rows, nan=0.0)
    people = {
        f"p{index}": make_endpoint(Metrics=dict(zip(COLUMNS, map(float, row), strict=True)))
        for index, row in enumerate(rows)
    }
    return people, dict(zip(people, np.round(expected_scores(rows), 4).tolist(), strict=True))


def check_answer(emulator: Emulator, seed: int) -> None:
    people, scores = make_people(50, seed)
    answer = emulator.post(make_event(people))
    assert answer.status == 200
    reply = answer.json()
    assert list(reply) == [id_ for id_, score in scores.items() if score >= 0.5]
    assert all(
        abs(float(definition["Attributes"]["Score"][0]) - scores[id_]) < 1e-4
        for id_, definition in reply.items()
    )


def find_sidecar(emulator: Emulator) -> int | None:
    for pid in find_session(emulator.pid):
        with contextlib.suppress(OSError):
            if b"segment_scorer.service.extension" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def read_messages(emulator: Emulator, message: str) -> list[dict[str, Any]]:
    found = []
    for line in (emulator.stdout + emulator.stderr).splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and said.get("message") == message:
                found.append(said)
    return found


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_scores_by_the_sidecar_alone(bundle: Path, tmp_path: Path) -> None:
    with run_with_sidecar(bundle, tmp_path) as emulator:
        for seed in range(5):
            check_answer(emulator, seed)
        batches = read_messages(emulator, "batch")
        assert [(line["scorer"], line["fallback_used"]) for line in batches] == [("service", 0)] * 5
        assert len(read_messages(emulator, "listening")) == 1


def test_is_ready_before_the_first_event_is_answered(bundle: Path, tmp_path: Path) -> None:
    with run_with_sidecar(bundle, tmp_path) as emulator:
        check_answer(emulator, 1)
        assert "error" not in read_messages(emulator, "batch")[0]


def test_drains_when_lambda_shuts_down(bundle: Path, tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(3):  # Lambda kills a sidecar after 2 s, and a busy machine may pause that long
        with run_with_sidecar(bundle, tmp_path) as emulator:
            check_answer(emulator, 1)
            os.kill(emulator.pid, signal.SIGTERM)
            wait_for(
                lambda: read_messages(emulator, "stopped") or not find_session(emulator.pid),
                seconds=10.0,
            )
            said = [
                line["message"]
                for line in (
                    *read_messages(emulator, "draining"),
                    *read_messages(emulator, "stopped"),
                )
            ]
        if said == ["draining", "stopped"]:
            return
    raise AssertionError(f"expected the sidecar to drain and to stop; it said {said}")


def test_tells_lambda_why_it_cannot_start(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"no model")
    with run_with_sidecar(bundle, tmp_path) as emulator:
        answer = emulator.post(make_event({}))
        # test_extension_api.py reads the report to Lambda, which the emulator does not show.
        assert answer.status == 502
        assert "expected the SHA-256 that manifest.json names" in emulator.stdout


def test_does_not_start_beside_a_function_that_looks_elsewhere(
    bundle: Path, tmp_path: Path
) -> None:
    with run_with_sidecar(
        bundle, tmp_path, SCORER_TARGET="bundled", SCORER_FALLBACK="bundled"
    ) as emulator:
        answer = emulator.post(make_event({}))
        assert answer.status == 502
        assert (
            "SCORER_TARGET: expected unix:/path, the socket between function and sidecar"
            in emulator.stdout
        )


def count_deaths(emulator: Emulator) -> int:
    """How often the emulator has reported that the sidecar was killed."""
    return (emulator.stdout + emulator.stderr).count("exited: signal: killed")


def write_segment(path: Path) -> tuple[Path, dict[str, float]]:
    scores: dict[str, float] = {}
    with path.open("w") as file:
        for seed in range(100):
            people, found = make_people(50, seed)
            for id_, person in people.items():
                scores[f"{seed}-{id_}"] = found[id_]
                file.write(json.dumps({"Id": f"{seed}-{id_}", **person}) + "\n")
    return path, scores


@pytest.mark.parametrize("fallback", ["none", "bundled"])
def test_a_campaign_stays_right_when_the_sidecar_is_killed_along_the_way(
    bundle: Path, tmp_path: Path, fallback: str
) -> None:
    segment, scores = write_segment(tmp_path / "segment.jsonl")
    kills: list[int] = []
    with run_with_sidecar(bundle, tmp_path, SCORER_FALLBACK=fallback) as emulator:
        check_answer(emulator, 0)

        def kill(done: int, total: int) -> None:
            """Kill after a chunk of batches; never twice in a batch, which has three attempts."""
            if len(kills) < 3 and (pid := find_sidecar(emulator)):
                kills.append(pid)
                os.kill(pid, signal.SIGKILL)
                if fallback == "none":
                    # Without a wait the next batch could precede Lambda's restart, unscored.
                    wait_for(lambda: count_deaths(emulator) >= len(kills))

        summary = run_segment(
            RunOptions(segment=[segment], out=tmp_path / "out", hook=emulator.url), kill
        ).summary
    assert len(kills) == 3
    assert (summary.received, summary.failed) == (len(scores), 0)
    assert summary.kept == sum(score >= 0.5 for score in scores.values())
