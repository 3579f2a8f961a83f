"""With every engine, and however often a run is stopped, the outputs are the same."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import DataError, EngineError, OptionError, OutputError
from segment_scorer.runner.run import run_segment
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle
from tests.processes import PATIENCE, let_go_on, start_runner
from tools.image.emulator import ROOT

NUMBER = 2_400
SAME = ("segment.jsonl.gz", "scores.csv", "decisions.csv", "rejected.jsonl")
# Waits after each chunk: see tests.processes.start_runner.
RUNNER = """
import sys
from pathlib import Path
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
if __name__ == "__main__":
    bundle, out, processes, *segment = sys.argv[1:]
    options = RunOptions(segment=segment, out=Path(out), bundle=Path(bundle),
                         processes=int(processes), slices=2, checkpoint_seconds=0.0, resume=True,
                         scheduled_time="2026-01-31T19:00:00Z")
    run_segment(options, lambda done, total: (print(done, flush=True), sys.stdin.readline()))
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def segment(tmp_path: Path) -> list[Path]:
    chance = random.Random(8)
    people: list[object] = []
    for number in range(NUMBER):
        people.append(
            person(number, chance.random(), OptOut=chance.choice(["NONE", "NONE", "NONE", "ALL"]))
        )
        if chance.random() < 0.01:
            people.append("broken")
    return [
        write_segment(tmp_path / "one.jsonl.gz", people[:900]),
        write_segment(tmp_path / "two.jsonl", people[900:]),
    ]


def ask(segment: list[Path], out: Path, bundle: Path, **more: Any) -> RunOptions:
    return RunOptions(
        segment=segment,
        out=out,
        bundle=bundle,
        scheduled_time="2026-01-31T19:00:00Z",
        slices=2,
        **more,
    )


def read_outputs(out: Path) -> dict[str, bytes]:
    found = {name: (out / name).read_bytes() for name in SAME}
    found["segment.jsonl.gz"] = gzip.decompress(found["segment.jsonl.gz"])
    return found


