"""function/telemetry.py, batch_record.py: one record a batch, and the lines beside it."""

from __future__ import annotations

import io
import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from function.batch_record import OMITTED_AT_ZERO, format_time
from function.bootstrap import build_handler
from function.errors import BundleError, ScorerUnavailable
from function.records import Batch, Context
from function.telemetry import Telemetry
from model.bundle import load_bundle
from tests.emf import check_emf
from tests.fakes import (
    FakeClock,
    FakeContext,
    FakeScorer,
    make_account,
    make_bundle,
    make_endpoint,
    make_event,
    read_log,
    write_policy,
)
from tests.rooms import DRIFT, Drain, load_tiny, make_handler
from tests.templates import load_template

ROOT = Path(__file__).parents[2]
EVENT = make_event(
    {
        "a": make_endpoint(0.9),
        "b": make_endpoint(0.3),
        "c": make_endpoint(None),
        "d": None,
        "e": {"Metrics": {"score": "lots"}},
    }
)
# The numbers of every record. Others are there if they are not 0.
FACTS = {
    *("received", "kept", "filtered", "unreadable", "unscored"),
    *("fallback_used", "scoring_ms", "missing_share"),
}


@pytest.mark.parametrize(
    "now", [0.0, 59.75, 60.0, 1_790_000_039.5, 1_790_000_040.25, 951_782_399.5]
)
def test_a_time_is_written_to_the_millisecond(now: float) -> None:
    written = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    assert format_time(now) == written


def record_of(
    policy: dict[str, Any] | None = None, event: dict[str, Any] = EVENT, **options: Any
) -> dict[str, Any]:
    """The record of one batch, which is checked against the format's specification."""
    log = io.StringIO()
    make_handler(policy or {}, stream=log, **options)(event)
    *_, line = log.getvalue().splitlines()
    return check_emf(line)


def metrics_of(record: dict[str, Any]) -> dict[str, str | None]:
    """The names of a record's metrics, with their units."""
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: metric.get("Unit") for metric in directive["Metrics"]}


def test_a_batch_writes_one_line_that_is_log_line_and_metrics() -> None:
    log = io.StringIO()
    make_handler({}, stream=log)(EVENT)
    (line,) = read_log(log.getvalue())
    assert (line["message"], line["level"], line["service"]) == ("batch", "INFO", "segment-scorer")
    assert "_aws" in line


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


def test_the_record_holds_every_number_of_a_batch() -> None:
    record = record_of({"mode": "annotate"})
    numbers = {name: record[name] for name in metrics_of(record)}
    numbers.pop("scoring_ms")
    assert numbers == {
        "received": 5,
        "kept": 4,
        "filtered": 1,
        "unreadable": 2,
        "unscored": 0,
        "would_filter": 2,
        "fallback_used": 0,
        "missing_share": 0.3333,
    }


def test_a_number_that_is_nearly_always_0_is_in_the_record_if_it_is_not() -> None:
    usual = record_of()
    assert not OMITTED_AT_ZERO & set(usual)
    sparse = record_of({"min_present": 1.0})
    assert (sparse["sparse"], set(metrics_of(sparse)) - FACTS) == (1, {"sparse"})


def test_the_counts_that_alarms_read_are_in_every_record() -> None:
    watched = {
        metric
        for name, alarm in load_template()["Resources"].items()
        if alarm["Type"] == "AWS::CloudWatch::Alarm" and not name.startswith("Segment")
        for metric in read_metrics(alarm["Properties"])
    }
    assert {"unscored", "fallback_used", "external_failed", "kept"} <= watched
    assert watched <= {*FACTS, "external_failed"}
    assert not watched & OMITTED_AT_ZERO


def read_metrics(alarm: dict[str, Any]) -> set[str]:
    """The metrics of the function's own records that an alarm reads."""
    read = [
        each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each
    ]
    own = [each for each in (alarm, *read) if each.get("Namespace") == "SegmentScorer"]
    return {each["MetricName"] for each in own}


