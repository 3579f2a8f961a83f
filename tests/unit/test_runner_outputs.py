"""The output folder: a run that is not complete does not look so, and no work is lost."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from pathlib import Path

import pytest

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.errors import OutputError, OutputTaken
from segment_scorer.runner.summary import Summary
from segment_scorer.runner.writing.checkpoint import Checkpoint, read_checkpoint
from segment_scorer.runner.writing.outputs import (
    Outputs,
    find_unfinished,
    lock_folder,
    move_files,
    open_outputs,
)

CONFIG = RunConfig(scheduled_time="t", activity_id="a")
SUMMARY = Summary(
    **dict.fromkeys(
        [
            *("received", "kept", "filtered", "failed", "opted_out", "rejected"),
            *("batches", "attempts", "users"),
        ],
        0,
    ),
    **dict.fromkeys(
        [
            *("held_out", "unreadable", "unscored", "sparse", "would_filter", "model", "mode"),
            *("threshold", "keep", "holdout_percent", "holdout_salt_digest", "policy_digest"),
        ]
    ),
    seconds=0.5,
    scheduled_time="2026-01-01T00:00:00.000Z",
    host="pinpoint",
)


def begin(files: dict[str, bytes], *, finished: bool = False) -> Checkpoint:
    checkpoint = Checkpoint({"--hook": "local"}, list(files), [], CONFIG)
    checkpoint.summary = SUMMARY if finished else None
    return checkpoint


def write_run(folder: Path, files: dict[str, bytes], *, force: bool = False) -> None:
    with lock_folder(folder):
        assert find_unfinished(folder, resume=False, force=force, asked={}) is None
        with open_outputs(folder, dict.fromkeys(files, b"<")) as outputs:
            outputs.append(files)
            outputs.publish(begin(files, finished=True), move_files)


def stop_after_a_checkpoint(folder: Path) -> None:
    """A run that had written one line safely, and another one not, when it was stopped."""
    checkpoint = begin({"scores.csv": b""})
    checkpoint.chunks = 1
    with (
        contextlib.suppress(KeyboardInterrupt),
        lock_folder(folder),
        open_outputs(folder, {"scores.csv": b"head\n"}) as outputs,
    ):
        outputs.append({"scores.csv": b"1\n"})
        outputs.save(checkpoint, now=True)
        outputs.append({"scores.csv": b"2\n"})
        raise KeyboardInterrupt


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_appear_when_the_run_is_published(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with lock_folder(folder), open_outputs(folder, {"scores.csv": b"head\n"}) as outputs:
        outputs.append({"scores.csv": b"1\n"})
        outputs.append({"scores.csv": b"2\n"})
        assert names(folder) == {".unfinished"}
        outputs.publish(begin({"scores.csv": b""}, finished=True), move_files)
    assert names(folder) == {"scores.csv", "summary.json"}
    assert (folder / "scores.csv").read_bytes() == b"head\n1\n2\n"
    assert json.loads((folder / "summary.json").read_text())["seconds"] == 0.5


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_run_that_ends_before_its_first_checkpoint_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with (
        pytest.raises(error),
        lock_folder(tmp_path),
        open_outputs(tmp_path, {"scores.csv": b"head\n"}),
    ):
        raise error
    assert names(tmp_path) == set()


def test_a_resumed_run_cuts_off_what_was_written_after_the_checkpoint(
    tmp_path: Path,
) -> None:
    stop_after_a_checkpoint(tmp_path)
    checkpoint = read_checkpoint(tmp_path / ".unfinished")
    assert checkpoint is not None
    assert (checkpoint.chunks, checkpoint.sizes) == (1, {"scores.csv": 7})
    with (
        lock_folder(tmp_path),
        open_outputs(tmp_path, {"scores.csv": b"head\n"}, sizes=checkpoint.sizes) as outputs,
    ):
        outputs.append({"scores.csv": b"two\n"})
        outputs.publish(begin({"scores.csv": b""}, finished=True), move_files)
    assert (tmp_path / "scores.csv").read_bytes() == b"head\n1\ntwo\n"
    assert names(tmp_path) == {"scores.csv", "summary.json"}


def test_an_unfinished_run_is_neither_continued_nor_replaced_unasked(tmp_path: Path) -> None:
    stop_after_a_checkpoint(tmp_path)
    with pytest.raises(
        OutputError,
        match=r"found an unfinished run; continue it with --resume, or replace it with --force$",
    ):
        find_unfinished(tmp_path, resume=False, force=False, asked={})
    assert find_unfinished(tmp_path, resume=True, force=False, asked={}) is not None
    assert find_unfinished(tmp_path, resume=False, force=True, asked={}) is None


def test_a_run_stopped_while_its_files_were_moved_is_completed_later(tmp_path: Path) -> None:
    staging = tmp_path / ".unfinished"
    staging.mkdir()
    (tmp_path / "scores.csv").write_bytes(b"moved already")
    (tmp_path / "decisions.csv").write_bytes(b"of an earlier run")
    (staging / "rejected.jsonl").write_bytes(b"not yet")
    (staging / "summary.json").write_bytes(b"{}")
    move_files(tmp_path, ["scores.csv", "rejected.jsonl"])
    assert names(tmp_path) == {"scores.csv", "rejected.jsonl", "summary.json"}


def test_a_run_that_replaces_another_does_not_look_complete_while_its_files_are_moved(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, {"scores.csv": b"old"})
    staging = tmp_path / ".unfinished"
    staging.mkdir()
    for name in ("scores.csv", "rejected.jsonl", "summary.json"):
        (staging / name).write_bytes(b"new")
    (
        tmp_path / "rejected.jsonl"
    ).mkdir()  # what no file can be renamed to: stops the run halfway, as a kill would
    with pytest.raises(OutputError, match="Is a directory"):
        move_files(tmp_path, ["scores.csv", "rejected.jsonl"])
    assert (tmp_path / "scores.csv").read_bytes() == b"new"
    assert "summary.json" not in names(tmp_path), (
        "the earlier run's summary is beside the new run's files"
    )
    (tmp_path / "rejected.jsonl").rmdir()
    move_files(tmp_path, ["scores.csv", "rejected.jsonl"])
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == dict.fromkeys(
        ["scores.csv", "rejected.jsonl", "summary.json"], b"new"
    )


def test_a_run_that_makes_only_a_report_leaves_other_files(tmp_path: Path) -> None:
    write_run(tmp_path, {"scores.csv": b"old"})
    with lock_folder(tmp_path), open_outputs(tmp_path, {}) as outputs:
        outputs.make("report.html", lambda _, path: path.write_text("report") and None)
        outputs.publish(begin({"report.html": b""}, finished=True), move_files, report_only=True)
    assert names(tmp_path) == {"scores.csv", "summary.json", "report.html"}


def test_a_run_that_stops_leaves_the_earlier_run_as_it_was(tmp_path: Path) -> None:
    write_run(tmp_path, {"scores.csv": b"old"})
    with pytest.raises(KeyboardInterrupt), open_outputs(tmp_path, {"scores.csv": b"new"}):
        raise KeyboardInterrupt
    assert (tmp_path / "scores.csv").read_bytes() == b"<old"
    assert "summary.json" in names(tmp_path)


def test_an_earlier_run_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    write_run(tmp_path, {"scores.csv": b"old", "decisions.csv": b"old"})
    with pytest.raises(
        OutputError,
        match=r"found the outputs of an earlier run; .* replace them with --force$",
    ):
        write_run(tmp_path, {"scores.csv": b"new"})
    (tmp_path / "notes.txt").touch()
    write_run(tmp_path, {"scores.csv": b"new"}, force=True)
    assert names(tmp_path) == {"scores.csv", "summary.json", "notes.txt"}, (
        "files of the earlier run must be deleted"
    )
    assert (tmp_path / "scores.csv").read_bytes() == b"<new"


def test_the_remains_of_a_run_killed_before_its_first_checkpoint_are_deleted(
    tmp_path: Path,
) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "scores.csv").write_bytes(b"half")
    write_run(tmp_path, {"scores.csv": b"new"})
    assert names(tmp_path) == {"scores.csv", "summary.json"}


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path),
        pytest.raises(OutputError, match=r"another run is writing there$"),
        lock_folder(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"format": 2},
        {"statistics": {}},
        {"statistics": {"people": [[1]]}},
        {"statistics": 5},
        {"chunks": "one"},
        {"sizes": None},
    ],
    ids=str,
)
def test_refuses_a_checkpoint_that_it_cannot_read(
    tmp_path: Path, change: dict[str, object]
) -> None:
    stop_after_a_checkpoint(tmp_path)
    path = tmp_path / ".unfinished" / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(
        OutputTaken,
        match=r"expected a checkpoint of this release, .*; start over with --force$",
    ):
        read_checkpoint(tmp_path / ".unfinished")


def test_refuses_an_unfinished_run_of_an_earlier_release(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "ledger.json").write_text("{}")
    with pytest.raises(OutputTaken, match=r"earlier release .*; start over with --force$"):
        find_unfinished(tmp_path, resume=False, force=False, asked={})
    assert find_unfinished(tmp_path, resume=False, force=True, asked={}) is None


def test_every_file_is_synced_before_it_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watches which files, by inode and size, were synced."""
    synced, fsync = set[tuple[int, int]](), os.fsync

    def watch(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.add((found.st_ino, found.st_size))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", watch)
    with lock_folder(tmp_path), open_outputs(tmp_path, {"scores.csv": b"head\n"}) as outputs:
        outputs.make("report.html", lambda _, path: path.write_text("report") and None)
        outputs.publish(
            begin({"scores.csv": b"", "report.html": b""}, finished=True),
            move_files,
            report_only=False,
        )
    assert names(tmp_path) == {"scores.csv", "report.html", "summary.json"}
    assert {(path.stat().st_ino, path.stat().st_size) for path in tmp_path.iterdir()} <= synced


def test_a_replaced_run_loses_its_checkpoint_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after_a_checkpoint(tmp_path)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, {"scores.csv": b"new"}, force=True)
    assert read_checkpoint(tmp_path / ".unfinished") is None


