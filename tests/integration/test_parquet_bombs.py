"""Small Parquet files that are gigabytes when read whole: read a few rows at a time, or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from model.errors import DataError
from tests.unit.test_people_real_files import read_all

BOMB = """
import resource, sys
from pathlib import Path
from model.people.files import open_people
from model.people.records import make_decoder
from model.people.columns import RecordError
# What a person of 2 MB and Arrow itself need is there; all of the file, which has
# less than 20 kB, is 0.8 or 1.8 GB.
resource.setrlimit(resource.RLIMIT_DATA, (700_000_000, 700_000_000))
decode, problems = make_decoder(None), []
with open_people(Path(sys.argv[1])) as file:
    for number, raw in file:
        try:
            decode(raw)
        except RecordError as error:
            problems.append(str(error))
print(number, len(problems), set(problems))
"""


@pytest.mark.parametrize("form", ["text", "list", "map"])
@pytest.mark.parametrize(("length", "lost"), [(9_000_000, 200), (4_000_000, 0)])
def test_a_parquet_bomb_takes_the_memory_of_a_few_rows(
    form: str, length: int, lost: int, tmp_path: Path
) -> None:
    codes = pa.DictionaryArray.from_arrays([0] * 200, ["x" * length])
    offsets, name = range(201), pa.DictionaryArray.from_arrays([0] * 200, ["P"])
    columns = {
        "text": ("Address", codes),
        "list": ("Attributes.P", pa.ListArray.from_arrays(offsets, codes)),
        "map": ("Attributes", pa.MapArray.from_arrays(offsets, name, codes)),
    }
    table = pa.table({"Id": [str(n) for n in range(200)], columns[form][0]: columns[form][1]})
    path = tmp_path / "p"
    parquet.write_table(
        table, path, compression="zstd", dictionary_pagesize_limit=1 << 30, store_schema=False
    )
    assert path.stat().st_size < 20_000
    command = [sys.executable, "-c", BOMB, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
    told = {"expected fewer than 5,000,000 bytes"} if lost else set()
    assert done.stdout == f"200 {lost} {told}\n"


def test_a_parquet_bomb_of_one_page_or_of_rows_is_refused(tmp_path: Path) -> None:
    huge = pa.table({"Id": ["a"], "Address": ["x" * 100_000_000]})
    parquet.write_table(huge, tmp_path / "page", compression="zstd", use_dictionary=False)
    codes = pa.DictionaryArray.from_arrays(np.zeros(20_000_000, np.int8), ["a"])
    parquet.write_table(pa.table({"Id": codes}), tmp_path / "rows", compression="zstd")
    for name, bound in (
        ("page", "1,000 times the file's size"),
        ("rows", "100 rows for each byte"),
    ):
        with pytest.raises(DataError, match=bound):
            read_all(tmp_path / name)
