"""The output folder: nothing looks complete that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from campaign.books import Summary
from campaign.errors import OutputError
from campaign.outputs import Outputs, open_outputs

SUMMARY = Summary(
    **dict.fromkeys(["received", "kept", "filtered", "failed", "opted_out", "rejected", "batches", "attempts"], 0),
    **dict.fromkeys(["held_out", "unreadable", "unscored", "sparse", "would_filter", "model", "mode"]),
    seconds=0.5,
    scheduled_time="2026-01-01T00:00:00.000Z",
    host="pinpoint",
)


def write_run(folder: Path, files: dict[str, bytes], *, force: bool = False) -> None:
    with open_outputs(folder, dict.fromkeys(files, b"<"), force=force) as outputs:
        outputs.append(files)
        outputs.publish(SUMMARY)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_get_their_names_when_the_run_is_published(tmp_path: Path) -> None:
    with open_outputs(tmp_path / "a" / "b", {"scores.csv": b"head\n"}, force=False) as outputs:
        outputs.append({"scores.csv": b"1\n"})
        outputs.append({"scores.csv": b"2\n"})
        assert names(tmp_path / "a" / "b") == {".unfinished"}
        outputs.publish(SUMMARY)
    assert names(tmp_path / "a" / "b") == {"scores.csv", "summary.json"}
    assert (tmp_path / "a" / "b" / "scores.csv").read_bytes() == b"head\n1\n2\n"
    assert json.loads((tmp_path / "a" / "b" / "summary.json").read_text())["seconds"] == 0.5


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_a_run_early_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), open_outputs(tmp_path, {"scores.csv": b"head\n"}, force=False):
        raise error
    assert names(tmp_path) == set()


def test_a_run_that_stops_leaves_the_earlier_run_as_it_was(tmp_path: Path) -> None:
    write_run(tmp_path, {"scores.csv": b"old"})
    with pytest.raises(KeyboardInterrupt), open_outputs(tmp_path, {"scores.csv": b"new"}, force=True):
        raise KeyboardInterrupt
    assert (tmp_path / "scores.csv").read_bytes() == b"<old"
    assert "summary.json" in names(tmp_path)


def test_an_earlier_run_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    write_run(tmp_path, {"scores.csv": b"old", "decisions.csv": b"old"})
    with pytest.raises(OutputError, match=r"expected no earlier run's outputs there; choose another folder, or replace them with --force$"):
        write_run(tmp_path, {"scores.csv": b"new"})
    (tmp_path / "notes.txt").touch()
    write_run(tmp_path, {"scores.csv": b"new"}, force=True)
    assert names(tmp_path) == {"scores.csv", "summary.json", "notes.txt"}, "what the new run does not write must not survive it"
    assert (tmp_path / "scores.csv").read_bytes() == b"<new"


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "scores.csv").write_bytes(b"half")
    write_run(tmp_path, {"scores.csv": b"new"})
    assert names(tmp_path) == {"scores.csv", "summary.json"}


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with (
        open_outputs(tmp_path, {"scores.csv": b""}, force=False),
        pytest.raises(OutputError, match=r"another run is writing there$"),
        open_outputs(tmp_path, {"scores.csv": b""}, force=True),
    ):
        pass


def test_says_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with (
            pytest.raises(OutputError, match=r"^--out .*: expected a folder that can be written \("),
            open_outputs(folder, {}, force=False),
        ):
            pass


def test_says_when_the_disk_is_full(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        outputs = Outputs(tmp_path, tmp_path, {"scores.csv": full})
        with pytest.raises(OutputError, match=r"^--out .*: expected a folder that can be written \(No space left on device\)$"):
            outputs.append({"scores.csv": b"x"})
