"""Replaces files and folders atomically: a reader sees the old one or the new one, never a part.

The new one is written beside the old one under a name of its own, synced to disk, and renamed.
Raises OSError.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Permissions before the umask: for outputs that hold ids, and for all others.
PRIVATE_FILE, SHARED_FILE = 0o600, 0o666
PRIVATE_FOLDER, SHARED_FOLDER = 0o700, 0o777
# Linux, <fcntl.h> and <linux/fs.h>
AT_FDCWD, RENAME_EXCHANGE = -100, 2
# Errors of a system or a file system that cannot exchange two folders
CANNOT_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
# Another process created or moved the folder meanwhile, which hardly happens as often as this.
MOVED_MEANWHILE = {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST}
ATTEMPTS = 100


@contextmanager
def replace_atomically(path: Path, mode: int = SHARED_FILE) -> Iterator[Path]:
    """Yield an empty temporary file to write to; rename it to `path` at the end of the block.

    If the block raises, `path` stays as it was and the temporary file is deleted. The temporary
    name is unique, so that several threads and processes can replace the same file.

    mode  the new file's permissions, before the umask
    """
    fresh = make_name(path)
    try:
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        yield fresh
        sync(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync(path.parent)


def write_atomically(path: Path, content: bytes, mode: int = SHARED_FILE) -> None:
    """Replace the content of a file, or create it."""
    with replace_atomically(path, mode) as fresh:
        fresh.write_bytes(content)


def make_name(path: Path) -> Path:
    """A new hidden name beside `path`."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder to fill; put it in the place of `folder` at the end of the block.

    If the block raises, `folder` stays as it was. Several processes can replace the same folder:
    the last one wins. On a system that cannot exchange two folders, `folder` is absent for a
    moment. What an interrupted process left is deleted.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    delete_leftovers(folder)
    fresh, lock = make_locked_folder(folder)
    try:
        yield fresh
        for path in (*fresh.iterdir(), fresh):
            sync(path)
        put_in_place(fresh, folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(lock)


def make_locked_folder(folder: Path) -> tuple[Path, int]:
    """Make a new folder beside `folder`, and lock it. Returns its path and the open lock."""
    while True:
        fresh = make_name(folder)
        fresh.mkdir()
        try:
            lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # another process took it for a leftover before it was locked
        with suppress(OSError):  # a file system without locks: leftovers are never deleted there
            fcntl.flock(lock, fcntl.LOCK_EX)
        if fresh.exists():
            return fresh, lock
        os.close(lock)


def delete_leftovers(folder: Path) -> None:
    """Delete the new folders of processes that ended. A process that still runs holds a lock."""
    for path in folder.parent.glob(f".{escape_glob(folder.name)}.*.new"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def escape_glob(name: str) -> str:
    """A name as a glob pattern that matches only itself."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def put_in_place(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`. Afterwards `fresh` is absent or holds the old one."""
    for _ in range(ATTEMPTS):
        try:
            if folder.exists():
                exchange(fresh, folder)
            else:
                fresh.rename(folder)
        except OSError as error:
            if error.errno in CANNOT_EXCHANGE:
                return replace_in_two_steps(fresh, folder)
            if error.errno not in MOVED_MEANWHILE:
                raise
        else:
            return None
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))


def exchange(one: Path, other: Path) -> None:
    """Exchange two folders in one step. Raises OSError, ENOSYS without such a system call."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    names = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other))
    if rename(*names, RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def replace_in_two_steps(fresh: Path, folder: Path) -> None:
    """Replace `folder`, which is absent between the two steps. A failure puts it back."""
    old = make_name(folder)
    with suppress(FileNotFoundError):
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        with suppress(OSError):
            old.rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
