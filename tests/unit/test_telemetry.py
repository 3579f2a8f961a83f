"""function/telemetry.py: one log line and one metrics blob a batch."""

from __future__ import annotations

import io
import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import BundleError, ScorerUnavailable
from function.telemetry import Telemetry
from model.bundle import load_bundle
from tests.fakes import (
    FakeClock,
    FakeContext,
    FakeScorer,
    make_bundle,
    make_endpoint,
    make_event,
    read_log,
    write_policy,
)
from tests.rooms import DRIFT, Drain, load_tiny, make_handler

EVENT = make_event(
    {
        "a": make_endpoint(0.9),
        "b": make_endpoint(0.3),
        "c": make_endpoint(None),
        "d": None,
        "e": {"Metrics": {"score": "lots"}},
    }
)
COUNTED = (
    "received",
    "kept",
    "filtered",
    "held_out",
    "unreadable",
    "unscored",
    "sparse",
    "would_filter",
)
FACTS = {
    *COUNTED,
    "unencodable",
    "overrides_skipped",
    "annotations_dropped",
    "fallback_used",
    "time_missing",
    "scoring_ms",
    "missing_share",
    "cold_start",
}


def lines_of(
    policy: dict[str, Any] | None = None, event: dict[str, Any] = EVENT, **options: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The log line and the metrics blob of one batch."""
    log = io.StringIO()
    make_handler(policy or {}, stream=log, **options)(event)
    line, blob = read_log(log.getvalue())
    return line, blob


def test_a_batch_writes_one_log_line_and_one_metrics_blob() -> None:
    line, blob = lines_of()
    assert line["message"] == "batch"
    assert "_aws" in blob


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("closed", [False, True])
def test_what_cannot_be_written_costs_nobody_the_answer(
    closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        logging, "raiseExceptions", False
    )  # else logging says on stderr what its handler swallowed
    stream = FullDisk()
    handle = make_handler({}, stream=stream)
    if closed:
        stream.close()
    assert handle(EVENT) == make_handler({}, stream=io.StringIO())(EVENT)


def test_both_hold_every_number_the_issue_names() -> None:
    line, blob = lines_of({"mode": "annotate"})
    assert set(line) >= FACTS
    numbers = {name: line[name] for name in FACTS}
    assert {name: blob[name] for name in FACTS} == numbers
    numbers.pop("scoring_ms")
    assert numbers == {
        "received": 5,
        "kept": 4,
        "filtered": 1,
        "held_out": 0,
        "unreadable": 2,
        "unscored": 0,
        "sparse": 0,
        "would_filter": 2,
        "unencodable": 0,
        "overrides_skipped": 0,
        "annotations_dropped": 0,
        "fallback_used": 0,
        "time_missing": 0,
        "missing_share": 0.3333,
        "cold_start": 0,
    }


def test_remaining_milliseconds_are_there_where_a_clock_is(tmp_path: Path) -> None:
    log = io.StringIO()
    clock = FakeClock()
    scorer = FakeScorer(takes=2.5, clock=clock)
    handle = build_handler(
        {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}, scorer=scorer, stream=log, clock=clock
    )
    handle(EVENT, FakeContext(15.0, clock))
    line, blob = read_log(log.getvalue())
    assert line["remaining_ms"] == blob["remaining_ms"] == 12_500
    assert line["scoring_ms"] == blob["scoring_ms"] == 2_500
    assert (line["cold_start"], blob["cold_start"]) == (1, 1)
    assert "remaining_ms" not in lines_of()[0]


def test_the_dimensions_are_model_and_mode_and_nothing_else() -> None:
    _, blob = lines_of({"mode": "shadow"})
    (metrics,) = blob["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "SegmentScorer"
    assert metrics["Dimensions"] == [["model", "mode"]]
    assert (blob["model"], blob["mode"]) == ("tiny@1", "shadow")


def test_campaign_and_score_histogram_are_properties_and_no_metrics() -> None:
    _, blob = lines_of()
    (metrics,) = blob["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in metrics["Metrics"]} == FACTS
    assert blob["campaign_id"] == "campaign"
    assert blob["score_bins"] == [1, 1, 1, 0]


def test_a_share_and_a_time_are_not_counts() -> None:
    (metrics,) = lines_of()[1]["_aws"]["CloudWatchMetrics"]
    units = {metric["Name"]: metric["Unit"] for metric in metrics["Metrics"]}
    assert (units["missing_share"], units["scoring_ms"], units["received"]) == (
        "None",
        "Milliseconds",
        "Count",
    )


def test_no_property_has_a_metrics_name_since_it_would_be_dropped() -> None:
    _, blob = lines_of()
    (metrics,) = blob["_aws"]["CloudWatchMetrics"]
    assert not {"campaign_id", "score_bins", "model", "mode"} & {
        metric["Name"] for metric in metrics["Metrics"]
    }


def test_the_bins_of_features_and_score_are_counted() -> None:
    line, _ = lines_of()
    assert line["feature_bins"] == {
        "score": [0, 1, 1, 1]
    }  # up to 0.25, up to 0.5, above, missing; unreadable ones are not there
    assert line["score_bins"] == [1, 1, 1, 0]  # the tiny model scores a missing number 0


def test_a_batch_without_scores_has_no_score_bins() -> None:
    line, blob = lines_of(working=False)
    assert "score_bins" not in line
    assert blob["score_bins"] is None
    assert line["feature_bins"] == {"score": [0, 1, 1, 1]}


def test_a_bundle_without_drift_is_served_without_bins(tmp_path: Path) -> None:
    log = io.StringIO()
    build_handler({"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}, stream=log)(EVENT, None)
    (line, _) = read_log(log.getvalue())
    assert "feature_bins" not in line


DESCRIBED: list[Any] = [
    5,
    {"features": {}},
    {"features": {"other": DRIFT}, "score": DRIFT},
    {"features": {"score": DRIFT}},
    {"features": {"score": {**DRIFT, "shares": [1.0]}}, "score": DRIFT},
    {"features": {"score": {**DRIFT, "edges": [0.5, 0.25]}}, "score": DRIFT},
    {"features": {"score": {**DRIFT, "missing": "none"}}, "score": DRIFT},
    {"features": {"score": {**DRIFT, "missing": 2}}, "score": DRIFT},
]


@pytest.mark.parametrize("described", DESCRIBED)
def test_a_drift_section_of_another_form_is_refused_at_cold_start(
    tmp_path: Path, described: Any
) -> None:
    bundle = make_bundle(tmp_path / "b", drift=described)
    with pytest.raises(BundleError, match=r"^drift: expected"):
        build_handler({"SCORER_BUNDLE": str(bundle)}, stream=io.StringIO())


def test_a_starting_function_logs_what_its_model_learnt_from_and_the_policys_warnings(
    tmp_path: Path,
) -> None:
    drift = {"features": {"score": DRIFT}, "score": DRIFT}
    policy = write_policy(tmp_path / "policy.toml", 'score_attribute = "a/b"')
    log = io.StringIO()
    build_handler(
        {
            "SCORER_BUNDLE": str(make_bundle(tmp_path / "b", drift=drift)),
            "SCORER_POLICY": str(policy),
        },
        stream=log,
    )
    warning, model = read_log(log.getvalue())
    assert (warning["level"], warning["message"]) == (
        "WARNING",
        "score_attribute: Pinpoint advises against # : ? \\ / in attribute names",
    )
    assert (model["message"], model["model"], model["reference"]) == ("model", "tiny@1", drift)


def test_times_are_utc() -> None:
    written = datetime.strptime(lines_of()[0]["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
    assert written.utcoffset() is not None
    assert written.utcoffset().total_seconds() == 0  # type: ignore[union-attr]  # the line above


def test_times_are_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert lines_of()[0]["timestamp"].endswith("+0000")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_two_handlers_in_one_process_write_each_to_its_own_stream() -> None:
    one, other = io.StringIO(), io.StringIO()
    handlers = [make_handler({}, stream=one), make_handler({"mode": "shadow"}, stream=other)]
    for handle in handlers:
        handle(EVENT)
    assert [line["mode"] for line in read_log(one.getvalue())] == ["filter", "filter"]
    assert [line["mode"] for line in read_log(other.getvalue())] == ["shadow", "shadow"]


def test_nothing_of_one_batch_is_in_the_next() -> None:
    log = io.StringIO()
    handle = make_handler({}, stream=log)
    handle(EVENT)
    handle(make_event({}, CampaignId=None))
    *_, line, blob = read_log(log.getvalue())
    assert (line["received"], blob["received"], blob["campaign_id"]) == (0, 0, None)
    assert line["feature_bins"] == {"score": [0, 0, 0, 0]}


@pytest.mark.parametrize(
    ("level", "messages"), [("INFO", ["batch"]), ("WARNING", []), ("ERROR", [])]
)
def test_the_level_chooses_the_log_lines_and_never_the_metrics(
    level: str, messages: list[str]
) -> None:
    log = io.StringIO()
    make_handler({}, stream=log, level=level)(EVENT)
    lines = read_log(log.getvalue())
    assert [line["message"] for line in lines if "message" in line] == messages
    assert sum("_aws" in line for line in lines) == 1


def test_at_debug_each_unreadable_endpoint_says_why_and_not_who() -> None:
    log = io.StringIO()
    make_handler({}, stream=log, level="DEBUG")(EVENT)
    assert [
        line["problem"] for line in read_log(log.getvalue()) if line.get("message") == "unreadable"
    ] == [
        "$.Endpoints[3]: expected an object, found null",
        "$.Endpoints[4].Metrics.score: expected a number, found text",
    ]


def test_a_campaigns_id_is_cut_in_log_and_metrics_and_still_matches_its_override() -> None:
    policy = {"override": [{"campaign_id": "x" * 5_900_000, "mode": "annotate"}]}
    line, blob = lines_of(policy, {**EVENT, "CampaignId": "x" * 5_900_000})
    shown = "x" * 256 + "... (5,900,000 characters)"
    assert line["campaign_id"] == blob["campaign_id"] == shown
    assert line["mode"] == "annotate"
    assert len(json.dumps([line, blob])) < 5_000
    assert lines_of({}, {**EVENT, "CampaignId": "x" * 256})[0]["campaign_id"] == "x" * 256


def test_every_line_is_ascii_that_any_stream_can_carry() -> None:
    log = io.StringIO()
    make_handler({}, stream=log)(make_event({}, CampaignId="\ud800é"))
    assert log.getvalue().isascii()
    make_handler({}, stream=Drain())(make_event({}, CampaignId="\ud800"))


def test_powertools_own_environment_does_not_change_the_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "POWERTOOLS_SERVICE_NAME": "x",
        "POWERTOOLS_METRICS_NAMESPACE": "y",
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    }.items():
        monkeypatch.setenv(name, value)
    line, blob = lines_of()
    assert line["service"] == "segment-scorer"
    assert blob["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "SegmentScorer"


def test_the_class_of_a_scorers_error_is_told_and_not_its_text() -> None:
    line, blob = lines_of(asked=FakeScorer(error=ScorerUnavailable("secret")))
    assert line["error"] == "ScorerUnavailable"
    assert "secret" not in json.dumps([line, blob])


def test_the_shipped_bundle_has_the_bins(tmp_path: Path) -> None:
    bundle = load_bundle(Path(__file__).parents[2] / "model" / "artifact")
    log = io.StringIO()
    Telemetry(bundle=bundle, stream=log, level="INFO").introduce(())
    (line,) = read_log(log.getvalue())
    assert list(line["reference"]["features"]) == list(bundle.spec.columns)


def test_the_tiny_bundle_of_these_tests_has_the_bins() -> None:
    assert load_tiny()[0].manifest["drift"]["score"] == DRIFT
