"""A slice read all at once: the same people and the same rejected lines as one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.paths import find_user
from model.people.columns import RecordError
from model.people.records import decode_objects, make_decoder, outline_documents
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice
from segment_scorer.runner.reading.people import Person, SliceReader

CONFIG = RunConfig(scheduled_time="2026-01-31T19:00:00.000Z", activity_id="run-1")
PLAIN = b'{"Id":"a","User":{"UserId":"u"},"Location":{"Country":"DE"},"Metrics":{"x":1}}\n'
# Each of them has something that the plain way does not know.
PECULIAR = (
    b'{"Id":7,"User":{"UserId":8},"ChannelType":"EMAIL"}\n',
    b'{"Id":"b","User":{"UserId":8.0},"Location":{"Country":49}}\n',
    b'{"Id":"c","Metrics":{"x":NaN}}\n',
    b'{"Id":"c","Metrics":{"x":1e400}}\n',
    b'{"Id":"d","Location":[1],"User":"u"}\n',
    b'{"Id":"e","ChannelType":{"a":1},"OptOut":"ALL"}\n',
    b'{"ProfileId":"p","EmailAddress":"a@example.invalid"}\n',
    b'{"ProfileId":12}\n',
    b'{"Id":""}\n',
    b'{"Id":null}\n',
    b"{}\n",
    b"[1]\n",
    b'"too long"\n',
    b"nothing\n",
    b'{"Id":"f"} {"Id":"g"}\n',
    b'{"Id":"h","Attributes":{"Name":["\xff"]}}\n',
    b'{"Id":"i"}',
)


def read(*lines: bytes) -> tuple[list[Person], list[dict[str, Any]]]:
    reader = SliceReader(CONFIG, "people.jsonl", None)
    people = reader.read(Slice(numbers=[*range(1, len(lines) + 1)], records=[*lines]))
    return people, reader.rejected


def read_one_by_one(*lines: bytes) -> tuple[list[dict[str, Any]], list[int]]:
    documents, rejected, decode = [], [], make_decoder(None)
    for number, line in enumerate(lines, 1):
        try:
            documents.append(decode(line).document)
        except RecordError:
            rejected.append(number)
    return documents, rejected


@given(st.lists(st.sampled_from((PLAIN, *PECULIAR)), min_size=1, max_size=6))
def test_a_slice_has_the_people_of_its_lines_whatever_stands_beside_them(
    lines: list[bytes],
) -> None:
    people, rejected = read(*lines)
    documents, refused = read_one_by_one(*lines)
    assert [each.record.document for each in people] == documents
    assert [row["line"] for row in rejected] == refused
    assert [each.user for each in people] == [find_user(each) or "" for each in documents]
    assert [each.channel for each in people] == [each.get("ChannelType") for each in documents]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b'{"Id":"a","Metrics":\n', b'{"x":1}}\n'),
        (b'{"Id":"a"},\n', b'{"Id":"b"}\n'),
        (b'{"Id":"a"}{"Id":"b"}\n', b" \n"),
        (b'{"Id":"a"}{"Id":"b","Metrics":\n', b'{"x":1}}\n'),
        (b'{"Id":"a"}{"Id":"b","Location":{}\n', b',"Metrics":{}}\n'),
    ],
)
def test_two_lines_never_make_one_person(first: bytes, second: bytes) -> None:
    assert decode_objects([PLAIN, first, second]) is None
    people, rejected = read(PLAIN, first, second)
    assert 2 in [row["line"] for row in rejected]
    assert people[0].id == "a"


def test_plain_lines_need_no_closer_look() -> None:
    documents = decode_objects([PLAIN, PLAIN])
    assert documents == [json.loads(PLAIN)] * 2
    assert all(outline_documents(documents))
    assert decode_objects([line.rstrip() for line in (PLAIN, PLAIN)]) == documents
    assert decode_objects([line.replace(b"\n", b"\r\n") for line in (PLAIN, PLAIN)]) == documents
    assert outline_documents([*documents, {"Id": 7}, {"ProfileId": "p"}])[2:] == [None, None]


def test_an_endpoint_that_opted_out_is_not_sent() -> None:
    people, _ = read(PLAIN, b'{"Id":"b","OptOut":"ALL"}\n', b'{"Id":7,"OptOut":"ALL"}\n')
    assert [each.is_sent for each in people] == [True, False, False]