def test_remaining_milliseconds_are_there_where_a_clock_is(tmp_path: Path) -> None:
    log = io.StringIO()
    clock = FakeClock()
    scorer = FakeScorer(takes=2.5, clock=clock)
    handle = build_handler(
        {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}, scorer=scorer, stream=log, clock=clock
    )
    handle(EVENT, FakeContext(15.0, clock))
    record = check_emf(log.getvalue().splitlines()[-1])
    assert (record["remaining_ms"], record["scoring_ms"]) == (12_500, 2_500)
    assert record["cold_start"] == 1
    assert set(metrics_of(record)) == {*FACTS, "remaining_ms", "cold_start", "sparse"}
    assert "remaining_ms" not in record_of()


def test_no_set_of_dimensions_is_bound_to_the_model_and_each_names_the_function(
    tmp_path: Path,
) -> None:
    log = io.StringIO()
    environ = {
        "SCORER_BUNDLE": str(make_bundle(tmp_path / "b")),
        "AWS_LAMBDA_FUNCTION_NAME": "scorer-staging",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
    }
    build_handler(environ, stream=log)(EVENT, None)
    record = check_emf(log.getvalue().splitlines()[-1])
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "SegmentScorer"
    assert directive["Dimensions"] == [["function_name"], ["function_name", "function_version"]]
    assert (record["function_name"], record["function_version"]) == ("scorer-staging", "7")


def test_outside_lambda_the_functions_name_is_local() -> None:
    record = record_of()
    assert (record["function_name"], record["function_version"]) == ("local", "local")


def test_every_number_is_a_metric_and_nothing_else_is() -> None:
    record = record_of()
    assert set(metrics_of(record)) == FACTS
    no_metrics = {"_aws", "level", "message", "timestamp", "feature_bins", "score_bins"}
    texts = {name for name, value in record.items() if isinstance(value, str)}
    assert set(record) - texts == FACTS | (no_metrics - texts)
    assert record["campaign_id"] == "campaign"
    assert record["score_bins"] == [1, 1, 1, 0]


def test_times_have_a_unit_and_counts_and_shares_have_none() -> None:
    units = metrics_of(record_of())
    assert (units.pop("scoring_ms"), set(units.values())) == ("Milliseconds", {None})


def test_who_scored_is_said_if_it_is_another_model_than_the_bundles(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "b")
    for label, said in ((load_bundle(bundle).label, None), ("other@9", "other@9")):
        log, scorer = io.StringIO(), FakeScorer()
        scorer.label = label
        build_handler({"SCORER_BUNDLE": str(bundle)}, scorer=scorer, stream=log)(EVENT, None)
        record = check_emf(log.getvalue().splitlines()[-1])
        assert (record["scorer"], record.get("scored_by")) == ("service", said)


def test_a_record_costs_less_than_two_thirds_of_the_two_lines_that_it_replaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", HEADER)
    log = io.StringIO()
    environ = {
        "AWS_LAMBDA_FUNCTION_NAME": "segment-scorer-Scorer-1A2B3C4D5E6F",
        "AWS_LAMBDA_FUNCTION_VERSION": "12",
    }
    handle = build_handler(environ, stream=log)
    context = FakeContext()
    context.aws_request_id = CORRELATED["function_request_id"]  # type: ignore[attr-defined]
    for _ in range(2):
        handle(make_event({f"{index}": make_endpoint(0.5) for index in range(50)}), context)
    line = log.getvalue().splitlines()[-1]
    record = check_emf(line)
    bins = len(json.dumps([record["feature_bins"], record["score_bins"]], separators=(",", ":")))
    # The shipped model's bins take 0.36 kB more. The two lines took 2.18 kB with them.
    assert len(line) - bins < 1_020


@pytest.mark.parametrize(("share", "with_bins"), [(1.0, 20), (0.25, 5), (0.0, 0)])
def test_sampling_drops_only_the_bins(share: float, with_bins: int) -> None:
    bundle, _ = load_tiny()
    log = io.StringIO()
    telemetry = Telemetry(
        bundle=bundle, stream=log, level="INFO", bins_share=share, draw=lambda: 0.5
    )
    handle = make_handler({}, telemetry=telemetry)
    for _ in range(20):
        handle(EVENT)
    records = [check_emf(line) for line in log.getvalue().splitlines()]
    assert len(records) == 20
    assert sum("feature_bins" in record for record in records) == with_bins
    assert sum("score_bins" in record for record in records) == with_bins
    assert {record["kept"] for record in records} == {records[0]["kept"]}


