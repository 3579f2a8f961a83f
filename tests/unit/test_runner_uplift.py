"""The report of a run with uplift scores: its words, its axis, and the messages saved."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from function.records import Reason
from model.score_kind import UPLIFT
from segment_scorer.runner.checks import check_options
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.reporting.charts import make_charts
from segment_scorer.runner.reporting.control_group import describe_control_group
from segment_scorer.runner.reporting.predictions import describe_savings
from segment_scorer.runner.reporting.report_data import gather_report
from segment_scorer.runner.reporting.statistics import Statistics
from segment_scorer.runner.summary import Status
from segment_scorer.runner.writing.checkpoint import Checkpoint
from tests.unit.test_runner_report import SEEING, Invented, checkpoint_of, one, summary_of

CONFIG = msgspec.structs.replace(SEEING, score=UPLIFT, threshold=0.0, holdout_percent=10.0)


def make_people(scores: list[float], threshold: float = 0.0) -> list[Invented]:
    return [
        one(Reason.SCORE, Status.KEPT if score >= threshold else Status.FILTERED, score)
        for score in scores
    ]


def gather(checkpoint: Checkpoint) -> dict[str, Any]:
    return gather_report(summary_of(), checkpoint, None, rehearsal=True)


# 100 people: 30 whom a message moves by 0.2, 50 by nothing, 20 whom it puts off by 0.1. Messages to
# everybody bring 4, those to the 30 bring 6; 20 of the 30 bring 4 already.
SCORES = [0.2] * 30 + [0.0] * 50 + [-0.1] * 20


def test_the_report_says_what_messages_bring() -> None:
    checkpoint = checkpoint_of(CONFIG, *make_people(SCORES))
    data = gather(checkpoint)
    story = " ".join(data["story"])
    assert "the messages sent bring 6 extra responses; messages to everybody" in story
    assert "would bring 4" in story
    assert "the 20 people with the highest scores bring as many extra responses as all 100" in story
    assert "This holds only if the message puts off people with a score below 0" in story
    assert "80 messages fewer (80.0 %)" in story
    assert data["words"]["events"] == "extra responses"
    assert data["words"]["profit"] == "profit expected"


def test_response_scores_are_never_called_what_messages_bring() -> None:
    scores = [abs(score) for score in SCORES]
    checkpoint = checkpoint_of(SEEING, *make_people(scores))
    data = gather(checkpoint)
    assert "extra" not in json.dumps([data["story"], data["words"]])
    assert describe_savings(checkpoint.statistics, SEEING) == ""


def test_the_axis_shows_the_effects_that_occur() -> None:
    checkpoint = checkpoint_of(CONFIG, *make_people([-0.1234, 0.2, 0.0]))
    data = gather(checkpoint)
    explorer = data["explorer"]
    assert (explorer["low"], explorer["high"], explorer["step"]) == (-0.13, 0.21, 0.0001)
    assert explorer["scores"] == [(-1234, 1), (0, 1), (2000, 1)]
    charts = make_charts(data, checked=True)
    assert "extra" in charts
    assert charts == make_charts(data)
    chart = charts["histogram"]
    (layer,) = [layer for layer in chart["layer"] if layer["encoding"]["x"].get("bin")]
    assert layer["encoding"]["x"]["scale"]["domain"] == [-0.13, 0.21]
    bins = layer["data"]["values"]
    assert sum(each["people"] for each in bins) == 3
    assert all(-0.13 <= each["from"] < each["to"] <= 0.21 + 1e-9 for each in bins)


def test_the_figures_at_the_policys_threshold_are_exact() -> None:
    checkpoint = checkpoint_of(CONFIG, *make_people(SCORES))
    explorer = gather(checkpoint)["explorer"]
    assert explorer["start"] == {"reach": 80, "expected": 6.0}


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([-0.1] * 30, "Messaging everybody would bring no extra responses."),
        ([], ""),
        ([0.25] * 8, ""),
        ([0.5, 0.5, 0.5, -0.5, 0.75], "By these scores, the 3 people with the highest scores"),
    ],
)
def test_says_how_many_messages_fewer_bring_the_same(scores: list[float], words: str) -> None:
    statistics = checkpoint_of(CONFIG, *make_people(scores)).statistics
    found = describe_savings(statistics, CONFIG)
    assert found.startswith(words) if words else found == ""


def test_unwanted_events_may_be_effects_too() -> None:
    config = msgspec.structs.replace(CONFIG, keep="below")
    checkpoint = checkpoint_of(config, *make_people(SCORES))
    data = gather(checkpoint)
    assert data["words"]["events"] == "extra unwanted events"
    assert data["words"]["avoided"] == "extra unwanted events avoided"
    assert "extra responses" not in " ".join(data["story"])


def test_effects_do_not_say_how_many_respond_without_a_message() -> None:
    statistics = checkpoint_of(CONFIG, *make_people(SCORES)).statistics
    assert describe_control_group(CONFIG, statistics, 80) == ""
    assert describe_control_group(
        msgspec.structs.replace(SEEING, holdout_percent=10.0), statistics, 80
    )


def test_statistics_of_negative_scores_survive_the_checkpoint() -> None:
    statistics = checkpoint_of(CONFIG, *make_people([-0.99999, -0.00001, 0.3])).statistics
    again = Statistics.from_data(json.loads(json.dumps(statistics.to_data())))
    assert dict(again.scores) == {-10000: 1, -1: 1, 3000: 1}


def test_a_config_of_uplift_scores_survives_the_checkpoint() -> None:
    data = json.loads(msgspec.json.encode(CONFIG))
    assert msgspec.convert(data, RunConfig).score == UPLIFT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score_kind": "uplift"}, "expected only with a deployed function"),
        ({"score_kind": "lift", "hook": "lambda:f"}, "expected one of response, uplift"),
    ],
)
def test_the_kind_is_stated_of_a_deployed_function_alone(
    changes: dict[str, str], words: str
) -> None:
    with pytest.raises(OptionError, match=words):
        check_options(RunOptions(segment=["s"], out="out", **changes))  # type: ignore[arg-type]
