"""Atomic replacement of files. No test can cut the power, so these watch calls of fsync."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from model.atomic import replace_atomically, write_atomically


def test_syncs_the_file_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen, fsync = tmp_path / "summary.json", list[tuple[bool, str]](), os.fsync
    path.write_text("old")

    def watch(descriptor: int) -> None:
        synced = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append((synced == tmp_path, path.read_text()))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", watch)
    write_atomically(path, b"new")
    assert seen == [(False, "old"), (True, "new")]
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")

    def fail() -> None:
        with replace_atomically(path) as fresh:
            fresh.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_of_several_files_none_is_replaced_until_all_are_written(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]

    def fail() -> None:
        with ExitStack() as stack:
            fresh = [stack.enter_context(replace_atomically(path)) for path in paths]
            fresh[0].write_text("new")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []
