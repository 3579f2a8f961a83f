"""Where a batch ends."""

from __future__ import annotations

import json

import pytest

from function.hosts.pinpoint import LARGEST_BATCH
from segment_scorer.runner.reading.batches import (
    MOST_BYTES,
    MOST_RECORDS,
    Slice,
    cut_slices,
    make_finder,
    opted_out,
)


def lines_of(*ids: object) -> list[bytes]:
    return [json.dumps({"Id": id_}).encode() + b"\n" for id_ in ids]


def cut(lines: list[bytes], *, include_opted_out: bool = False) -> list[Slice]:
    return list(
        cut_slices(enumerate(lines, 1), make_finder(None, include_opted_out=include_opted_out))
    )


def test_cuts_a_segment_into_fifties_and_a_rest() -> None:
    slices = cut(lines_of(*(str(i) for i in range(120))))
    assert [(piece.numbers[0], len(piece.numbers), len(piece.records)) for piece in slices] == [
        (1, 50, 50),
        (51, 50, 50),
        (101, 20, 20),
    ]


def test_a_segment_of_exactly_one_batch_has_no_empty_rest() -> None:
    assert len(cut(lines_of(*(str(i) for i in range(LARGEST_BATCH))))) == 1


def test_no_lines_are_no_slices() -> None:
    assert cut([]) == []


def test_an_id_already_in_the_open_batch_closes_it() -> None:
    slices = cut(lines_of("a", "b", "a", "c", "a"))
    assert [piece.records for piece in slices] == [
        lines_of("a", "b"),
        lines_of("a", "c"),
        lines_of("a"),
    ]


def test_an_id_of_an_earlier_batch_closes_nothing() -> None:
    assert [piece.records for piece in cut(lines_of("a", "b", "a", "b"))] == [
        lines_of("a", "b"),
        lines_of("a", "b"),
    ]
    twice = [str(i) for i in range(50)] * 2
    assert [len(piece.records) for piece in cut(lines_of(*twice))] == [50, 50]


@pytest.mark.parametrize("head", [{"OptOut": "ALL"}, {"EndpointStatus": "INACTIVE"}])
def test_people_who_opted_out_take_no_place_unless_told_otherwise(head: dict[str, str]) -> None:
    gone = json.dumps({"Id": "gone", **head}).encode()
    lines = [gone, *lines_of(*(str(i) for i in range(50))), gone]
    assert [len(piece.records) for piece in cut(lines)] == [51, 1]
    assert [len(piece.records) for piece in cut(lines, include_opted_out=True)] == [50, 2]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"broken",
        b"[]",
        b'{"Id":5.5}',
        b'{"Id":""}',
        b'{"Id":"\xff"}',
        b'{"Id":' + b"[" * 100_000,
    ],
)
def test_lines_that_are_no_endpoint_take_no_place(line: bytes) -> None:
    assert not make_finder(None, include_opted_out=True)(line)
    assert [
        len(piece.records) for piece in cut([line, *lines_of(*(str(i) for i in range(50))), line])
    ] == [51, 1]


def test_a_batch_never_grows_beyond_what_a_hook_can_be_sent() -> None:
    large = [b'{"Id":"%d","x":"%s"}' % (i, b"x" * (MOST_BYTES // 3)) for i in range(5)]
    assert [len(piece.records) for piece in cut(large)] == [2, 2, 1]


def test_a_slice_never_grows_without_end_when_nobody_is_to_be_sent() -> None:
    assert [len(piece.records) for piece in cut([b"\n"] * (2 * MOST_RECORDS + 1))] == [
        MOST_RECORDS,
        MOST_RECORDS,
        1,
    ]


def test_a_profile_is_found_by_its_profile_id_and_has_not_opted_out() -> None:
    find = make_finder(None, include_opted_out=False)
    assert find(b'{"ProfileId":"p","OptOut":"ALL"}') == find(b'{"profileId":"p"}') == "p"


def test_finds_the_id_in_a_row_of_a_table_by_its_header() -> None:
    find = make_finder(("ChannelType", "Id", "OptOut", "EndpointStatus"), include_opted_out=False)
    assert find(b'EMAIL,"a ""b"", c",NONE,ACTIVE\n') == 'a "b", c'
    assert find(b"EMAIL,a,ALL,ACTIVE\n") is None
    assert find(b"EMAIL,a,,INACTIVE\n") is None
    assert make_finder(("Id", "OptOut"), include_opted_out=True)(b"a,ALL\n") == "a"


@pytest.mark.parametrize("choice", ["ALL", "NONE", ""])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE", ""])
@pytest.mark.parametrize(
    "columns",
    [("Id",), ("Id", "OptOut"), ("EndpointStatus", "Id"), ("Id", "OptOut", "EndpointStatus")],
    ids=str,
)
def test_who_has_opted_out_is_the_same_in_a_table_and_in_json(
    columns: tuple[str, ...], choice: str, status: str
) -> None:
    document = {
        name: {"Id": "a", "OptOut": choice, "EndpointStatus": status}[name] for name in columns
    }
    in_table = make_finder(columns, include_opted_out=False)(",".join(document.values()).encode())
    gone = opted_out(document.get("OptOut"), document.get("EndpointStatus"))
    assert (
        in_table
        == make_finder(None, include_opted_out=False)(json.dumps(document).encode())
        == (None if gone else "a")
    )


def test_a_profile_in_a_table_has_not_opted_out() -> None:
    assert make_finder(("ProfileId", "OptOut"), include_opted_out=False)(b"p,ALL") == "p"
    assert make_finder(("Id", "ProfileId", "OptOut"), include_opted_out=False)(b",p,ALL") == "p"


@pytest.mark.parametrize("row", [b"a\n", b"a,b,c\n", b'"a,b\n', b"\xff,b\n", b",b\n"])
def test_a_row_that_is_nobody_takes_no_place(row: bytes) -> None:
    assert make_finder(("Id", "OptOut"), include_opted_out=True)(row) is None
