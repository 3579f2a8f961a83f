"""Law: everyone in a written CSV or Parquet is read back, in order, whatever the records hold."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.people.files import open_people
from model.people.records import make_decoder
from segment_scorer.runner.writing.formats import FORMATS, choose_columns, find_columns

NAMES = st.sampled_from(
    [
        "Metrics",
        "Attributes",
        "User",
        "Demographic",
        "Location",
        "UserAttributes",
        "Address",
        "X",
        "X.Y",
        "a\nb",
        " z ",
        "",
        ".",
    ]
)
LEAVES = st.sampled_from(
    [None, "oops", "", 7, 1.5, True, [], ["a"], ["a", "b"], [None, 3], "two\nlines"]
)
VALUES = st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=6)
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=6)


@pytest.mark.parametrize("key", ["Id", "ProfileId"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
@given(documents=DOCUMENTS)
def test_everybody_is_read_back(key: str, form: str, documents: list[dict[str, Any]]) -> None:
    people = [{**document, key: f"p{index}"} for index, document in enumerate(documents)]
    with tempfile.TemporaryDirectory() as folder:
        segment, path = Path(folder) / "segment.jsonl.gz", Path(folder) / "table"
        segment.write_bytes(
            gzip.compress("".join(json.dumps(person) + "\n" for person in people).encode())
        )
        FORMATS[form].write(segment, find_columns(people), path)
        with open_people(path) as file:
            decode = make_decoder(file.header)
            assert [decode(raw).document["Id"] for _, raw in file] == [
                person[key] for person in people
            ]


@given(DOCUMENTS)
def test_no_column_is_left_out_but_for_a_reason(documents: list[dict[str, Any]]) -> None:
    columns = find_columns([{**document, "Id": "p"} for document in documents])
    chosen = choose_columns(columns)
    for path in columns.keys() - chosen.keys():
        odd = not path or path != path.strip() or "\n" in path
        assert (
            odd
            or path
            in {"Metrics", "Attributes", "User", "Demographic", "Location", "User.UserAttributes"}
            or path.partition(".")[0] in columns
        )
