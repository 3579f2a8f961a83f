"""The files of a segment: paths, globs and s3:// addresses in, opened files of people out.

Holds one record in memory, never a file. `model.people.files` knows the file formats, and
`model.people.records` what a record means.
"""

from __future__ import annotations

import contextlib
import glob
import io
import itertools
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

import msgspec

from model.people.columns import PEOPLE, PLAIN_PEOPLE, RecordError, is_of_profiles
from model.people.files import PeopleFile, open_people
from model.people.naming import name_some
from model.people.probe_file import MOST_BYTES, SKIPPED, is_test_file
from model.people.records import Record, make_decoder
from model.people.unread import find_unread, list_paths
from model.profile_names import Naming, explain_ambiguous
from segment_scorer.runner.errors import DataError
from segment_scorer.runner.s3 import GLOB, READ_AHEAD, S3, find_objects, open_object, read_version

CHECKED_BYTES = 1 << 16  # at either end of a file, for its checksum
SAMPLED = 100  # records of a file without a header whose field names are checked
MOST_NAMED = 10  # field or column names in one warning
NO_PEOPLE = "expected people, one per line"


class SegmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a segment, and how a resumed run recognises it.

    size      in bytes
    checksum  CRC-32 of the first and the last 64 KiB
    version   time of the last change (ns), or the ETag in S3: the middle may have changed, too
    """

    name: str
    size: int
    checksum: int
    version: str


def ignore_warning(_: str) -> None:
    """Do nothing with a warning."""


def find_segment_files(
    texts: Sequence[str],
    warn: Callable[[str], None] = ignore_warning,
    *,
    plain_columns: bool = False,
    naming: Naming | None = None,
) -> list[SegmentFile]:
    """Find the files of paths, globs (`*`, `?`, `[...]`, `**`) and s3:// addresses, each once.

    The files of a glob are sorted by name. `warn` receives sentences about empty files, which are
    skipped, about the test file of an export, which is skipped, too, about columns and fields that
    no model and no policy reads, and about customer profiles whose attributes two migrations could
    have named. `naming` says which one did.
    Raises DataError for the first file that is missing or holds no people, or if all are empty.
    """
    found = {name: name != text for text in texts for name in find_names(text)}
    files: list[SegmentFile] = []
    empty: list[str] = []
    reported: set[str] = set()
    for name, by_pattern in found.items():
        if len(found) > 1 and (size := find_test_file(name, found=by_pattern)):
            warn(f"{name}: {SKIPPED.format(size=size)}")
            continue
        with open_segment_file(name, plain_columns=plain_columns) as file:
            if not file.size:
                empty.append(name)
                continue
            files.append(identify_file(name, file.size))
            sample = read_sample(file, naming)
            unread = [name for name in find_unread_names(file, sample) if name not in reported]
            cure = "" if file.header is None or plain_columns else explain_plain(unread)
        reported.update(unread)
        if unread:
            warn(f"{name}: no model and no policy reads {name_some(unread, MOST_NAMED)}{cure}")
        ambiguous = sum(record.ambiguous for record in sample)
        for sentence in explain_ambiguous(ambiguous, len(sample)):
            warn(f"{name}: of its first records, {sentence}")
    if not files:
        kind = "an empty file" if empty else "the test file of an export"
        raise DataError(f"{[*empty, *found][0]}: {NO_PEOPLE}, found {kind}")
    for name in empty:
        warn(f"{name}: skipped, an empty file")
    return files


def find_test_file(name: str, *, found: bool) -> int:
    """The size of a file that is the test file of an export; 0 for any other.

    `found`: by a pattern or in a folder, not named by the user.
    """
    is_object = name.startswith(S3)
    try:
        if not is_object and not Path(name).is_file():  # opening a pipe would wait
            return 0
        with open_object(name) if is_object else Path(name).open("rb") as raw:
            content = raw.read(MOST_BYTES + 1)
    except OSError:
        return 0  # opening it again raises the error that explains
    return len(content) if is_test_file(name, content, found=found) else 0


def explain_plain(unread: Iterable[str]) -> str:
    """How to read columns without a group, such as Age, of a table. "" if there are none."""
    is_plain = any("." not in name and "(meant" not in name for name in unread)
    return "; --plain-columns reads them as attributes (Attributes.X)" if is_plain else ""


def read_sample(file: PeopleFile, naming: Naming | None) -> list[Record]:
    """The readable ones of the first records of a file. A table of endpoints needs none.

    Raises DataError if the file is damaged.
    """
    if file.header is not None and not is_of_profiles(file.header):
        return []
    decode, sample = make_decoder(file.header, naming=naming), []
    for _, raw in itertools.islice(file, SAMPLED):
        with contextlib.suppress(RecordError):
            sample.append(decode(raw))
    return sample


def find_unread_names(file: PeopleFile, sample: Iterable[Record]) -> list[str]:
    """Find the columns of a file that are not read; without a header, fields of a sample."""
    if file.header is not None:
        return find_unread(file.header, profiles=is_of_profiles(file.header))
    paths: dict[bool, list[str]] = {True: [], False: []}
    for record in sample:
        is_profile = record.profile is not None
        found = record.document if record.profile is None else record.profile
        paths[is_profile] += list_paths(found, profiles=is_profile)
    return find_unread(paths[True], profiles=True) + find_unread(paths[False], profiles=False)


def find_names(text: str) -> list[str]:
    """Find the names that one argument stands for. A path that exists stands for itself."""
    if text.startswith(S3):
        return find_objects(text)
    if text.lower().startswith(S3):
        raise DataError(f"{text}: expected s3:// in small letters")
    if GLOB.isdisjoint(text) or Path(text).exists():
        return [text]
    paths = glob.glob(text, recursive=True)  # noqa: PTH207  # a pattern may be absolute
    found = sorted(path for path in paths if Path(path).is_file())
    if not found:
        raise DataError(f"{text}: expected a file of people, found no file that matches")
    return found


def open_segment_file(name: str, *, plain_columns: bool = False) -> PeopleFile:
    """Open a file for reading its people. Raises DataError.

    With `plain_columns`, a table's column such as `Age` is the attribute `Attributes.Age`.
    """
    layout = PLAIN_PEOPLE if plain_columns else PEOPLE
    if not name.startswith(S3):
        if Path(name).is_dir():
            raise DataError(f"{name}: expected a file of people, found a directory")
        file = open_people(Path(name), layout)
    else:
        stream: IO[bytes] = io.BufferedReader(open_object(name), READ_AHEAD)
        file = PeopleFile(name, stream, layout)
    if file.header is not None and {"Id", "ProfileId", "profileId"}.isdisjoint(file.header):
        with file:
            raise DataError(
                f"{name}: expected a column Id or ProfileId in the header; "
                "replies name people by it"
            )
    return file


def identify_file(name: str, size: int) -> SegmentFile:
    """Read what a resumed run recognises a file by."""
    is_object = name.startswith(S3)
    with open_object(name) if is_object else Path(name).open("rb") as raw:
        version = read_version(raw) if is_object else str(os.fstat(raw.fileno()).st_mtime_ns)
        checksum = zlib.crc32(raw.read(CHECKED_BYTES))
        raw.seek(max(0, size - CHECKED_BYTES))
        checksum = zlib.crc32(raw.read(CHECKED_BYTES), checksum)
    return SegmentFile(name=name, size=size, checksum=checksum, version=version)


def add_sizes(files: Iterable[SegmentFile]) -> int:
    """The sum of the sizes in bytes."""
    return sum(file.size for file in files)
