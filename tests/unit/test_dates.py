"""model/dates.py: dates by the format that a feature spec gives."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model.dates import LONGEST_DATE, make_time_reader, read_format
from model.features import build_matrix, read_spec
from model.values import parse_time

JANUARY_30 = parse_time("2026-01-30")


@pytest.mark.parametrize(
    ("form", "value", "time"),
    [
        ("dd-mm-yyyy", "30-01-2026", "2026-01-30"),
        ("DD-MM-YYYY", "30-01-2026", "2026-01-30"),
        ("dd-mm-yyyy", ["30-1-2026", "no"], "2026-01-30"),
        ("dd.mm.yyyy", " 30.01.2026 14:05 ", "2026-01-30T14:05:00Z"),
        ("mm/dd/yyyy", "01/30/2026 02:05:09 PM", "2026-01-30T14:05:09Z"),
        ("mm/dd/yyyy", "1/30/2026 12:00 am", "2026-01-30"),
        ("mm/dd/yy", "1/30/26", "2026-01-30"),
        ("mm/dd/yy", "1/30/69", "1969-01-30"),
        ("yyyy/mm/dd", "2026/01/30T14:05:09.250Z", "2026-01-30T14:05:09Z"),
        ("ddmmyyyy", "30012026", "2026-01-30"),
        ("dd mm yyyy", "30 01 2026", "2026-01-30"),
        ("unix", JANUARY_30, "2026-01-30"),
        ("unix", str(int(JANUARY_30)), "2026-01-30"),
        ("unix_ms", JANUARY_30 * 1000, "2026-01-30"),
    ],
)
def test_reads_a_date_by_its_format(form: str, value: Any, time: str) -> None:
    assert make_time_reader(read_format(form))(value) == parse_time(time)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("dd-mm-yyyy", "2026-01-30"),
        ("dd-mm-yyyy", "30/01/2026"),
        ("dd-mm-yyyy", "31-02-2026"),
        ("dd-mm-yyyy", "30-01-26"),
        ("dd-mm-yyyy", "30-01-0000"),
        ("dd-mm-yyyy", "30-01-2026 25:00"),
        ("dd-mm-yyyy", "30-01-2026 13:00 PM"),
        ("dd-mm-yyyy", "30-01-2026 and more"),
        ("dd-mm-yyyy", "30-01-2026".replace("3", "\u0663")),
        ("dd-mm-yyyy", " " * LONGEST_DATE + "30-01-2026"),
        ("ddmmyyyy", "3012026"),
        ("dd-mm-yyyy", None),
        ("dd-mm-yyyy", {}),
        ("unix", "soon"),
        ("unix", JANUARY_30 * 1000),
        ("unix", math.inf),
    ],
)
def test_what_is_no_date_of_that_format_is_missing(form: str, value: Any) -> None:
    assert math.isnan(make_time_reader(form)(value))


@pytest.mark.parametrize(
    "form",
    [
        *("", "iso", "%d-%m-%Y", "dd-mm", "dd-dd-yyyy", "dd-mm/yyyy", "ddmmyy", "dd--mm--yyyy"),
        *(3, None, "d" * 10_000),
    ],
)
def test_another_format_is_refused_with_an_example(form: object) -> None:
    row = {"name": "f", "path": "Attributes.x", "kind": "age", "format": form}
    with pytest.raises(Exception, match=r"feature\[0\]: expected format to be dd, mm and yyyy in"):
        read_spec({"feature": [row]})


def test_only_dates_have_a_format() -> None:
    row = {"name": "f", "path": "Attributes.x", "kind": "number", "format": "unix"}
    with pytest.raises(Exception, match=r"expected format only for kind age"):
        read_spec({"feature": [row]})


def test_ages_of_every_format_are_the_same() -> None:
    forms = {"Attributes.a": "dd.mm.yyyy", "Attributes.b": "", "Metrics.c": "unix"}
    rows = [
        {"name": path, "path": path, "kind": "age", **({"format": form} if form else {})}
        for path, form in forms.items()
    ]
    document = {
        "Attributes": {"a": ["30.01.2026"], "b": ["2026-01-30"]},
        "Metrics": {"c": JANUARY_30},
    }
    matrix = build_matrix([document, {}], read_spec({"feature": rows}), JANUARY_30 + 86_400.0)
    assert matrix[0].tolist() == [1.0, 1.0, 1.0]
    assert not (matrix[1] == matrix[1]).any()
