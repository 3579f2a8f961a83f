"""Sums of what the walker saw."""

from __future__ import annotations

import json
from typing import Any

import pytest

from segment_scorer.runner.reporting.statistics import (
    FALLBACK_USED,
    NO_EXTERNAL,
    NO_SCORES,
    Statistics,
    bucket_of,
    seconds_of,
)


def log_line(**more: Any) -> str:
    return json.dumps({"message": "batch", "model": "m@1", **more}, separators=(",", ":"))


def test_tallies_of_blocks_add_up_to_the_tally_of_the_whole_and_survive_the_ledger() -> None:
    rows = [
        ("SMS", "DE", "", "score", "kept", True),
        ("EMAIL", "FR", "gold", "score", "filtered", False),
    ] * 3
    scores = [0.5, 0.25] * 3
    whole, parts = Statistics(), Statistics()
    whole.add_people(rows, scores)
    whole.add_times([0.001, 0.1])
    whole.add_columns({"Id": 1, "Attributes.a": 3})
    whole.add_log(
        [
            log_line(error="ScorerTimeout"),
            log_line(error="ScorerTimeout", feature_bins={"a": [1, 2]}),
        ]
    )
    for piece in (slice(0, 2), slice(2, 6)):
        part = Statistics()
        part.add_people(rows[piece], scores[piece])
        parts.add(part)
    pieces: list[tuple[float, dict[str, int], dict[str, Any]]] = [
        (0.001, {"Id": 1, "Attributes.a": 3}, {"feature_bins": {"a": [1, 2]}}),
        (0.1, {"Attributes.a": 2}, {}),
    ]
    for seconds, columns, logged in pieces:
        part = Statistics()
        part.add_log([log_line(error="ScorerTimeout", **logged)])
        part.add_times([seconds])
        part.add_columns(columns)
        parts.add(Statistics.from_data(part.to_data()))
    assert parts.to_data() == whole.to_data()


@pytest.mark.parametrize("seconds", [0.0001, 0.003, 0.5, 15.0])
def test_a_time_is_known_within_12_percent(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.06)


@pytest.mark.parametrize(
    ("logged", "failures"),
    [
        ({"error": None}, {}),
        ({"error": "ScorerUnavailable", "unscored": 50}, {(NO_SCORES, "ScorerUnavailable"): 1}),
        ({"error": "ScorerTimeout", "fallback_used": 1}, {(FALLBACK_USED, "ScorerTimeout"): 1}),
        (
            {"error": None, "external_error": "ExternalTimeout"},
            {(NO_EXTERNAL, "ExternalTimeout"): 1},
        ),
        (
            {"error": "ExternalRejected", "external_error": "ExternalRejected"},
            {(NO_SCORES, "ExternalRejected"): 1, (NO_EXTERNAL, "ExternalRejected"): 1},
        ),
    ],
)
def test_errors_are_counted_from_the_log_with_or_without_bins(
    logged: dict[str, Any], failures: dict[tuple[str, str], int]
) -> None:
    for bins in ({}, {"feature_bins": {"a": [1, 2]}}):
        statistics = Statistics()
        statistics.add_log([log_line(**logged, **bins), '{"message":"another"}', "no JSON"])
        assert statistics.failures == failures
        assert statistics.batches == len(bins)


@pytest.mark.parametrize(
    ("score", "bucket"),
    [(0.58, 5800), (0.29, 2900), (0.2999999, 2999), (0.299995, 2999), (1.0, 10_000), (0.0, 0)],
)
def test_a_score_is_never_rounded_up_over_a_threshold(score: float, bucket: int) -> None:
    statistics = Statistics()
    statistics.add_people([("SMS", "DE", "", "score", "kept", True)], [score])
    assert statistics.scores == {bucket: 1}


@pytest.mark.parametrize("decimals", [1, 2, 4])
def test_every_score_of_up_to_4_decimals_has_its_own_bucket(decimals: int) -> None:
    scores = [number / 10**decimals for number in range(10**decimals + 1)]
    statistics = Statistics()
    statistics.add_people([("SMS", "DE", "", "score", "kept", True)] * len(scores), scores)
    assert list(statistics.scores) == list(range(0, 10_001, 10 ** (4 - decimals)))
