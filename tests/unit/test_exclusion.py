"""function/exclusion.py: which rule excludes whom, and what nobody has."""

from __future__ import annotations

from typing import Any

import pytest

from function.exclusion import CONDITIONS, Exclude, exclude_people
from function.records import Endpoint

NOW = 1_700_000_000.0
OLD, NEW = "2020-01-01T00:00:00Z", "2023-11-14T00:00:00Z"


def rule(path: str, condition: str, wanted: Any, reason: str = "r") -> Exclude:
    return Exclude(path=path, reason=reason, condition=condition, wanted=wanted)


def person(**document: Any) -> Endpoint:
    return Endpoint(id="a", document=document)


CASES: list[tuple[Any, str, Any, bool]] = [
    (3, "at_least", 3, True),
    ("3", "at_least", 3, True),
    (2.9, "at_least", 3, False),
    (True, "at_least", 1, False),
    (["1", "4"], "at_least", 3, True),
    ("many", "at_least", 0, False),
    (None, "at_least", 0, False),
    (3, "at_most", 3, True),
    (4, "at_most", 3, False),
    ("no", "equals", "no", True),
    ("No", "equals", "no", False),
    (["yes", "no"], "equals", "no", True),
    ("3.0", "equals", 3, True),
    (101, "equals", "101", True),
    ("yes", "equals", True, True),
    (1, "equals", True, True),
    ("", "equals", False, False),
    ("DE", "one_of", ("AT", "DE"), True),
    ("FR", "one_of", ("AT", "DE"), False),
    (None, "missing", True, True),
    ("", "missing", True, True),
    ([], "missing", True, True),
    ("x", "missing", True, False),
    ("x", "missing", False, True),
    (None, "missing", False, False),
    (OLD, "older_than_days", 365, True),
    (NEW, "older_than_days", 365, False),
    ("soon", "older_than_days", 0, False),
    ({"deep": 1}, "equals", "1", False),
]


@pytest.mark.parametrize(("value", "condition", "wanted", "expected"), CASES)
def test_each_condition_applies_to_the_values_it_names(
    value: Any, condition: str, wanted: Any, expected: bool
) -> None:
    found = exclude_people(
        [person(Attributes={"X": value})], [rule("Attributes.X", condition, wanted)], NOW
    )
    assert list(found.rules) == ["r" if expected else ""]


def test_the_first_rule_that_applies_gives_the_reason() -> None:
    rules = [
        rule("Metrics.Mails", "at_least", 3, "cap"),
        rule("Attributes.Consent", "missing", True, "no_consent"),
    ]
    people = [person(Metrics={"Mails": 5}), person(), person(Attributes={"Consent": "y"})]
    assert list(exclude_people(people, rules, NOW).rules) == ["cap", "no_consent", ""]


def test_a_null_marker_is_missing_where_a_number_is_expected_and_text_elsewhere() -> None:
    people = [person(Metrics={"X": "NULL"}, Attributes={"X": "NULL"})]
    rules = [rule("Attributes.X", "missing", True, "a"), rule("Metrics.X", "missing", True, "m")]
    found = exclude_people(people, rules, NOW)
    assert list(found.rules) == ["m"]
    assert found.seen == {"Attributes.X": 1, "Metrics.X": 0}


def test_nobody_is_excluded_by_what_was_not_looked_up() -> None:
    rules = [rule("External.X", "missing", True)]
    unreadable = Endpoint(id="a", document={"External": {}}, problem="$: no")
    assert list(exclude_people([person()], rules, NOW, looked_up=False).rules) == [""]
    assert list(exclude_people([unreadable], rules, NOW).rules) == [""]
    assert list(exclude_people([person()], rules, NOW).rules) == ["r"]


def test_without_a_time_no_age_excludes_and_without_a_document_nothing_does() -> None:
    rules = [rule("EffectiveDate", "older_than_days", 1)]
    assert list(exclude_people([person(EffectiveDate=OLD)], rules, None).rules) == [""]
    missing = [rule("EffectiveDate", "missing", True)]
    assert list(exclude_people([Endpoint(id="a", document=None)], missing, NOW).rules) == [""]


def test_how_many_have_a_value_is_counted_once_a_person() -> None:
    rules = [rule("Metrics.X", "at_least", 3), rule("Metrics.X", "at_most", 1)]
    people = [person(Metrics={"X": 5}), person(Metrics={"X": 2}), person()]
    assert exclude_people(people, rules, NOW).seen == {"Metrics.X": 2}


def test_every_condition_has_a_case_here() -> None:
    assert {condition for _, condition, *_ in CASES} == set(CONDITIONS)
