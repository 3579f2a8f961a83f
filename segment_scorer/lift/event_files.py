"""Files of JSON records in, records out: one a line, or one after the other as Firehose may write.

Holds one record and a chunk, never a file. Records that are no JSON are counted, not raised.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from model.people.opening import open_unpacked
from segment_scorer.lift.tables import Progress

CHUNK = 1 << 20  # characters
LONGEST = 10 << 20  # characters of one record; Kinesis allows 10 MiB
BLANK = " \t\r\n\0"
_decode = json.JSONDecoder().raw_decode


def read_records(
    path: Path, damaged: Counter[str], progress: Progress | None = None
) -> Iterator[Any]:
    """Every JSON value of a file, gzip or not. What cannot be read is counted in `damaged`.

    A damaged record ends at the next line end. Raises DataError for a file that cannot be read.
    """
    size = path.stat().st_size if path.is_file() else 0
    with open_unpacked(path, "events") as (file, tell):
        stream = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")
        rest, tried = "", 0
        while chunk := stream.read(CHUNK):
            rest += chunk
            if len(rest) < tried:
                continue  # a long record: tried again only when twice as much of it is there
            rest = yield from _split(rest, damaged, last=False)
            tried = 2 * len(rest) if len(rest) < LONGEST else 0
            if len(rest) > LONGEST:
                damaged["records"] += 1
                rest = rest.rpartition("\n")[2][-CHUNK:] if "\n" in rest else ""
            if progress is not None:
                progress("reading events", tell(), size)
        yield from _split(rest, damaged, last=True)


def _split(text: str, damaged: Counter[str], *, last: bool) -> Generator[Any, None, str]:
    """Give the whole records of `text`; return what may be the beginning of another."""
    start = 0
    while True:
        while start < len(text) and text[start] in BLANK:
            start += 1
        if start == len(text):
            return ""
        try:
            value, start = _decode(text, start)
        except (ValueError, RecursionError):
            end = text.find("\n", start)
            if end < 0 and not last:
                return text[start:]
            damaged["records"] += 1
            if end < 0:
                return ""
            start = end + 1
        else:
            yield value
