"""Atomic replacement of files. No test can cut the power, so these watch calls of fsync."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from model.atomic import replace_atomically, replace_folder, write_atomically


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


def put(folder: Path, text: str) -> None:
    with replace_folder(folder) as fresh:
        for name in ("a", "b"):
            (fresh / name).write_text(text)


def test_a_reader_never_sees_half_a_replacement(tmp_path: Path) -> None:
    folder, stop = tmp_path / "bundle", threading.Event()
    put(folder, "0")

    def replace() -> None:
        for number in range(1, 200):
            put(folder, str(number))
        stop.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = 0
    while not stop.is_set():
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # FileNotFoundError: a gap
        os.close(opened)
        seen += 1
    writer.join()
    assert seen > 100
    assert {path.read_text() for path in folder.iterdir()} == {"199"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_that_is_replaced_is_never_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename, absent = tmp_path / "bundle", Path.rename, list[bool]()
    put(folder, "old")

    def watch(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        absent.append(not folder.exists())
        return moved

    monkeypatch.setattr("pathlib.Path.rename", watch)
    put(folder, "new")
    assert (folder / "a").read_text() == "new"
    assert not any(absent)


@pytest.mark.parametrize("can_exchange", [True, False])
def test_two_writers_of_one_folder_do_not_collide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    folder = tmp_path / "bundle"
    if not can_exchange:
        monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    with replace_folder(folder) as one:
        (one / "a").write_text("first")
        put(folder, "second")
        assert (folder / "a").read_text() == "second"
        assert (one / "a").read_text() == "first"
    assert [path.read_text() for path in folder.iterdir()] == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_many_writers_of_a_new_folder_leave_one_of_theirs_whole(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(folder, str(number)), range(40)))
    assert len({path.read_text() for path in folder.iterdir()}) == 1
    assert {path.name for path in folder.iterdir()} == {"a", "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_deletes_what_a_killed_writer_left_but_not_the_folder_of_one_that_writes(
    tmp_path: Path,
) -> None:
    folder, left = tmp_path / "bundle", tmp_path / ".bundle.0123.new"
    left.mkdir()
    (left / "half").write_text("")
    with replace_folder(folder) as fresh:
        assert not left.exists()
        put(folder, "other")
        assert fresh.exists()


def test_a_failed_replacement_leaves_the_old_folder_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    put(folder, "old")

    def fail() -> None:
        with replace_folder(folder) as fresh:
            (fresh / "a").write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert {path.read_text() for path in folder.iterdir()} == {"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_several_threads_replace_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replace_atomically(path) as one, replace_atomically(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