def test_the_share_of_batches_with_bins_is_a_setting(tmp_path: Path) -> None:
    log = io.StringIO()
    drift = {"features": {"score": DRIFT}, "score": DRIFT}
    bundle = make_bundle(tmp_path / "b", drift=drift)
    environ = {"SCORER_BUNDLE": str(bundle), "SCORER_BINS_SHARE": "0"}
    build_handler(environ, stream=log)(EVENT, None)
    assert "feature_bins" not in check_emf(log.getvalue().splitlines()[-1])


def test_a_record_that_cloudwatch_would_cut_goes_without_its_bins() -> None:
    bundle, _ = load_tiny()
    log = io.StringIO()
    telemetry = Telemetry(bundle=bundle, stream=log, level="INFO")
    counted = {f"feature {index}": [1] * 12 for index in range(12_000)}
    account = make_account(
        Batch(host="pinpoint", context=Context(), endpoints=()),
        [],
        feature_bins=counted,
        score_bins=[1],
    )
    telemetry.record(account)
    record = check_emf(log.getvalue())
    assert not {"feature_bins", "score_bins"} & set(record)


CORRELATED = {
    "function_request_id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    "xray_trace_id": "1-5759e988-bd862e3fe1be46a994272793",
}
HEADER = f"Root={CORRELATED['xray_trace_id']};Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.mark.parametrize("header", [None, HEADER])
def test_every_line_of_an_invocation_has_its_ids_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str | None
) -> None:
    log = io.StringIO()
    environ = {
        "SCORER_BUNDLE": str(make_bundle(tmp_path / "b")),
        "SCORER_LOG_LEVEL": "DEBUG",
        "SCORER_FALLBACK": "none",
    }
    scorer = FakeScorer(error=ScorerUnavailable("expected a service, found none"))
    handle = build_handler(environ, scorer=scorer, stream=log)
    if header:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    context = FakeContext()
    context.aws_request_id = CORRELATED["function_request_id"]  # type: ignore[attr-defined]
    handle(EVENT, context)
    lines = read_log(log.getvalue())
    assert [line["message"] for line in lines][:2] == ["unreadable", "unreadable"]
    assert lines[-1]["message"] == "batch"
    assert len(lines) == 4
    trace = CORRELATED["xray_trace_id"] if header == HEADER else None
    for line in lines:
        assert line["function_request_id"] == CORRELATED["function_request_id"]
        assert line.get("xray_trace_id") == trace
    (sent,) = scorer.correlations
    assert (sent.function_request_id, sent.xray_trace_id or None) == (
        CORRELATED["function_request_id"],
        trace,
    )


def test_without_an_invocations_ids_no_line_has_any() -> None:
    assert not set(CORRELATED) & set(record_of())


def test_the_bins_of_features_and_score_are_counted() -> None:
    line = record_of()
    # Up to 0.25, up to 0.5, above, missing; unreadable ones are not there. In the order of the
    # reference's columns.
    assert line["feature_bins"] == [[0, 1, 1, 1]]
    assert line["score_bins"] == [1, 1, 1, 0]  # the tiny model scores a missing number 0


def test_a_batch_without_scores_has_no_score_bins() -> None:
    line = record_of(working=False)
    assert "score_bins" not in line
    assert line["feature_bins"] == [[0, 1, 1, 1]]