def test_a_folder_that_was_deleted_while_it_was_being_locked_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def take_away(descriptor: int, operation: int) -> None:
        (tmp_path / "out").rmdir()
        flock(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", take_away)
    with (
        pytest.raises(OutputTaken, match=r"another run is writing there$"),
        lock_folder(tmp_path / "out"),
    ):
        pass


def test_says_that_a_disk_has_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(
            OutputError, match=r"expected a folder that can be written \(No locks available\)$"
        ),
        lock_folder(tmp_path),
    ):
        pass


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    stop_after_a_checkpoint(tmp_path)
    checkpoint = read_checkpoint(tmp_path / ".unfinished")
    assert checkpoint is not None
    assert (checkpoint.fingerprint, checkpoint.files, checkpoint.config, checkpoint.force) == (
        {"--hook": "local"},
        ["scores.csv"],
        CONFIG,
        False,
    )


def test_outputs_that_are_shorter_than_at_the_checkpoint_are_refused(
    tmp_path: Path,
) -> None:
    stop_after_a_checkpoint(tmp_path)
    (tmp_path / ".unfinished" / "scores.csv").write_bytes(b"head\n")
    expected = r"scores.csv: expected at least 7 bytes.*, found 5; start over with --force$"
    with (
        pytest.raises(OutputTaken, match=expected),
        open_outputs(tmp_path, {"scores.csv": b""}, sizes={"scores.csv": 7}),
    ):
        pass
    assert (tmp_path / ".unfinished" / "scores.csv").read_bytes() == b"head\n"


def test_says_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with (
            pytest.raises(
                OutputError, match=r"^--out .*: expected a folder that can be written \("
            ),
            lock_folder(folder),
        ):
            pass


def test_says_when_the_disk_is_full(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        outputs = Outputs(tmp_path, tmp_path, {"scores.csv": full})
        with pytest.raises(
            OutputError,
            match=r"^--out .*: expected a folder that can be written \(No space left on device\)$",
        ):
            outputs.append({"scores.csv": b"x"})
