"""Every line of a CSV file is in exactly one row, whatever quotes are missing."""

from __future__ import annotations

import csv
import io
import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from model.people.columns import RecordError
from model.people.files import PeopleFile
from model.people.records import make_decoder
from model.people.rows import count_cells
from segment_scorer.runner.reading.batches import cut_slices, make_finder

HEADER = b"Id,ChannelType,Attributes.Name\n"
CELLS = st.sampled_from(
    [
        b"",
        b"x",
        b'"',
        b'""',
        b'"x',
        b'x"',
        b'"x"',
        b'"x,y"',
        b'"x\ny"',
        b'"\n\n"',
        b'a"b"',
        b"\n",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\r",
    ]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(b",".join), max_size=30).map(b"\n".join)
WHOLE_CELLS = st.lists(
    st.text(st.sampled_from('x, "\n\r\u00e9'), max_size=8), min_size=2, max_size=2
)


def read_rows(content: bytes) -> list[tuple[int, bytes]]:
    with PeopleFile("people.csv", io.BytesIO(HEADER + content)) as file:
        assert file.header == ("Id", "ChannelType", "Attributes.Name")
        return list(file)


@given(ROWS)
@example(b'a,"b\n' + b"c,d,e\n" * 9)
@example(b'"\n\nx,y,z')
def test_no_line_is_lost_or_doubled_and_each_row_has_the_number_of_its_first(
    content: bytes,
) -> None:
    lines = list(io.BytesIO(HEADER + content))
    at = 1
    for number, row in read_rows(content):
        assert all(line.isspace() for line in lines[at : number - 1]), (
            "only blank lines are left out"
        )
        at = number - 1 + len(list(io.BytesIO(row)))
        assert b"".join(lines[number - 1 : at]) == row
    assert all(line.isspace() for line in lines[at:])


@given(ROWS)
def test_a_row_of_several_lines_is_a_person(content: bytes) -> None:
    decode = make_decoder(("Id", "ChannelType", "Attributes.Name"))
    for _, row in read_rows(content):
        if row.count(b"\n") > 1:
            assert count_cells(row) == (3, True)
            problem = ""
            try:
                decode(row)
            except RecordError as error:
                problem = str(error)
            assert problem in {
                "",
                "expected UTF-8",
                "$.Id: expected text or a whole number, found none",
            }


@given(ROWS, st.integers(0, 3))
def test_pieces_hold_the_same_rows_as_the_whole(content: bytes, begun: int) -> None:
    rows = read_rows(content)
    finder = make_finder(("Id", "ChannelType", "Attributes.Name"), include_opted_out=False)
    pieces = list(cut_slices(rows, finder))
    again = list(itertools.islice(cut_slices(read_rows(content), finder), begun, None))
    assert [
        row for piece in pieces for row in zip(piece.numbers, piece.records, strict=True)
    ] == rows
    assert again == pieces[begun:], (
        "a run that goes on skips what it has, and meets the rest as it was"
    )


@given(st.lists(WHOLE_CELLS, max_size=12))
def test_rows_that_a_csv_writer_wrote_come_back_cell_by_cell(cells: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    rows = [[f"p{index}", *row] for index, row in enumerate(cells)]
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    read = [
        next(csv.reader([row.decode()], strict=True))
        for _, row in read_rows(text.getvalue().encode())
    ]
    assert read == rows