def read_summary(out: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return {name: value for name, value in summary.items() if name != "seconds"}


def check_outputs(out: Path) -> None:
    """Every person is in decisions.csv once, and the files agree with the summary."""
    summary = read_summary(out)
    with (out / "decisions.csv").open(newline="") as file:
        ids = [row["Id"] for row in csv.DictReader(file)]
    assert ids == [f"person-{number}" for number in range(NUMBER)]
    assert (
        summary["received"] == NUMBER == summary["kept"] + summary["filtered"] + summary["failed"]
    )
    assert (
        len(gzip.decompress((out / "segment.jsonl.gz").read_bytes()).splitlines())
        == summary["kept"]
    )
    assert len((out / "rejected.jsonl").read_bytes().splitlines()) == summary["rejected"]
    lines = [json.loads(line) for line in (out / "batches.jsonl").read_text().splitlines()]
    assert sum(line.get("message") == "batch" for line in lines) == summary["batches"]


def test_two_processes_write_what_one_writes(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    run_segment(ask(segment, tmp_path / "one", bundle, processes=1), lambda *_: None)
    run_segment(ask(segment, tmp_path / "two", bundle, processes=2), lambda *_: None)
    assert read_outputs(tmp_path / "one") == read_outputs(tmp_path / "two")
    assert read_summary(tmp_path / "one") == read_summary(tmp_path / "two")
    check_outputs(tmp_path / "two")


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_and_resumed_many_times_loses_and_doubles_nobody(
    processes: int, segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    run_segment(ask(segment, tmp_path / "whole", bundle, processes=1), lambda *_: None)
    out, chance, kills = tmp_path / "out", random.Random(processes), 0
    command = [
        sys.executable,
        "-c",
        RUNNER,
        str(bundle),
        str(out),
        str(processes),
        *map(str, segment),
    ]
    for _ in range(40):
        with start_runner(command) as process:
            for _ in range(chance.randrange(1, 7)):
                let_go_on(process)
            time.sleep(chance.random() / 50)
            process.kill()
            status = process.wait()
        assert status in {0, -signal.SIGKILL}
        if status == 0 or (out / "summary.json").exists():
            break
        kills += 1
    if kills == 40:
        subprocess.run(
            command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    elif not (out / "summary.json").exists():
        raise AssertionError("expected the last session to complete the run")
    assert kills >= 3  # of 25 chunks, a session passes six at most
    check_outputs(out)
    assert read_outputs(out) == read_outputs(tmp_path / "whole")
    assert read_summary(out) == read_summary(tmp_path / "whole")
    assert not (out / ".unfinished").exists()


def stop_after(chunks: int) -> Any:
    seen = Counter[str]()

    def progress(done: int, total: int) -> None:
        seen["chunks"] += 1
        if seen["chunks"] == chunks:
            raise KeyboardInterrupt

    return progress


def test_a_run_is_resumed_only_with_the_options_and_files_that_it_was_started_with(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_segment(ask(segment, out, bundle, checkpoint_seconds=0.0), stop_after(3))
    assert {path.name for path in out.iterdir()} == {".unfinished"}
    with pytest.raises(
        OptionError,
        match=r"^--resume: .* different --campaign-id\. Use the same, or --force",
    ):
        run_segment(ask(segment, out, bundle, resume=True, campaign_id="another"), lambda *_: None)
    with pytest.raises(OptionError, match=r"^--resume: .* different segment files"):
        run_segment(ask(segment[:1], out, bundle, resume=True), lambda *_: None)
    with pytest.raises(OutputError, match="continue it with --resume"):
        run_segment(ask(segment, out, bundle), lambda *_: None)
    run_segment(ask(segment, out, bundle, resume=True), lambda *_: None)
    check_outputs(out)


def test_the_shipped_policy_is_the_same_policy_when_it_is_named(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    """An edited policy is a different one: policies are compared by content, not by path."""
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_segment(ask(segment, out, bundle, checkpoint_seconds=0.0), stop_after(3))
    (tmp_path / "edited.toml").write_bytes((ROOT / "function" / "policy.toml").read_bytes() + b"\n")
    with pytest.raises(OptionError, match=r"different --policy\."):
        run_segment(
            ask(segment, out, bundle, resume=True, policy=tmp_path / "edited.toml"), lambda *_: None
        )
    run_segment(
        ask(segment, out, bundle, resume=True, policy=ROOT / "function" / "policy.toml"),
        lambda *_: None,
    )
    check_outputs(out)


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As on a full disk: writing more bytes than this into a file is an error."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full_at_any_point_loses_nobody(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    run_segment(ask(segment, tmp_path / "whole", bundle, processes=1), lambda *_: None)
    sizes = sorted(path.stat().st_size for path in (tmp_path / "whole").iterdir())
    for number, size in enumerate(
        [1, *(size * 9 // 10 for size in sizes if size > 1)]
    ):  # times in log and report take more or less room
        out = tmp_path / f"out-{number}"
        with (
            no_file_beyond(size),
            pytest.raises(
                OutputError, match=r"expected a folder that can be written \(File too large\)$"
            ),
        ):
            run_segment(
                ask(segment, out, bundle, processes=1, checkpoint_seconds=0.0), lambda *_: None
            )
        assert {path.name for path in out.iterdir()} <= {".unfinished"}
        run_segment(ask(segment, out, bundle, processes=1, resume=True), lambda *_: None)
        assert read_outputs(out) == read_outputs(tmp_path / "whole")
        assert read_summary(out) == read_summary(tmp_path / "whole")


def test_a_run_is_not_resumed_if_a_file_was_changed_in_its_middle(
    bundle: Path, tmp_path: Path
) -> None:
    path, out = (
        write_segment(tmp_path / "people.jsonl", [person(n, 0.9) for n in range(2_000)]),
        tmp_path / "out",
    )
    with pytest.raises(KeyboardInterrupt):
        run_segment(ask([path], out, bundle, checkpoint_seconds=0.0), stop_after(3))
    data, was = path.read_bytes(), path.stat()
    path.write_bytes(data.replace(b'"person-1000"', b'"another1000"'))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + 1))  # a clock may be coarse
    with pytest.raises(OptionError, match=r"^--resume: .* different segment files"):
        run_segment(ask([path], out, bundle, resume=True), lambda *_: None)
    path.write_bytes(data)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert (
        run_segment(ask([path], out, bundle, resume=True), lambda *_: None).summary.received
        == 2_000
    )


def test_a_segment_without_people_leaves_nothing_and_cannot_be_resumed(
    bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text('{"id": "a"}\n' * 500)
    with pytest.raises(
        DataError,
        match=r"^expected people, .* no readable person in 500 lines; .*line 1: \$.Id: ",
    ):
        run_segment(ask([path], tmp_path / "out", bundle, checkpoint_seconds=0.0), lambda *_: None)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_table_with_unbalanced_quotes_gives_the_same_in_one_process_in_two_and_resumed(
    processes: int, bundle: Path, tmp_path: Path
) -> None:
    rows = [
        f"{n},EMAIL,{n % 100 / 99},{cell}\n"
        for n in range(900)
        for cell in ['"x\ny"' if n % 7 else "x" if n % 50 else '"x']
    ]
    path = tmp_path / "people.csv"
    path.write_text("Id,ChannelType,Metrics.score,Attributes.Note\n" + "".join(rows))
    run_segment(ask([path], tmp_path / "one", bundle, processes=1), lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        run_segment(
            ask([path], tmp_path / "two", bundle, processes=processes, checkpoint_seconds=0.0),
            stop_after(4),
        )
    run_segment(
        ask([path], tmp_path / "two", bundle, processes=processes, resume=True), lambda *_: None
    )
    for name in ("decisions.csv", "rejected.jsonl", "scores.csv"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    rejected = [
        json.loads(line)["line"]
        for line in (tmp_path / "one" / "rejected.jsonl").read_text().splitlines()
    ]
    summary = json.loads((tmp_path / "one" / "summary.json").read_text())
    # every 350th person's quote is not closed, and costs that person alone
    assert (summary["received"], len(rejected)) == (897, 3)


def test_a_resumed_run_keeps_the_time_it_was_started_at(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    now = RunOptions(
        segment=segment, out=tmp_path / "out", bundle=bundle, slices=2, checkpoint_seconds=0.0
    )
    with pytest.raises(KeyboardInterrupt):
        run_segment(now, stop_after(2))
    checkpoint = json.loads((tmp_path / "out" / ".unfinished" / "checkpoint.json").read_text())
    time.sleep(0.002)
    report = run_segment(
        RunOptions(segment=segment, out=tmp_path / "out", bundle=bundle, slices=2, resume=True),
        lambda *_: None,
    )
    assert report.summary.scheduled_time == checkpoint["config"]["scheduled_time"]


def test_no_person_is_in_the_checkpoint(segment: list[Path], bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_segment(ask(segment, tmp_path / "out", bundle, checkpoint_seconds=0.0), stop_after(4))
    assert "person-" not in (tmp_path / "out" / ".unfinished" / "checkpoint.json").read_text()


def test_a_killed_worker_ends_the_run_in_one_sentence_and_the_run_can_be_resumed(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    def kill_a_worker(done: int, total: int) -> None:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in map(int, children):
            with contextlib.suppress(OSError):  # killed already, after the chunk before
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(child, signal.SIGKILL)

    with pytest.raises(EngineError, match=r"^--processes: a worker process ended"):
        run_segment(
            ask(segment, tmp_path / "out", bundle, processes=2, checkpoint_seconds=0.0),
            kill_a_worker,
        )
    run_segment(ask(segment, tmp_path / "out", bundle, processes=2, resume=True), lambda *_: None)
    check_outputs(tmp_path / "out")


def test_workers_end_with_the_run_that_is_killed(
    segment: list[Path], bundle: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-c",
        RUNNER,
        str(bundle),
        str(tmp_path / "out"),
        "2",
        *map(str, segment),
    ]
    with start_runner(command) as process:
        assert process.stdout
        process.stdout.readline()  # from here on it waits for a line of ours
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    assert workers
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and any(map(runs, workers)):
        time.sleep(0.05)
    assert not any(map(runs, workers))


def runs(worker: str) -> bool:
    """Whether a process runs. A zombie does not; the parent of orphans may be slow to reap them."""
    try:
        return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
