"""Reads rows of external attributes, each with its key, from files of people.

Reads the files by `model.people`, as the runner and the trainer do. Text in CSV stays text. Empty
cells, null and numbers that are not finite are missing. The first unusable row is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import DataError, name_kind
from model.people.cells import write_whole
from model.people.columns import RecordError, make_keyed_layout
from model.people.files import open_people
from model.people.progress import Progress
from model.people.records import make_field_decoder

ROWS_PER_PROGRESS = 1_000
STAGE = "reading people"


@dataclass(frozen=True, slots=True)
class Row:
    """The external attributes of one person, and their origin: the file and the line."""

    origin: str
    key: str
    attributes: dict[str, Any]


def ignore_warning(_: str) -> None:
    """Do nothing with a warning."""


def read_rows(
    paths: Sequence[Path],
    key: str,
    progress: Progress,
    warn: Callable[[str], None] = ignore_warning,
) -> Iterator[Row]:
    """Every row of the files, in order.

    key   the column, or field, that holds the key
    warn  receives sentences on what was not read as written

    Raises DataError naming file and line.
    """
    layout = make_keyed_layout(key)
    total, before = sum(path.stat().st_size for path in paths if path.is_file()), 0
    for path in paths:
        with open_people(path, layout, "external attributes") as file:
            if not file.size:
                raise DataError(f"{path}: expected external attributes, found an empty file")
            decode = make_field_decoder(file.header, layout)
            for index, (number, raw) in enumerate(file):
                if index % ROWS_PER_PROGRESS == 0:
                    progress(STAGE, before + file.position, total)
                origin = f"{path}, line {number}"
                try:
                    yield make_row(origin, decode(raw), key)
                except RecordError as error:
                    raise DataError(f"{origin}: {error}") from error
            for sentence in file.explain_reading():
                warn(f"{path}: {sentence}")
            before += file.size
    progress(STAGE, total, total)


def make_row(origin: str, fields: dict[str, Any], key: str) -> Row:
    """A row of its fields. Raises RecordError unless the key is text or a whole number."""
    found = write_whole(fields.pop(key, None))
    if not isinstance(found, str) or not found:
        kind = "nothing" if found is None else "empty text" if found == "" else name_kind(found)
        raise RecordError(
            f"expected a key in {key}, text or a whole number, found {kind} "
            "(name another with --key NAME)"
        )
    attributes = {name: value for name, value in fields.items() if value is not None}
    return Row(origin, found, attributes)
