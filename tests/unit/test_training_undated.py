"""model/training: dates that nothing says how to read, or what to measure against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from model.features import read_spec
from model.training.infer import infer_spec, write_features
from model.training.reference import describe_reference, find_recorded, record_reference
from model.training.undated import describe_undated, look_at_spec
from model.values import parse_time

PEOPLE = 200
PLAN = {"Plan": lambda index: ["free", "pro"][index % 2]}


def infer(make: Mapping[str, Callable[[int], Any]], *, dated: bool = True) -> Any:
    documents = [
        {"Id": f"p{index}", "Attributes": {name: [of(index)] for name, of in make.items()}}
        for index in range(PEOPLE)
    ]
    return infer_spec(documents, dated=dated)


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (lambda index: f"{index % 28 + 1}.12.2025", "dd.mm.yyyy"),
        (lambda index: f"{index % 28 + 1:02}-12-2025 10:00", "dd-mm-yyyy"),
        (lambda index: f"12/{index % 28 + 1}/2025", "mm/dd/yyyy"),
        (lambda index: f"12/{index % 28 + 1}/25 10:00", "mm/dd/yy"),
        (lambda index: f"2025/12/{index % 28 + 1}", "yyyy/mm/dd"),
        # Some days are above 12, so the other order reads fewer.
        (
            lambda index: f"{index % 12 + 1}/{13 if index % 8 == 0 else index % 12 + 1}/2025",
            "mm/dd/yyyy",
        ),
        (lambda index: str(1_700_000_000 + index * 86_400), "unix"),
        (lambda index: str(1_700_000_000_000 + index * 86_400_000), "unix_ms"),
    ],
)
def test_a_format_is_proposed_where_a_column_has_one(make: Any, form: str) -> None:
    inference = infer({"LastSeen": make, **PLAN})
    found = {feature.path: feature for feature in inference.spec.features}
    assert found["Attributes.LastSeen"].options == {"format": form}
    assert f'format = "{form}"' in write_features(inference)


def test_dates_whose_order_nothing_tells_are_named() -> None:
    inference = infer({"LastSeen": lambda index: f"0{index % 9 + 1}/0{index % 8 + 1}/2025", **PLAN})
    reason = dict(inference.left_out)["Attributes.LastSeen"]
    assert reason.startswith("dates that are dd/mm/yyyy or mm/dd/yyyy")
    assert "format" in reason


@pytest.mark.parametrize("name", ["CustomerNo", "Points"])
def test_large_numbers_without_the_name_of_a_time_stay_numbers_and_are_named(name: str) -> None:
    inference = infer({name: lambda index: str(1_700_000_000 + index * index * 977), **PLAN})
    assert [feature.kind for feature in inference.spec.features] == [
        "number" if feature.path.endswith(name) else "category"
        for feature in inference.spec.features
    ]
    assert "kind age reads with format unix" in dict(inference.doubts)[f"Attributes.{name}"]


def test_without_a_reference_time_the_notice_proposes_the_newest_date() -> None:
    days = {
        "Born": lambda index: f"19{index % 50 + 40}-03-01",
        "LastPurchase": lambda index: f"2025-12-{index % 28 + 1:02}",
        "ContractEnd": lambda index: f"2027-{index % 12 + 1:02}-01",
    }
    (notice,) = describe_undated(infer({**days, **PLAN}, dated=False).undated)
    assert notice.startswith("3 dates are left out, because nothing says what ages are measured")
    assert "--as-of 2025-12-26, the newest date at Attributes.LastPurchase" in notice
    assert "later dates: Attributes.ContractEnd 2027-11-01" in notice
    assert describe_undated(infer({**days, **PLAN}).undated) == []


def test_the_few_newest_dates_are_never_told() -> None:
    make = {"Last": lambda index: "2031-05-05" if index < 19 else "2025-12-01", **PLAN}
    (notice,) = describe_undated(infer(make, dated=False).undated)
    assert "--as-of 2025-12-01" in notice
    assert "2031" not in notice


def test_a_given_spec_proposes_a_time_too() -> None:
    row = {"name": "a", "path": "Attributes.x", "kind": "age", "format": "dd.mm.yyyy"}
    spec = read_spec({"feature": [row]})
    documents = [{"Attributes": {"x": "30.01.2026"}}] * 40
    (notice,) = describe_undated(look_at_spec(spec, documents))
    assert "--as-of 2026-01-30" in notice
    (notice,) = describe_undated(look_at_spec(spec, [{}]))
    assert notice.endswith("Pass --as-of TIME, the moment of the export")


def test_the_attributes_that_profiles_have_twice_are_one_line() -> None:
    documents = [
        {"Attributes": fields, "User": {"UserAttributes": dict(fields)}}
        for index in range(PEOPLE)
        for fields in [
            {"Plan": ["free", "pro"][index % 2], "Joined": f"2025-01-{index % 28 + 1:02}", "x": "x"}
        ]
    ]
    left_out = infer_spec(documents, dated=False).left_out
    assert [path for path, _ in left_out] == [
        "Attributes.Joined",
        "Attributes.x",
        "User.UserAttributes",
    ]
    assert dict(left_out)["User.UserAttributes"] == "3 attributes, each the same as in Attributes"


def test_the_reference_time_is_recorded_read_back_and_said() -> None:
    ages = read_spec({"feature": [{"name": "a", "path": "CreationDate", "kind": "age"}]})
    numbers = read_spec({"feature": [{"name": "n", "path": "Metrics.n", "kind": "number"}]})
    moment = parse_time("2026-01-31")
    assert record_reference(moment, numbers) == {}
    assert describe_reference({}) == ""
    recorded = record_reference(moment, ages)
    assert recorded == {"as_of": "2026-01-31T00:00:00Z"}
    assert find_recorded(recorded) == moment
    assert describe_reference(recorded) == "ages as of 2026-01-31"
    dated = record_reference(None, ages)
    assert find_recorded(dated) is None
    assert describe_reference(dated) == "ages as of the date of each outcome"
    for old in ({}, {"as_of": 3}, {"as_of": "soon"}):
        assert find_recorded(old) is None
