"""Sums over people and batches."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from function.errors import (
    ExternalRejected,
    ExternalTimeout,
    ScorerTimeout,
    ScorerUnavailable,
)
from function.records import Account, Batch, Context, Endpoint, Reason, Scored
from segment_scorer.runner.reporting.statistics import (
    FALLBACK_USED,
    NO_EXTERNAL,
    NO_SCORES,
    Group,
    RawGroup,
    Statistics,
    find_bucket,
    find_middle,
)
from segment_scorer.runner.summary import Status, UnsentReason
from tests.fake_hooks import account_of
from tests.fakes import make_account

KEPT, FILTERED = Status.KEPT, Status.FILTERED
DECIDED: RawGroup = ("SMS", "DE", "", Reason.SCORE, KEPT, True)


def account(**changes: Any) -> Account:
    return account_of({}, **changes)


def test_statistics_of_chunks_add_up_to_those_of_the_whole_and_survive_the_checkpoint() -> None:
    groups: list[RawGroup] = [
        DECIDED,
        ("EMAIL", "FR", "gold", Reason.SCORE, FILTERED, False),
    ] * 3
    scores = [0.5, 0.25] * 3
    failed = {"error": ScorerTimeout()}
    whole, parts = Statistics(), Statistics()
    whole.add_people(groups, scores)
    whole.add_times([0.001, 0.1])
    whole.add_columns({"Id": 1, "Attributes.a": 3})
    whole.add_account(account(**failed, feature_bins={"a": [1, 2]}))
    whole.add_account(account(**failed))
    whole.add_problem("odd", 2)
    for piece in (slice(0, 2), slice(2, 6)):
        part = Statistics()
        part.add_people(groups[piece], scores[piece])
        parts.add(part)
    pieces: list[tuple[float, dict[str, int], dict[str, Any]]] = [
        (0.001, {"Id": 1, "Attributes.a": 3}, {"feature_bins": {"a": [1, 2]}}),
        (0.1, {"Attributes.a": 2}, {}),
    ]
    for seconds, columns, bins in pieces:
        part = Statistics()
        part.add_account(account(**failed, **bins))
        part.add_times([seconds])
        part.add_columns(columns)
        part.add_problem("odd")
        written = msgspec.json.encode(part.to_data())
        parts.add(Statistics.from_data(msgspec.json.decode(written)))
    assert parts.to_data() == whole.to_data()


def test_read_statistics_hold_enums_again() -> None:
    statistics = Statistics()
    statistics.add_people([("SMS", "DE", "", UnsentReason.OPTED_OUT, FILTERED, False)], [None])
    written = msgspec.json.decode(msgspec.json.encode(statistics.to_data()))
    (group,) = Statistics.from_data(written).people
    assert group.reason is UnsentReason.OPTED_OUT
    assert group.status is FILTERED


@pytest.mark.parametrize("seconds", [0.0001, 0.003, 0.5, 15.0])
def test_a_time_is_known_within_12_percent(seconds: float) -> None:
    assert find_middle(find_bucket(seconds)) == pytest.approx(seconds, rel=0.06)


SCORED = Scored(scores=np.array([0.5]), label="m@1")


def test_the_number_of_different_sentences_of_failures_is_bounded() -> None:
    statistics = Statistics()
    for index in range(1_000):
        statistics.add_account(account(error=ScorerUnavailable(f"cause {index}")))
    assert len(statistics.failures) == 21
    assert statistics.failures[NO_SCORES, "ScorerUnavailable"] == 980


@pytest.mark.parametrize(
    ("changes", "failures"),
    [
        ({"scored": SCORED}, {}),
        ({"error": ScorerUnavailable()}, {(NO_SCORES, "ScorerUnavailable"): 1}),
        (
            {"scored": replace(SCORED, first_error="ScorerTimeout", cause="too late")},
            {(FALLBACK_USED, "ScorerTimeout: too late"): 1},
        ),
        (
            {"scored": SCORED, "external_error": ExternalTimeout()},
            {(NO_EXTERNAL, "ExternalTimeout"): 1},
        ),
        (
            {"error": ExternalRejected(), "external_error": ExternalRejected()},
            {(NO_SCORES, "ExternalRejected"): 1, (NO_EXTERNAL, "ExternalRejected"): 1},
        ),
    ],
)
def test_counts_the_errors_of_an_account_with_or_without_bins(
    changes: dict[str, Any], failures: dict[tuple[str, str], int]
) -> None:
    for bins in ({}, {"feature_bins": {"a": [1, 2]}}):
        statistics = Statistics()
        statistics.add_account(account(**changes, **bins))
        assert statistics.failures == failures
        assert statistics.batches == len(bins)


@pytest.mark.parametrize(
    "problem", ["$.Endpoints[%d].Metrics.m: bad", "$.Items.CustomerProfiles[%d].Metrics.m: bad"]
)
def test_counts_the_problems_of_unreadable_endpoints_without_their_position(problem: str) -> None:
    endpoints = tuple(
        Endpoint(id=str(n), document=None, problem=problem % n if n % 2 else None)
        for n in range(50)
    )
    batch = Batch(host="pinpoint", context=Context(), endpoints=endpoints)
    statistics = Statistics()
    statistics.add_unreadable(make_account(batch, []))
    assert statistics.unreadable == {"$.Metrics.m: bad": 25}


def test_the_number_of_different_problems_is_bounded() -> None:
    statistics = Statistics()
    for number in range(1_000):
        statistics.add_problem(f"problem {number}")
    assert len(statistics.unreadable) <= 21
    assert statistics.unreadable.total() == 1_000


@pytest.mark.parametrize(
    ("score", "bucket"),
    [(0.58, 5800), (0.29, 2900), (0.2999999, 2999), (0.299995, 2999), (1.0, 10_000), (0.0, 0)],
)
def test_a_score_is_never_rounded_up_over_a_threshold(score: float, bucket: int) -> None:
    statistics = Statistics()
    statistics.add_people([DECIDED], [score])
    assert statistics.scores == {bucket: 1}


@pytest.mark.parametrize("decimals", [1, 2, 4])
def test_every_score_of_up_to_4_decimals_has_its_own_bucket(decimals: int) -> None:
    scores = [number / 10**decimals for number in range(10**decimals + 1)]
    statistics = Statistics()
    statistics.add_people([DECIDED] * len(scores), scores)
    assert list(statistics.scores) == list(range(0, 10_001, 10 ** (4 - decimals)))


def test_how_many_the_rules_select_outlives_a_choice_and_a_checkpoint() -> None:
    statistics = Statistics()
    group = Group("SMS", "DE", "", Reason.SCORE, Status.KEPT, True)
    statistics.people[group] = statistics.scored[group] = 5
    assert statistics.count_selected() == 5
    statistics.note_selected()
    moved = group._replace(selected=False, reason=UnsentReason.BUDGET)
    statistics.scored = Counter({moved: 5})
    again = Statistics.from_data(statistics.to_data())
    assert again.count_selected() == 5
