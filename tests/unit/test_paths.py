"""model/paths.py: what is read of a document decides whether it can be used."""

from __future__ import annotations

from typing import Any

import pytest

from model.document import is_typed
from model.paths import compile_paths, find_problem, find_user

READ = compile_paths(
    [
        "Metrics.visits",
        "Attributes.a",
        "User.UserAttributes.a.b",
        "User.UserId",
        "Location.Latitude",
        "Location.PostalCode",
        "Demographic.Make",
        "ChannelType",
        "External.x",
        "Attributes",
    ]
)


USABLE: list[dict[str, Any]] = [
    {},
    {"Attributes": None, "Metrics": None, "User": None, "Location": None, "ChannelType": None},
    {"Attributes": {"a": "a scalar", "b": ["x", 5, True, None], "c": 0.5, "d": None}},
    {"Attributes": {"a": ["x", 5, True, None, 0.5]}},
    {"User": {"UserAttributes": {"a.b": "a scalar"}}},
    {"Metrics": {"visits": 12}},
    {"Metrics": {"visits": None}},
    {"Metrics": {"visits": " 12.5 "}},
    {"Metrics": {"visits": "NULL"}},
    {"Metrics": {"visits": "1e400"}},
    {"Metrics": {"visits": 10**400}},
    {"Metrics": {"visits": float("nan")}},
    {"Location": {"Latitude": 51, "PostalCode": 10115.0}},
    {"User": {"UserId": 101}},
    {"ChannelType": 5},
    {"External": "whatever"},
    # Nothing reads these.
    {"Metrics": {"Foo": "lots", "Bar": [1], "Baz": {}}},
    {"Location": {"City": {}, "Longitude": "west"}, "Address": [], "OptOut": {}},
    {"User": {"UserAttributes": {"a": {}}, "Unknown": [{"er": 1}]}},
    {"Unknown": {"deep": [{"er": 1}]}, "Demographic": {"Unknown": [1]}},
    {"Attributes": {f"a{index}": ["x"] for index in range(10_000)}},
]


@pytest.mark.parametrize("document", USABLE)
def test_what_is_missing_scalar_or_not_read_is_tolerated(document: dict[str, Any]) -> None:
    assert find_problem(document, READ) is None


ATTRIBUTE = "text, a number, true, false, or a list of them"
PROBLEMS: list[tuple[Any, str]] = [
    (None, "$: expected an object, found null"),
    ([], "$: expected an object, found a list"),
    ("text", "$: expected an object, found text"),
    ({"Metrics": {"visits": "12 apples"}}, "$.Metrics.visits: expected a number, found text"),
    ({"Metrics": {"visits": "1" * 65}}, "$.Metrics.visits: expected a number, found text"),
    ({"Metrics": {"visits": True}}, "$.Metrics.visits: expected a number, found true or false"),
    ({"Metrics": {"visits": [1]}}, "$.Metrics.visits: expected a number, found a list"),
    ({"Metrics": [1]}, "$.Metrics: expected an object, found a list"),
    ({"Attributes": {"a": {"b": "c"}}}, f"$.Attributes.a: expected {ATTRIBUTE}, found an object"),
    ({"Attributes": {"a": [["b"]]}}, f"$.Attributes.a: expected {ATTRIBUTE}, found a list"),
    ({"User": {"UserAttributes": 1}}, "$.User.UserAttributes: expected an object, found a number"),
    ({"User": "someone"}, "$.User: expected an object, found text"),
    ({"User": {"UserId": 5.5}}, "$.User.UserId: expected text, found a number"),
    ({"User": {"UserId": 10**400}}, "$.User.UserId: expected text, found a number"),
    ({"User": {"UserId": True}}, "$.User.UserId: expected text, found true or false"),
    ({"Location": {"Latitude": "51 N"}}, "$.Location.Latitude: expected a number, found text"),
    ({"Demographic": {"Make": []}}, "$.Demographic.Make: expected text, found a list"),
    ({"ChannelType": ["SMS"]}, "$.ChannelType: expected text, found a list"),
    ({"Attributes": "text"}, "$.Attributes: expected an object, found text"),
]


@pytest.mark.parametrize(("document", "sentence"), PROBLEMS)
def test_a_problem_says_where_what_was_expected_and_what_kind_was_found(
    document: Any, sentence: str
) -> None:
    assert find_problem(document, READ) == sentence
    assert not is_typed(document)


@pytest.mark.parametrize(("document", "_"), PROBLEMS[3:])
def test_the_same_document_has_no_problem_where_nothing_reads_it(
    document: dict[str, Any], _: str
) -> None:
    assert find_problem(document, ()) is None


@pytest.mark.parametrize(
    ("user_id", "text"),
    [
        ("u", "u"),
        ("", None),
        (None, None),
        (101, "101"),
        (101.0, "101"),
        (10**18 + 1, "1000000000000000001"),
        (101.5, None),
        (True, None),
        (["u"], None),
        (10**400, None),
        (float("inf"), None),
    ],
)
def test_a_whole_number_is_a_users_id_as_text(user_id: Any, text: str | None) -> None:
    assert find_user({"User": {"UserId": user_id}}) == text


@pytest.mark.parametrize("document", [None, [], "u", {}, {"User": "u"}, {"User": ["UserId"]}])
def test_a_document_without_a_user_has_none(document: Any) -> None:
    assert find_user(document) is None
