"""What the report says, before it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec.structs
import pytest

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.report import load_vega
from segment_scorer.runner.reporting.report_data import (
    describe_drift,
    describe_times,
    gather_report,
)
from segment_scorer.runner.reporting.rows import count_filtered, sum_groups
from segment_scorer.runner.reporting.statistics import AnyReason, Group, RawGroup, Statistics
from segment_scorer.runner.summary import Status, Summary
from segment_scorer.runner.writing.checkpoint import Checkpoint

BLIND = RunConfig(scheduled_time="t", activity_id="a")
SEEING = RunConfig(
    scheduled_time="t",
    activity_id="a",
    knows_decisions=True,
    in_process=True,
    threshold=0.5,
    keep="at_least",
    model="m@1",
    mode="filter",
    on_error="keep",
)
ANNOTATING = msgspec.structs.replace(SEEING, mode="annotate")
CONNECT = RunConfig(
    scheduled_time="t", activity_id="a", host="connect", knows_decisions=True
)  # behind an address
BELOW = msgspec.structs.replace(SEEING, keep="below")
# A person: group and score.
Invented = tuple[RawGroup, float | None]


def one(
    reason: AnyReason,
    status: Status,
    score: float | None,
    *,
    keep: bool | None = None,
    channel: str = "SMS",
) -> Invented:
    keep = status == Status.KEPT if keep is None else keep
    return (channel, "DE", "", reason, status, keep), score


def checkpoint_of(config: RunConfig, *people: Invented) -> Checkpoint:
    checkpoint = Checkpoint({}, [], [], config)
    checkpoint.statistics.add_people([row for row, _ in people], [score for _, score in people])
    return checkpoint


def gather(config: RunConfig, *people: Invented, **more: object) -> dict[str, Any]:
    return gather_report(summary_of(**more), checkpoint_of(config, *people), None, rehearsal=False)


def summary_of(**more: object) -> Summary:
    whole = dict.fromkeys(
        [
            *("received", "kept", "filtered", "failed", "opted_out", "rejected"),
            *("batches", "attempts", "users"),
        ],
        0,
    )
    unknown = dict.fromkeys(
        [
            *("held_out", "unreadable", "unscored", "sparse", "would_filter", "model", "mode"),
            *("threshold", "keep", "holdout_percent", "holdout_salt_digest", "policy_digest"),
        ]
    )
    return Summary(
        **{**whole, **unknown, "seconds": 1.0, "scheduled_time": "t", "host": "pinpoint", **more}
    )  # type: ignore[arg-type]


def test_expected_responses_are_the_sum_of_scores() -> None:
    data = gather(
        SEEING,
        *[one(Reason.SCORE, Status.KEPT, 0.75)] * 40,
        *[one(Reason.SCORE, Status.FILTERED, 0.25)] * 40,
        one(Reason.NO_SCORES, Status.KEPT, None),
        held_out=0,
    )
    assert data["expected"] == {"kept": 30, "all": 40}
    assert "40 responses are expected" in " ".join(data["story"])
    assert "30 of them from those messaged" in " ".join(data["story"])
    explorer = data["explorer"]
    assert explorer["scores"] == [(2500, 40), (7500, 40)]
    assert (explorer["fixed"], explorer["threshold"]) == (1, 0.5)
    assert explorer["start"] == {"reach": 41, "expected": 30.0}
    assert data["filtered"] == [{"reason": "score too low", "people": 40}]


def test_a_holdout_is_not_moved_by_the_threshold() -> None:
    data = gather(
        SEEING,
        one(Reason.HOLDOUT, Status.FILTERED, 0.9),
        one(Reason.SCORE, Status.KEPT, 0.8),
        held_out=1,
    )
    assert data["explorer"]["scores"] == [(8000, 1)]
    assert data["explorer"]["fixed"] == 0
    assert data["control_kept"] == 0


def test_where_the_mode_acts_on_no_rule_the_explorer_answers_for_mode_filter() -> None:
    data = gather(
        ANNOTATING,
        one(Reason.HOLDOUT, Status.KEPT, 0.9, keep=False),
        one(Reason.SPARSE, Status.KEPT, None, keep=False),
        one(Reason.UNREADABLE, Status.KEPT, None, keep=True),
        one(Reason.SCORE, Status.KEPT, 0.2, keep=False),
        one(Reason.SCORE, Status.KEPT, 0.8, keep=True),
        held_out=1,
        received=5,
        kept=5,
        would_filter=3,
        mode="annotate",
    )
    explorer = data["explorer"]
    assert (explorer["fixed"], explorer["start"], explorer["in_filter"]) == (
        1,
        {"reach": 2, "expected": 0.8},
        True,
    )
    story = " ".join(data["story"])
    assert "Mode filter would filter 3 of them" in story
    assert "The control group (1 person)" in story
    assert "cannot serve as a control group" in story
    assert gather(SEEING)["explorer"]["in_filter"] is False


def test_behind_an_address_no_threshold_is_invented_and_the_functions_own_figures_begin() -> None:
    people = (
        one(Reason.HOLDOUT, Status.KEPT, 0.9),
        one(Reason.SPARSE, Status.KEPT, None),
        one(Reason.SCORE, Status.KEPT, 0.8),
        one(Reason.SCORE, Status.FILTERED, 0.2),
    )
    explorer = gather(CONNECT, *people, held_out=1)["explorer"]
    assert (explorer["threshold"], explorer["own"]) == (None, "the function's")
    assert explorer["start"] == {"reach": 3, "expected": 1.7}
    assert explorer["fixed"] == 1, "the sparse one; a control group is not messaged in mode filter"


def test_of_a_bare_answer_those_kept_without_a_score_are_not_forgotten() -> None:
    explorer = gather(
        BLIND,
        *[one(Reason.UNKNOWN, Status.KEPT, 0.7)] * 3,
        *[one(Reason.UNKNOWN, Status.KEPT, None)] * 2,
        one(Reason.UNKNOWN, Status.FILTERED, None),
    )["explorer"]
    assert (explorer["threshold"], explorer["fixed"], explorer["start"]["reach"]) == (None, 2, 5)
    assert "the 3 kept people with a score" in explorer["note"]
    assert "The 2 kept without one" in explorer["note"]


def test_what_the_hook_does_not_show_is_said_to_be_unknown() -> None:
    data = gather(BLIND, one(Reason.UNKNOWN, Status.FILTERED, None))
    assert "are unknown" in data["story"][-1]
    assert data["filtered"] == [{"reason": "filtered by the function, reason unknown", "people": 1}]


def test_unwanted_events_are_not_called_responses() -> None:
    data = gather(
        BELOW,
        *[one(Reason.SCORE, Status.KEPT, 0.25)] * 40,
        *[one(Reason.SCORE, Status.FILTERED, 0.75)] * 40,
        held_out=0,
    )
    story = " ".join(data["story"])
    assert (
        "40 unwanted events are expected of all people with a score: 10 of those messaged, "
        "and at most 30 are avoided" in story
    )
    assert "response" not in story
    assert data["explorer"]["unwanted"] is True
    assert data["filtered"][0]["reason"] == "score too high"


def test_with_more_than_4_decimals_the_report_begins_with_the_runs_own_figures() -> None:
    config = msgspec.structs.replace(SEEING, decimals=6, threshold=0.500045)
    explorer = gather(
        config,
        one(Reason.SCORE, Status.KEPT, 0.500049),
        one(Reason.SCORE, Status.FILTERED, 0.500041),
        held_out=0,
    )["explorer"]
    assert explorer["start"]["reach"] == 1, "though both are in one bucket"
    assert (explorer["scores"], explorer["within"]) == ([(5000, 2)], 0.5)


def statistics_of(**sizes: int) -> Statistics:
    statistics = Statistics()
    for country, size in sizes.items():
        statistics.people[Group("SMS", country, "", Reason.SCORE, Status.KEPT, True)] = size
        statistics.scored[Group("SMS", country, "", Reason.SCORE, Status.KEPT, True)] = size
        statistics.expected[Group("SMS", country, "", Reason.SCORE, Status.KEPT, True)] = (
            0.1234 * size
        )
    return statistics


def test_many_groups_are_summed_up_as_one_row() -> None:
    statistics = statistics_of(
        **{f"{chr(65 + index // 26)}{chr(65 + index % 26)}": 100 - index for index in range(30)}
    )
    rows = sum_groups(statistics, "country")
    assert (len(rows), rows[-1]["name"]) == (12, "all others")
    assert sum(row["people"] for row in rows) == sum(statistics.people.values())


@pytest.mark.parametrize(
    ("sizes", "rows"),
    [
        ({"DE": 50, "FR": 10}, {"DE": 50, "FR": 10}),
        ({"DE": 50, "FR": 9, "GB": 1}, {"DE": 50, "all others": 10}),
        ({"DE": 50, "US": 20, "FR": 9}, {"DE": 50, "all others": 29}),
        ({"DE": 50, "FR": 1}, {}),
        ({"DE": 9}, {}),
    ],
)
def test_a_group_of_fewer_than_10_people_is_shown_nowhere(
    sizes: dict[str, int], rows: dict[str, int]
) -> None:
    assert {
        row["name"]: row["people"] for row in sum_groups(statistics_of(**sizes), "country")
    } == rows


def test_no_single_score_can_be_read_off_a_sum() -> None:
    people = [
        one(Reason.SCORE, Status.KEPT, 0.8123),
        *[one(Reason.SCORE, Status.FILTERED, 0.1)] * 19,
    ]
    data = gather(SEEING, *people, held_out=0)
    assert data["groups"]["channel"] == [{"name": "SMS", "people": 20, "kept": 1, "expected": 1}]
    assert data["expected"] == {"kept": 1, "all": 3}


def test_of_people_without_a_score_it_is_unknown_how_many_respond() -> None:
    people = [
        *[one(Reason.NO_SCORES, Status.KEPT, None, channel="SMS")] * 30,
        *[one(Reason.SCORE, Status.FILTERED, 0.9, channel="EMAIL")] * 20,
        *[one(Reason.SCORE, Status.KEPT, 0.9, channel="VOICE")] * 10,
    ]
    rows = gather(SEEING, *people, held_out=0)["groups"]["channel"]
    assert [(row["name"], row["expected"]) for row in rows] == [
        ("SMS", None),
        ("EMAIL", 0),
        ("VOICE", 9),
    ]


def test_bands_stand_from_the_best_to_the_worst_whatever_their_size() -> None:
    statistics = Statistics()
    for band, score, size in (("rest", 0.1, 300), ("best", 0.9, 20), ("good", 0.5, 100)):
        group = Group("SMS", "DE", band, Reason.SCORE, Status.KEPT, True)
        statistics.people[group] = statistics.scored[group] = size
        statistics.expected[group] = size * score
    assert [row["name"] for row in sum_groups(statistics, "band")] == ["best", "good", "rest"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FILTERED, {"excluded: cap": 20, "excluded: consent": 10}),
        (Status.KEPT, {}),
    ],
)
def test_people_left_out_are_named_by_their_exclude_rule(
    status: Status, words: dict[str, int]
) -> None:
    checkpoint = checkpoint_of(SEEING, *[one(Reason.EXCLUDED, status, None, keep=False)] * 30)
    checkpoint.counts |= {"excluded:cap": 20, "excluded:consent": 10}
    assert {row["reason"]: row["people"] for row in count_filtered(checkpoint)} == words


def test_a_property_nobody_has_gets_no_table() -> None:
    statistics = statistics_of(unknown=100)
    assert sum_groups(statistics, "country") == sum_groups(statistics, "band") == []


@pytest.mark.parametrize(
    ("config", "reference", "batches", "why"),
    [
        (
            BLIND,
            None,
            3,
            "the function does not run in this process, so its counts are not available",
        ),
        (SEEING, None, 3, "the model's manifest does not describe its training data"),
        (SEEING, {}, 0, "no person was sent to the function"),
        (
            SEEING,
            {},
            3,
            "every call of the function failed",
        ),
    ],
)
def test_says_why_the_drift_is_unknown(
    config: RunConfig, reference: dict[str, Any] | None, batches: int, why: str
) -> None:
    drift = describe_drift(
        summary_of(batches=batches, model=config.model), checkpoint_of(config), reference
    )
    assert drift == {"verdict": f"Unknown: {why}.", "columns": []}


def test_half_of_the_calls_took_no_longer_than_the_median() -> None:
    statistics = Statistics()
    statistics.add_times([0.001] * 60 + [0.1] * 39 + [1.0])
    times = describe_times(statistics)
    assert times is not None
    assert times["quantiles"] == pytest.approx(
        {"half": 1.0, "95 %": 100.0, "99 %": 100.0, "all": 1000.0}
    )
    assert describe_times(Statistics()) is None


def test_vega_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load_vega(lambda: "script") == "script"
    assert load_vega(lambda: "another") == "script"


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_vega(lambda: "script") == "script"
