"""Joins the lines of a CSV file to rows: a quoted cell may run over several lines.

A line is in exactly one row. If a row does not end with as many cells as the header, its first line
is a row of its own, and the lines after it are read as rows again. A missing quote therefore costs
one row.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Line: TypeAlias = tuple[int, bytes]  # its number from 1, and its bytes

# Bytes that a quoted cell may run over further lines. More is a missing quote.
LONGEST_JOINED = 100_000
# Two missing quotes in different rows look like one long cell. The cell is split if all the lines
# inside it are rows with as many cells as the header: at least so many rows, and so many cells.
SWALLOWED_ROWS, SWALLOWED_CELLS = 3, 3
# A complete CSV row: each field is quoted, with quotes inside doubled, or does not begin with a
# quote (RFC 4180, and what csv.reader takes).
_FIELD = rb'(?:"(?:[^"]|"")*+"[^,]*+|[^",][^,]*+|)'
WHOLE_ROW = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+")


@dataclass(slots=True)
class Joined:
    """The rows of a file that run over several lines: how many, and the longest one's lines."""

    rows: int = 0
    first: int = 0
    last: int = 0

    def add(self, first: int, last: int) -> None:
        """Count a row."""
        self.rows += 1
        if last - first > self.last - self.first:
            self.first, self.last = first, last


def join_rows(lines: Iterator[Line], header: Sequence[str], joined: Joined) -> Iterator[Line]:
    """Rows, each with the number of its first line. Blank lines between rows are left out.

    Holds at most LONGEST_JOINED bytes and a line. Reads a line at most once per column and row.
    """
    again: deque[Line] = deque()
    while (line := again.popleft() if again else next(lines, None)) is not None:
        number, text = line
        if b'"' not in text or WHOLE_ROW.fullmatch(text):
            if not text.isspace():
                yield line
            continue
        held, is_row = hold_row(line, again, lines, len(header))
        if is_row:
            joined.add(number, held[-1][0])
            yield number, b"".join(text for _, text in held)
        else:
            yield line
            again.extendleft(reversed(held[1:]))


def hold_row(
    first: Line, again: deque[Line], lines: Iterator[Line], width: int
) -> tuple[list[Line], bool]:
    """Take lines, from `again` and then `lines`, until the row ends or cannot end any more.

    Gives the lines from `first` on, and whether they are a row of `width` cells.
    """
    held, size, cells, inside = [first], len(first[1]), 0, b""
    while True:
        found, closed = count_cells(inside + held[-1][1])
        cells += found - len(inside)
        if not found or cells > width:
            return held, False
        if closed:
            return held, cells == width and not is_swallowed(held, width)
        inside = b'"'
        if size >= LONGEST_JOINED:
            return held, False
        line = again.popleft() if again else next(lines, None)
        if line is None:
            return held, False
        held.append(line)
        size += len(line[1])


def count_cells(text: bytes) -> tuple[int, bool]:
    """The number of cells up to the end of this text (0: not CSV), and whether no quote is open."""
    closed = WHOLE_ROW.fullmatch(text) is not None
    complete = text if closed else text + b'"'
    try:
        return len(next(csv.reader([complete.decode("latin-1")], strict=True), [])), closed
    except csv.Error:
        return 0, closed


def is_swallowed(held: Sequence[Line], width: int) -> bool:
    """Whether the lines inside a cell of many lines are rows, swallowed by a missing quote."""
    inner = held[1:-1]
    return (
        width >= SWALLOWED_CELLS
        and len(inner) >= SWALLOWED_ROWS
        and all(count_cells(text) == (width, True) for _, text in inner)
    )
