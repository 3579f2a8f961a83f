"""An output folder in S3: a run is complete or absent, and only its user can read it meanwhile."""

from __future__ import annotations

import gzip
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import OptionError, OutputError, OutputTaken
from segment_scorer.runner.run import run_segment
from segment_scorer.runner.writing.remote_folder import find_folder
from tests.fake_hooks import person, write_segment
from tests.fake_s3 import Store, open_store
from tests.fakes import make_bundle
from tests.processes import let_go_on, start_runner
from tools.image.emulator import ROOT

OUT = "s3://exports/runs/one"
PREFIX = "runs/one"
SAME = (
    "segment.jsonl.gz",
    "scores.csv",
    "decisions.csv",
    "rejected.jsonl",
    "segment.csv",
    "connect.csv",
)
ALL = {*SAME, "batches.jsonl", "report.html", "summary.json"}
FURTHER = {"segment.csv", "connect.csv"}  # of `also`
# Waits after each chunk: see tests.processes.start_runner.
RUNNER = """
import sys
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
if __name__ == "__main__":
    bundle, out, segment = sys.argv[1:]
    options = RunOptions(segment=[segment], out=out, bundle=bundle, processes=1,
                         also=("csv", "connect-csv"), slices=1, checkpoint_seconds=0.0, resume=True,
                         scheduled_time="2026-01-31T19:00:00Z")
    run_segment(options, lambda done, total: (print(done, flush=True), sys.stdin.readline()))
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "segment-scorer"


@pytest.fixture
def store(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with open_store(monkeypatch) as store:
        yield store


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    segment = write_segment(
        tmp_path / "people.jsonl", [person(number, number / 99) for number in range(100)]
    )
    bundle = make_bundle(tmp_path / "bundle")
    return RunOptions(
        segment=[segment],
        out=OUT,
        bundle=bundle,
        also=("csv", "connect-csv"),
        scheduled_time="2026-01-31T19:00:00Z",
    )


def run(options: RunOptions) -> int:
    return run_segment(options, lambda *_: None).summary.received


def fail_to_copy(options: RunOptions, store: Store) -> None:
    """Walk the segment to its end, and be refused the first object."""
    store.before = lambda _: False
    with pytest.raises(OutputError, match=r"the complete run is kept in "):
        run(options)
    store.before = lambda _: True
    assert store.names(PREFIX) == set()


def test_writes_into_s3_the_summary_last_and_an_earlier_run_only_with_force(
    store: Store, options: RunOptions, state: Path
) -> None:
    assert run(options) == 100
    assert store.names(PREFIX) == ALL
    assert store.changes[-1].endswith("/summary.json")
    assert list(state.iterdir()) == []
    with pytest.raises(
        OutputTaken, match=r"^--out s3://exports/runs/one: found the outputs of an earlier run"
    ):
        run(options)
    run(replace(options, force=True, also=()))
    assert store.names(PREFIX) == ALL - FURTHER, "files of the earlier run must be deleted"


def test_names_a_missing_bucket_before_the_run(store: Store, options: RunOptions) -> None:
    with pytest.raises(
        OutputError,
        match=r"^--out s3://nowhere/x: (expected a bucket|S3 refused the request)",
    ):
        run(replace(options, out="s3://nowhere/x"))


def test_a_complete_run_that_could_not_be_copied_is_not_taken_for_another(
    store: Store, options: RunOptions, tmp_path: Path
) -> None:
    fail_to_copy(options, store)
    other = write_segment(tmp_path / "others.jsonl", [person(1, 0.5), person(2, 0.5)])
    with pytest.raises(OptionError, match=r"^--resume: .* different segment files"):
        run(replace(options, segment=[other], resume=True))
    with pytest.raises(OptionError, match=r"different --campaign-id\."):
        run(replace(options, campaign_id="another", resume=True))
    with pytest.raises(OutputTaken, match=r"found an unfinished run; continue it with --resume"):
        run(options)
    assert store.names(PREFIX) == set()
    assert run(replace(options, segment=[other], force=True)) == 2


@pytest.mark.parametrize(
    ("moment", "earlier"),
    [("before", False), ("after", True)],
    ids=["into an empty prefix", "over an earlier run"],
)
def test_an_upload_that_fails_anywhere_never_looks_complete_and_is_completed_by_resuming(
    moment: str, earlier: bool, store: Store, options: RunOptions, tmp_path: Path
) -> None:
    """Session n is refused its n-th change of the bucket, until a session makes fewer changes."""
    options, files = replace(options, also=()), ALL - FURTHER
    run_segment(replace(options, out=tmp_path / "whole"), lambda *_: None)
    if earlier:
        run(replace(options, also=("profiles",)))
        options = replace(options, force=True)
    for step in range(1, 200):
        store.changes.clear()
        setattr(store, moment, lambda _, last=step: len(store.changes) != last)
        try:
            run(options)
        except OutputError as error:
            assert "the complete run is kept in" in str(error)  # noqa: PT017  # some steps are tried again by Arrow itself, and pass
            assert "summary.json" not in store.names(PREFIX)
        else:
            break
        options = replace(options, force=False, resume=True)
    assert step > len(files) or moment == "after"
    assert store.names(PREFIX) == files
    same = files & set(SAME)
    assert {name: store.read(f"{PREFIX}/{name}") for name in same} == {
        name: (tmp_path / "whole" / name).read_bytes() for name in same
    }


def test_an_object_that_is_shorter_than_its_file_is_noticed(
    store: Store, options: RunOptions
) -> None:
    def lose(_: str) -> bool:
        store.after = lambda _: True
        store.client.put_object(Bucket="exports", Key=f"{PREFIX}/segment.jsonl.gz", Body=b"")
        return True

    store.after = lambda _: lose(_) if store.names(PREFIX) else True
    with pytest.raises(OutputError, match=r"the complete run is kept in "):
        run(options)
    assert store.names(PREFIX) == {"segment.jsonl.gz"}
    run(replace(options, resume=True))
    assert store.names(PREFIX) == ALL


def test_a_run_killed_right_after_its_summary_was_copied_copies_nothing_again(
    store: Store, options: RunOptions, state: Path, tmp_path: Path
) -> None:
    def remember(_: str) -> bool:
        if "summary.json" in store.names(PREFIX):
            shutil.copytree(state, tmp_path / "then")
        return True

    store.after = remember
    run(options)
    store.changes.clear()
    shutil.copytree(tmp_path / "then", state, dirs_exist_ok=True)
    assert find_folder(OUT).exists()
    assert run(replace(options, resume=True)) == 100
    assert store.changes == []
    assert list(state.iterdir()) == []


def test_outputs_of_a_run_elsewhere_that_ended_meanwhile_stay(
    store: Store, options: RunOptions
) -> None:
    fail_to_copy(options, store)
    store.client.put_object(Bucket="exports", Key=f"{PREFIX}/summary.json", Body=b"{}")
    with pytest.raises(
        OutputTaken, match=r"found the outputs of another run; the complete run is kept in "
    ):
        run(replace(options, resume=True))
    assert (store.names(PREFIX), store.read(f"{PREFIX}/summary.json")) == ({"summary.json"}, b"{}")
    store.client.delete_object(Bucket="exports", Key=f"{PREFIX}/summary.json")
    run(replace(options, resume=True))
    assert store.names(PREFIX) == ALL


def test_a_run_that_replaces_another_is_copied_even_where_both_have_the_same_summary(
    store: Store, options: RunOptions
) -> None:
    forced = replace(options, force=True)
    fail_to_copy(forced, store)
    summary = (find_folder(OUT) / ".unfinished" / "summary.json").read_bytes()
    for name, data in {"summary.json": summary, "profiles.jsonl.gz": b"of the earlier run"}.items():
        store.client.put_object(Bucket="exports", Key=f"{PREFIX}/{name}", Body=data)
    run(replace(options, resume=True))
    assert store.names(PREFIX) == ALL


def test_no_other_run_takes_the_folder_while_it_is_copied(
    store: Store, options: RunOptions
) -> None:
    told = []

    def meanwhile(_: str) -> bool:
        with pytest.raises(OutputTaken, match=r"another run is writing there$") as error:
            run(replace(options, resume=True))
        told.append(error)
        return True

    store.before = meanwhile
    run(options)
    assert len(told) == len(store.changes) >= len(ALL)


def test_a_rehearsal_copies_its_report_and_touches_nothing_else(
    store: Store, options: RunOptions, state: Path
) -> None:
    rehearsal = replace(options, rehearse=True, also=())
    store.before = lambda _: False
    with pytest.raises(OutputError, match=r"S3 refused the request \(access denied\)"):
        run(rehearsal)
    store.before = lambda _: True
    store.client.put_object(Bucket="exports", Key=f"{PREFIX}/notes.txt", Body=b"")
    run(rehearsal)
    assert store.names(PREFIX) == {"report.html", "notes.txt"}
    assert list(state.iterdir()) == []


def test_a_run_into_s3_killed_and_resumed_many_times_loses_and_doubles_nobody(
    store: Store, options: RunOptions, tmp_path: Path, state: Path
) -> None:
    people = write_segment(
        tmp_path / "more.jsonl", [person(number, number / 999) for number in range(1000)]
    )
    run_segment(replace(options, segment=[people], out=tmp_path / "whole"), lambda *_: None)
    chance, kills = random.Random(8), 0
    store.before = store.after = lambda _: not time.sleep(0.03)
    command = [sys.executable, "-c", RUNNER, str(options.bundle), OUT, str(people)]
    while "summary.json" not in store.names(PREFIX):
        with start_runner(command) as process:
            for _ in range(chance.randrange(1, 6)):
                let_go_on(process)
            time.sleep(chance.random() / 3)
            process.kill()
            assert process.wait() in {0, -signal.SIGKILL}
        kills += 1
    assert kills >= 4  # of twenty chunks, a sitting is let past five at most
    if list(state.iterdir()):  # killed between the last object and the end
        run(replace(options, segment=[people], slices=1, resume=True))
    assert list(state.iterdir()) == []
    assert store.names(PREFIX) == ALL
    found = {name: store.read(f"{PREFIX}/{name}") for name in SAME}
    wanted = {name: (tmp_path / "whole" / name).read_bytes() for name in SAME}
    for files in (found, wanted):
        files["segment.jsonl.gz"] = gzip.decompress(files["segment.jsonl.gz"])
    assert found == wanted


def test_people_on_their_way_are_for_their_users_eyes_alone(
    store: Store, options: RunOptions, state: Path
) -> None:
    fail_to_copy(options, store)
    assert state.stat().st_mode & 0o777 == 0o700
    assert find_folder(OUT).parent == state
    assert (find_folder(OUT) / ".unfinished" / "segment.jsonl.gz").exists()


def test_a_folder_that_others_could_have_made_or_look_into_is_refused(
    store: Store, options: RunOptions, state: Path, tmp_path: Path
) -> None:
    expected = rf"^{re.escape(str(state))}: expected a folder that only this user .* \(chmod 700\)$"
    state.mkdir(parents=True)
    state.chmod(0o750)
    with pytest.raises(OutputError, match=expected):
        run(options)
    state.rmdir()
    (tmp_path / "theirs").mkdir(mode=0o700)
    state.symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match=expected):
        run(options)


def test_the_command_says_how_to_continue_after_an_upload_that_failed(
    store: Store, options: RunOptions
) -> None:
    store.before = lambda _: False
    command = [
        sys.executable,
        "-m",
        "segment_scorer.cli.main",
        "run",
        str(options.segment[0]),
        "--out",
        OUT,
        "--bundle",
        str(options.bundle),
    ]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == "The work so far is saved: the same command with --resume continues."
    assert second.startswith(
        f"segment-scorer run: --out {OUT}: S3 refused the request (access denied)"
    )
    assert "the complete run is kept in" in second
    store.before = lambda _: True
    again = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr.endswith(
        "found an unfinished run; continue it with --resume, or replace it with --force\n"
    )
    assert len(again.stderr.splitlines()) == 1
    assert (
        subprocess.run(
            [*command, "--resume"], check=False, cwd=ROOT, capture_output=True
        ).returncode
        == 0
    )
    assert "summary.json" in store.names(PREFIX)
