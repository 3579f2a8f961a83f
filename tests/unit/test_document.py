"""model/document.py: which endpoint documents are usable, and what of the others can be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.document import clean_value, find_problem, inspect_document

EVENTS = Path(__file__).parents[1] / "events"


@pytest.mark.parametrize("name", ["pinpoint.json", "pinpoint-documentation.json"])
def test_every_endpoint_of_a_recorded_event_is_usable(name: str) -> None:
    for endpoint in json.loads((EVENTS / name).read_text("utf-8"))["Endpoints"].values():
        assert find_problem(endpoint) is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        {
            "Attributes": None,
            "Metrics": None,
            "User": None,
            "Location": None,
            "Demographic": None,
            "Address": None,
        },
        {"Attributes": {"a": "a scalar", "b": ["x", 5, True, None], "c": 0.5, "d": None}},
        {"User": {"UserAttributes": {"a": "a scalar"}}},
        {"Metrics": {"visits": 12, "share": 0.5, "unknown": None}},
        {"Location": {"Latitude": 51, "Longitude": -0.1}},
        {"Unknown": {"deep": [{"er": 1}]}, "Demographic": {"Unknown": [1]}},
        {"Attributes": {f"a{index}": ["x"] for index in range(1_000)}},
    ],
)
def test_what_may_be_missing_scalar_or_unknown_is_tolerated(document: dict[str, Any]) -> None:
    assert find_problem(document) is None


WHOLE = "$: Expected finite numbers and moderate depth in undocumented fields"
PROBLEMS: list[tuple[Any, str]] = [
    (None, "$: Expected `object`, got `null`"),
    ([], "$: Expected `object`, got `array`"),
    ("text", "$: Expected `object`, got `str`"),
    ({"Metrics": {"visits": "12"}}, "$.Metrics[...]: Expected `float | null`, got `str`"),
    ({"Metrics": {"visits": "NaN"}}, "$.Metrics[...]: Expected `float | null`, got `str`"),
    ({"Metrics": {"visits": True}}, "$.Metrics[...]: Expected `float | null`, got `bool`"),
    (
        {"Metrics": {"visits": json.loads("1e400")}},
        "$.Metrics[...]: Expected `float` <= 1.7976931348623157e+308",
    ),
    (
        {"Metrics": {"visits": json.loads("NaN")}},
        "$.Metrics[...]: Expected `float` >= -1.7976931348623157e+308",
    ),
    ({"Metrics": {"visits": 10**400}}, "$.Metrics[...]: Number out of range"),
    ({"Metrics": [1]}, "$.Metrics: Expected `object | null`, got `array`"),
    (
        {"Attributes": {"a": {"b": "c"}}},
        "$.Attributes[...]: Expected `bool | int | float | str | array | null`, got `object`",
    ),
    (
        {"Attributes": {"a": [["b"]]}},
        "$.Attributes[...][0]: Expected `bool | int | float | str | null`, got `array`",
    ),
    (
        {"Attributes": {f"a{index}": ["x"] for index in range(10_000)}},
        "$.Attributes: Expected `object` of length <= 1000",
    ),
    ({"Address": 5}, "$.Address: Expected `str | null`, got `int`"),
    ({"User": "someone"}, "$.User: Expected `object | null`, got `str`"),
    ({"User": {"UserId": 5}}, "$.User.UserId: Expected `str | null`, got `int`"),
    ({"Location": {"Latitude": "51"}}, "$.Location.Latitude: Expected `float | null`, got `str`"),
    ({"Address": "\ud800"}, "$: Expected text that UTF-8 can encode"),
    ({"Attributes": {"\udfff": ["x"]}}, "$: Expected text that UTF-8 can encode"),
    ({"Unknown": ["\ud800"]}, "$: Expected text that UTF-8 can encode"),
    ({"Unknown": {"a": [float("inf")]}}, WHOLE),
    ({"User": {"Unknown": float("nan")}}, WHOLE),
    ({"Unknown": json.loads("[" * 40 + "]" * 40)}, WHOLE),
    ({"Unknown": 2**1024}, WHOLE),
]


@pytest.mark.parametrize(("document", "sentence"), PROBLEMS)
def test_a_problem_says_where_and_what_was_expected_and_no_value(
    document: Any, sentence: str
) -> None:
    assert inspect_document(document) == (sentence, 0)


def test_a_document_too_deep_for_python_is_a_problem_and_no_crash() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert find_problem(deep) is not None


def test_the_size_is_that_of_compact_utf8_json() -> None:
    document = {"Address": "é", "Metrics": {"a": 0.5}, "Attributes": {"b": ["c", "d"]}}
    assert inspect_document(document)[1] == len(
        json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    )


CLEANED: list[tuple[Any, Any, int]] = [
    ({"a": 1, "b": float("nan")}, {"a": 1}, 1),
    ({"a": [1, float("inf"), "x"]}, {"a": [1, "x"]}, 1),
    ({"a": "\ud800", "\ud800": "a", "b": ["\udfff"]}, {"b": []}, 3),
    ({"a": 2**1024, "b": 2**1023}, {"b": 2**1023}, 1),
    ({"a": {"b": {"c": float("-inf"), "d": None}}}, {"a": {"b": {"d": None}}}, 1),
    ({"a": {1, 2}, "b": b"x", "c": True}, {"c": True}, 2),
    ({5: "a"}, {}, 1),
    ([1.5, float("nan")], [1.5], 1),
]


@pytest.mark.parametrize(("value", "copy", "lost"), CLEANED)
def test_what_json_in_utf8_cannot_carry_is_left_out_and_counted(
    value: Any, copy: Any, lost: int
) -> None:
    assert clean_value(value) == (copy, lost)


def test_what_is_nested_deeper_than_32_levels_is_left_out() -> None:
    copy, lost = clean_value(json.loads("[" * 40 + "]" * 40))
    assert (json.dumps(copy), lost) == ("[" * 33 + "]" * 33, 1)


def test_the_value_itself_is_not_changed() -> None:
    value = {"a": [float("inf")], "b": "\ud800"}
    clean_value(value)
    assert value == {"a": [float("inf")], "b": "\ud800"}
