"""Reads one cell of a table, or one field of a JSON object, as the kind of value that is meant.

Data platforms write whole numbers as 101, 101.0 or "101". Where text is meant, all are the text
101. Never raises for content.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from model.document_types import KNOWN_FIELDS
from model.missing import is_null_marker
from model.values import is_whole, parse_number

# The fields of a document, and of each of its groups, that hold text
COORDINATES = frozenset({"Latitude", "Longitude"})
TEXT_FIELDS = {group: known - COORDINATES for group, known in KNOWN_FIELDS.items()}
# A larger integer is no id. Python refuses to write a much larger one.
LONGEST_ID_BITS = 1024


def read_number(cell: Any) -> Any:
    """A number. None for a null marker and for a number that is not finite.

    Other text stays text, so that the document's check names it.
    """
    if isinstance(cell, str):
        if is_null_marker(cell):
            return None
        number = parse_number(cell)
        return cell if number is None else number
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def read_text(cell: Any) -> Any:
    """Text. Whole numbers become text: one missing value turns a column of ids into floats."""
    return cell if isinstance(cell, str) else write_whole(read_plain(cell))


def read_plain_id(text: str) -> str:
    """An id without the `.0` that data frames write behind whole numbers."""
    if text.endswith(".0") and text[:-2].isascii() and text[:-2].isdigit():
        return text[:-2]
    return text


def read_id_cell(cell: Any) -> Any:
    """An id or a postal code: 101.0 is 101 as a number, and as the text that a CSV file has."""
    text = read_text(cell)
    return read_plain_id(text) if isinstance(text, str) else text


def read_plain(cell: Any) -> Any:
    """The cell as it is. A Parquet struct has every field in each row; a None there is missing.

    So is NaN.
    """
    if isinstance(cell, dict):
        return {name: read_plain(field) for name, field in cell.items() if field is not None}
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def read_items(cell: Any) -> list[Any] | None:
    """The values that a cell adds to a list. None if it has none."""
    if isinstance(cell, list):
        return [item for item in map(read_plain, cell) if item is not None]
    item = read_plain(cell)
    return None if item is None else [item]


def write_whole(value: Any) -> Any:
    """A whole number as text; any other value as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() <= LONGEST_ID_BITS else value
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else value
    return str(int(value)) if isinstance(value, float) and is_whole(value) else value


def write_whole_numbers(document: dict[str, Any]) -> None:
    """Make text of the whole numbers in those fields of a document that hold text."""
    for group, known in TEXT_FIELDS.items():
        fields = document if group is None else document.get(group)
        if isinstance(fields, Mapping):
            for name, value in fields.items():
                if type(value) in {int, float} and name in known:
                    fields[name] = write_whole(value)  # type: ignore[index]  # JSON's are dicts
