"""model/document.py: documents of the documented types, and what of others can be sent back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.document import clean_value, inspect_document, is_typed, measure_documents

EVENTS = Path(__file__).parents[1] / "events"


@pytest.mark.parametrize("name", ["pinpoint.json", "pinpoint-documentation.json"])
def test_every_endpoint_of_a_recorded_event_is_as_documented(name: str) -> None:
    for endpoint in json.loads((EVENTS / name).read_text("utf-8"))["Endpoints"].values():
        assert is_typed(endpoint)


def test_a_document_too_deep_for_python_is_no_crash() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert inspect_document(deep).lost == 1


def test_the_size_is_that_of_compact_utf8_json_or_larger() -> None:
    document = {"Address": "é", "Metrics": {"a": 0.5}, "Attributes": {"b": ["c", "d"]}}
    compact = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    assert inspect_document(document).size >= compact
    assert measure_documents({"é": document}) == compact + len('{"é":}'.encode())


@pytest.mark.parametrize(
    "document",
    [
        {"Metrics": {"a": "text"}},
        {"Metrics": {"a": float("nan")}},
        {"Metrics": {"a": 10**400}},
        {"Address": "\ud800"},
        {"Unknown": 1},
        {"User": {"Unknown": 1}},
        None,
    ],
)
def test_only_documents_of_known_fields_and_types_pass_the_fast_proof(document: Any) -> None:
    assert measure_documents({"a": {"Metrics": {"a": 1}}}) is not None
    assert measure_documents({"a": {"Metrics": {"a": 1}}, "b": document}) is None


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
