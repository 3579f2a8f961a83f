"""A file is on the disk before it has its name. The system is watched here, since no test can cut the power."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from segment_scorer.runner.writing.atomic import save_file


def test_a_file_gets_its_name_when_it_is_on_the_disk_and_then_its_folder_is_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen, fsync = tmp_path / "summary.json", list[tuple[str, str]](), os.fsync
    path.write_text("old")

    def watch(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.read_text()))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", watch)
    save_file(path, lambda fresh: fresh.write_text("new"))
    assert seen == [("summary.json.new", "old"), (tmp_path.name, "new")]
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")

    def fail(fresh: Path) -> None:
        fresh.write_text("half")
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # whatever it is, it comes through
        save_file(path, fail)
    assert path.read_text() == "old"
