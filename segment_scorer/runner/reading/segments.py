"""A segment: paths, globs and s3:// addresses in, opened files of people out. Holds one record, never a file.

Which forms there are, and what a record says, `model.people.files` and `model.people.records` know.
"""

from __future__ import annotations

import glob
import io
import itertools
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from model.people.columns import RecordError, is_of_profiles
from model.people.files import PeopleFile, open_people
from model.people.naming import name_some
from model.people.records import make_decoder
from model.people.unread import find_unread, list_paths
from segment_scorer.runner.errors import DataError

S3 = "s3://"
GLOB = frozenset("*?[")
PROBED = 1 << 16  # bytes at either end of a file that tell it from another of the same size
READ_AHEAD = 1 << 22  # bytes asked of S3 at a time
SAMPLED = 100  # records of a file without a header that are looked at for fields that nobody reads
MOST_NAMED = 10  # such fields or columns that are named
Result = TypeVar("Result")


class SegmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a segment: how it is called, and by what a resumed run knows it again: bytes, a checksum of its ends, and its stamp.

    The stamp is the time of its last change on a disk (ns), its ETag in S3: what is in the middle of a file may have changed as well.
    """

    name: str
    size: int
    probe: int
    stamp: str


def stay_silent(_: str) -> None:
    """Tell nobody."""


def find_segment_files(
    texts: Sequence[str], warn: Callable[[str], None] = stay_silent
) -> list[SegmentFile]:
    """The files that paths, globs (`*`, `?`, `[...]`, `**`) and s3:// addresses name, each once, a glob's in order of their names.

    `warn` hears of files that are empty and left out, and of columns and fields that nobody reads.
    Raises DataError for the first that is missing or no file of people, or where all are empty.
    """
    names: list[str] = []
    for text in texts:
        names += find_names(text)
    names = list(dict.fromkeys(names))
    files: list[SegmentFile] = []
    empty: list[str] = []
    told: set[str] = set()
    for name in names:
        with open_segment_file(name) as file:
            if not file.size:
                empty.append(name)
                continue
            files.append(identify_file(name, file.size))
            fresh = [column for column in look_for_unread(file) if column not in told]
        told.update(fresh)
        if fresh:
            warn(f"{name}: no model and no policy reads {name_some(fresh, MOST_NAMED)}")
    if not files:
        raise DataError(f"{empty[0]}: expected people, one a line, found an empty file")
    for name in empty:
        warn(f"{name}: left out, an empty file")
    return files


def look_for_unread(file: PeopleFile) -> list[str]:
    """The columns of a file that nobody reads; without a header, the fields of its first records. Raises DataError for damage."""
    if file.header is not None:
        return find_unread(file.header, profiles=is_of_profiles(file.header))
    decode = make_decoder(None)
    paths: dict[bool, list[str]] = {True: [], False: []}
    for _, raw in itertools.islice(file, SAMPLED):
        try:
            record = decode(raw)
        except RecordError:
            continue
        found, profiles = (
            (record.document, False) if record.profile is None else (record.profile, True)
        )
        paths[profiles] += list_paths(found, profiles=profiles)
    return find_unread(paths[True], profiles=True) + find_unread(paths[False], profiles=False)


def find_names(text: str) -> list[str]:
    """The names that one argument stands for. A path that exists is itself, whatever characters it has."""
    if text.startswith(S3):
        return find_objects(text)
    if GLOB.isdisjoint(text) or Path(text).exists():
        return [text]
    found = sorted(path for path in glob.glob(text, recursive=True) if Path(path).is_file())  # noqa: PTH207  # a pattern may be absolute
    if not found:
        raise DataError(f"{text}: expected a file of people, found none of such a name")
    return found


def find_objects(text: str) -> list[str]:
    """The objects that an s3:// address stands for: one, all below a prefix that ends in `/`, or those that match a glob."""
    path = text.removeprefix(S3)
    if GLOB.isdisjoint(path) and not path.endswith("/"):
        return [text]
    from fnmatch import fnmatchcase  # noqa: PLC0415  # here and below: only for S3

    from pyarrow import fs  # noqa: PLC0415

    stem = path[: min((path.index(mark) for mark in GLOB if mark in path), default=len(path))]
    selector = fs.FileSelector(stem.rpartition("/")[0], recursive=True)
    infos = ask_s3(text, lambda s3: s3.get_file_info(selector))
    pattern = path + "*" if path.endswith("/") else path
    people = (
        info
        for info in infos
        if info.is_file and (info.size or not info.base_name.startswith(("_", ".")))
    )  # no _SUCCESS
    found = sorted(f"{S3}{info.path}" for info in people if fnmatchcase(info.path, pattern))
    if not found:
        raise DataError(f"{text}: expected objects with people in them, found none of such a name")
    return found


def ask_s3(name: str, ask: Callable[[Any], Result]) -> Result:
    """What the file system at AWS's own settings (credentials, region, AWS_ENDPOINT_URL) answers. Raises DataError."""
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import fs  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"{name}: expected the package pyarrow, to read from S3 with; the extra run has it"
        ) from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
    try:
        region = None if endpoint else fs.resolve_s3_region(name.removeprefix(S3).partition("/")[0])
        return ask(fs.S3FileSystem(endpoint_override=endpoint, region=region))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{name}: expected an object or a bucket that these AWS credentials can read"
        ) from error


def open_object(name: str) -> Any:
    """An object of S3, open for reading anywhere in it. Raises DataError."""
    return ask_s3(name, lambda s3: s3.open_input_file(name.removeprefix(S3)))


def open_segment_file(name: str) -> PeopleFile:
    """Open a file for reading its people. Raises DataError."""
    if not name.startswith(S3):
        if Path(name).is_dir():
            raise DataError(f"{name}: expected a file of people, found a folder")
        file = open_people(Path(name))
    else:
        raw = open_object(name)
        stream: IO[bytes] = io.BufferedReader(raw, READ_AHEAD)
        file = PeopleFile(name, stream)
    if file.header is not None and {"Id", "ProfileId", "profileId"}.isdisjoint(file.header):
        with file:
            raise DataError(
                f"{name}: expected the header to name Id or ProfileId, which a hook's answer goes by"
            )
    return file


def identify_file(name: str, size: int) -> SegmentFile:
    """What a file is known by again. The checksum (CRC-32) is of the first and the last 64 KiB."""
    with open_object(name) if name.startswith(S3) else Path(name).open("rb") as raw:
        stamp = read_tag(raw) if name.startswith(S3) else str(os.fstat(raw.fileno()).st_mtime_ns)
        begin = raw.read(PROBED)
        raw.seek(max(0, size - PROBED))
        return SegmentFile(
            name=name, size=size, probe=zlib.crc32(raw.read(PROBED), zlib.crc32(begin)), stamp=stamp
        )


def read_tag(raw: Any) -> str:
    """What tells this content of an object of S3 from any other: its ETag, or else the time it was written."""
    facts = raw.metadata() or {}
    tag = facts.get("ETag") or facts.get("Last-Modified") or b""
    return tag.decode(errors="replace") if isinstance(tag, bytes) else str(tag)


def add_sizes(files: Iterable[SegmentFile]) -> int:
    """Bytes in all."""
    return sum(file.size for file in files)
