"""The report's section on what a journey of Amazon Connect reads."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.journey import describe_journey
from segment_scorer.runner.reporting.statistics import RawGroup, Statistics
from segment_scorer.runner.summary import Status, UnsentReason

CONNECT = RunConfig(
    host="connect", scheduled_time="t", activity_id="a", knows_decisions=True, mode="filter"
)
KEPT, LEFT = Status.KEPT, Status.FILTERED
HIGH: RawGroup = ("SMS", "DE", "high", Reason.SCORE, KEPT, True)
LOW: RawGroup = ("SMS", "DE", "", Reason.SCORE, LEFT, False)
HELD: RawGroup = ("SMS", "DE", "high", Reason.HOLDOUT, LEFT, True)
UNREADABLE: RawGroup = ("SMS", "DE", "", Reason.UNREADABLE, KEPT, True)
PEOPLE = [(HIGH, 0.9)] * 30 + [(LOW, 0.1)] * 50 + [(HELD, 0.8)] * 12 + [(UNREADABLE, None)] * 8


def describe(
    people: list[tuple[RawGroup, float | None]], config: RunConfig = CONNECT, failed: int = 0
) -> dict[str, Any]:
    statistics = Statistics()
    statistics.add_people([group for group, _ in people], [score for _, score in people])
    described = describe_journey(config, statistics, failed=failed)
    assert described is not None
    return described


def rows_of(described: dict[str, Any], field: str) -> list[tuple[str, int, str, int]]:
    return [
        (row["value"], row["people"], row["share"], row["kept"])
        for row in described["rows"]
        if row["field"] == field
    ]


def test_every_field_has_its_values_with_people_shares_and_how_many_of_them_are_kept() -> None:
    described = describe(PEOPLE)
    assert rows_of(described, "decision") == [("drop", 62, "62.0 %", 0), ("keep", 38, "38.0 %", 38)]
    assert rows_of(described, "selected") == [
        ("false", 50, "50.0 %", 0),
        ("true", 50, "50.0 %", 38),
    ]
    assert rows_of(described, "holdout") == [("false", 88, "88.0 %", 38), ("true", 12, "12.0 %", 0)]
    assert rows_of(described, "reason") == [
        ("score", 80, "80.0 %", 30),
        ("holdout", 12, "12.0 %", 0),
        ("unreadable", 8, "8.0 %", 8),
    ]
    assert rows_of(described, "band") == [("null", 58, "58.0 %", 8), ("high", 42, "42.0 %", 30)]
    assert rows_of(described, "score") == [
        ("a number", 92, "92.0 %", 30),
        ("null", 8, "8.0 %", 8),
    ]


def test_the_sentence_counts_the_branches_of_a_journey() -> None:
    described = describe(PEOPLE, failed=25)
    assert described["sentence"] == (
        "A journey that compares $.LambdaInvocation.ResultData.decision messages 38 of 125 "
        "profiles (30.4 %): 62 read drop, and 25 take the action's error branch."
    )
    (note,) = described["notes"]
    assert note.startswith("Without a valid result after 3 attempts: 25 people.")
    assert describe([])["sentence"] == ""


def test_in_mode_shadow_a_journey_can_branch_on_nothing() -> None:
    people = [((*group[:4], KEPT, group[5]), score) for group, score in PEOPLE]
    described = describe(people, replace(CONNECT, mode="shadow"))
    for field, value in {
        "decision": "keep",
        "selected": "null",
        "holdout": "false",
        "reason": "shadow",
        "band": "null",
        "score": "null",
    }.items():
        assert rows_of(described, field) == [(value, 100, "100.0 %", 100)]


def test_people_whom_a_journey_would_treat_otherwise_are_not_counted_and_said() -> None:
    others = [
        (("SMS", "DE", "high", reason, LEFT, False), None)
        for reason in (UnsentReason.BUDGET, UnsentReason.ONE_PER_USER, UnsentReason.OPTED_OUT)
    ]
    described = describe([*PEOPLE, *others])
    assert described["rows"] == describe(PEOPLE)["rows"]
    unsent, chosen = described["notes"]
    assert unsent.startswith("Not sent to the function: 1 person.")
    assert chosen.startswith(
        "Left out by --budget or --one-per after the function answered: 2 people."
    )


def test_bands_of_a_few_profiles_are_added_up() -> None:
    few = [(("SMS", "DE", f"b{n}", Reason.SCORE, KEPT, True), 0.9) for n in range(12)]
    assert rows_of(describe([*PEOPLE, *few]), "band") == [
        ("null", 58, "51.8 %", 8),
        ("high", 42, "37.5 %", 30),
        ("all others", 12, "10.7 %", 12),
    ]


@pytest.mark.parametrize("host", ["pinpoint", "web"])
def test_other_hosts_have_no_journey(host: str) -> None:
    assert describe_journey(replace(CONNECT, host=host), Statistics(), failed=0) is None