def test_a_bundle_without_drift_is_served_without_bins(tmp_path: Path) -> None:
    log = io.StringIO()
    build_handler({"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}, stream=log)(EVENT, None)
    (line,) = read_log(log.getvalue())
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


# RFC 3339, section 5.6.
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


def test_every_time_is_utc_as_rfc_3339_writes_it_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import time  # noqa: PLC0415

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        log = io.StringIO()
        make_handler({}, stream=log, working=False)(EVENT)
    finally:
        monkeypatch.undo()
        time.tzset()
    warning, record = read_log(log.getvalue())
    for line in (warning, record):
        assert RFC_3339.fullmatch(line["timestamp"])
    written = datetime.fromisoformat(record["timestamp"])
    assert int(written.timestamp() * 1000) == record["_aws"]["Timestamp"]


def test_two_handlers_in_one_process_write_each_to_its_own_stream() -> None:
    one, other = io.StringIO(), io.StringIO()
    handlers = [make_handler({}, stream=one), make_handler({"mode": "shadow"}, stream=other)]
    for handle in handlers:
        handle(EVENT)
    assert [line["mode"] for line in read_log(one.getvalue())] == ["filter"]
    assert [line["mode"] for line in read_log(other.getvalue())] == ["shadow"]


def test_nothing_of_one_batch_is_in_the_next() -> None:
    log = io.StringIO()
    handle = make_handler({}, stream=log)
    handle(EVENT)
    handle(make_event({}, CampaignId=None))
    *_, line = read_log(log.getvalue())
    assert line["received"] == 0
    assert "campaign_id" not in line
    assert line["feature_bins"] == [[0, 0, 0, 0]]


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_the_record_is_written_at_every_level_so_that_alarms_read_it(level: str) -> None:
    log = io.StringIO()
    make_handler({}, stream=log, level=level)(EVENT)
    record = check_emf(log.getvalue().splitlines()[-1])
    assert set(metrics_of(record)) == FACTS


@pytest.mark.parametrize(("level", "count"), [("INFO", 1), ("WARNING", 1), ("ERROR", 0)])
def test_the_level_chooses_the_other_lines(level: str, count: int) -> None:
    log = io.StringIO()
    make_handler({}, stream=log, level=level, working=False)(EVENT)
    lines = read_log(log.getvalue())
    assert [line["level"] for line in lines] == ["WARNING"] * count + ["INFO"]


def test_a_failure_is_told_with_its_cause_at_warning_and_in_the_record() -> None:
    log = io.StringIO()
    cause = "the scoring service cannot be reached: nothing listens (gRPC UNAVAILABLE)"
    make_handler({}, stream=log, asked=FakeScorer(error=ScorerUnavailable(cause)))(EVENT)
    warning, record = read_log(log.getvalue())
    assert (warning["level"], warning["message"]) == ("WARNING", f"{cause}; nobody has a score")
    assert (record["error"], record["cause"]) == ("ScorerUnavailable", cause)
    assert not {"scorer", "scored_by"} & set(record)


def test_the_kind_of_scorer_that_answered_is_told_apart_from_its_models_label(
    tmp_path: Path,
) -> None:
    service = record_of(asked=FakeScorer())
    assert (service["scorer"], service["scored_by"]) == ("service", "fake@1")
    bundle = record_of()
    assert (bundle["scorer"], bundle["model"]) == ("bundle", "tiny@1")
    assert "cause" not in bundle


def test_an_error_that_the_policy_raises_is_logged_with_its_cause() -> None:
    log = io.StringIO()
    error = ScorerUnavailable("expected a service, found none")
    handle = make_handler({"on_error": "raise"}, stream=log, asked=FakeScorer(error=error))
    with pytest.raises(ScorerUnavailable):
        handle(EVENT)
    (line,) = read_log(log.getvalue())
    assert (line["level"], line["message"], line["error"]) == (
        "ERROR",
        "expected a service, found none",
        "ScorerUnavailable",
    )


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
    record = record_of(policy, {**EVENT, "CampaignId": "x" * 5_900_000})
    shown = "x" * 256 + "... (5,900,000 characters)"
    assert record["campaign_id"] == shown
    assert record["mode"] == "annotate"
    assert len(json.dumps(record)) < 5_000
    assert record_of({}, {**EVENT, "CampaignId": "x" * 256})["campaign_id"] == "x" * 256


def test_every_line_is_ascii_that_any_stream_can_carry() -> None:
    log = io.StringIO()
    make_handler({}, stream=log)(make_event({}, CampaignId="\ud800é"))
    assert log.getvalue().isascii()
    check_emf(log.getvalue().splitlines()[-1])
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
    record = record_of()
    assert record["service"] == "segment-scorer"
    assert record["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "SegmentScorer"


def test_the_shipped_bundle_has_the_bins(tmp_path: Path) -> None:
    bundle = load_bundle(Path(__file__).parents[2] / "model" / "artifact")
    log = io.StringIO()
    Telemetry(bundle=bundle, stream=log, level="INFO").introduce(())
    (line,) = read_log(log.getvalue())
    assert list(line["reference"]["features"]) == list(bundle.spec.columns)


def test_the_tiny_bundle_of_these_tests_has_the_bins() -> None:
    assert load_tiny()[0].manifest["drift"]["score"] == DRIFT
