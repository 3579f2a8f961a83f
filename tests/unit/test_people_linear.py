"""No reader of people's files takes worse than linear time: 8 times the input, under 16 times."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import DataError
from model.people.columns import RecordError, make_keyed_layout
from model.people.files import open_people
from model.people.records import make_decoder, make_field_decoder
from model.people.unread import find_unread

SMALL, TIMES, MOST_RATIO = 1_000, 8, 16
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "blank lines": lambda n: b"\n" * n * 100,
    "marks": lambda n: b"\xef\xbb\xbf" * n * 10,
    "lines with NaN": lambda n: b'{"Id": "a", "X": NaN}\n' * n,
    "one line of NaN": lambda n: b'{"Id": "a", "X": [' + b"NaN," * n + b"1]}\n",
    "open quotes": lambda n: b"Id,x,y\n" + b'x",y,"z\n' * n,
    "one open quote": lambda n: b"Id,x\n" + b'a,"\n' + b"\n" * n * 10,
    "quotes in a row": lambda n: b"Id,x\n" + b'"' * n * 10 + b"\n",
    "columns": lambda n: b"Id," + b",".join(b"c%d" % i for i in range(n)) + b"\n",
    "columns of a list": lambda n: b"Id" + b",Attributes.x" * n + b"\na" + b",1" * n + b"\n",
    "digits": lambda n: b"Id,Metrics.X\na," + b"9" * n * 10 + b"\n",
    "an open array": lambda n: b"[" * n * 10 + b"\n",
    "empty gzip members": lambda n: gzip.compress(b"") * n,
    "gzip and zeros": lambda n: gzip.compress(b'{"Id":"a"}\n') + b"\0" * n * 100,
}


def read(path: Path) -> None:
    """Read a file of people, and as one of external attributes, to its end or its refusal."""
    for layout in (None, make_keyed_layout("Id")):
        try:
            with open_people(path) if layout is None else open_people(path, layout) as file:
                decode = (
                    make_decoder(file.header)
                    if layout is None
                    else make_field_decoder(file.header, layout)
                )
                for _, raw in file:
                    try:
                        decode(raw)
                    except RecordError:
                        continue
                find_unread(file.header or (), profiles=False)
        except DataError:
            continue


def measure(path: Path) -> float:
    """Processor time, the least of three."""
    times = []
    for _ in range(3):
        before = time.process_time()
        read(path)
        times.append(time.process_time() - before)
    return min(times)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_every_reader_of_people_is_linear(make: Callable[[int], bytes], tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(make(SMALL))
    large.write_bytes(make(SMALL * TIMES))
    # What every file costs, whatever its size, is added so that tiny times do not decide.
    assert measure(large) < MOST_RATIO * (measure(small) + 0.005)
