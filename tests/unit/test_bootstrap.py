"""function/bootstrap.py: what is put together, and what a cold start costs the first event."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest

from function.bootstrap import LONGEST_INIT, build_handler, measure_cold_start, watch_remaining
from function.errors import BundleError, SettingsError
from model.bundle import SHIPPED, load_bundle
from model.features import share_present
from tests.fakes import (
    FakeClock,
    FakeContext,
    FakeScorer,
    Watcher,
    make_bundle,
    make_endpoint,
    make_event,
    read_log,
    write_policy,
)

ROOT = Path(__file__).parents[2]
IN_LAMBDA = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}


def test_the_shipped_function_keeps_whom_the_shipped_model_scores_high_enough() -> None:
    bundle = load_bundle(SHIPPED)
    people = {}
    for index, row in enumerate(bundle.golden_rows.tolist()):
        features = zip(bundle.spec.features, row, strict=True)
        people[f"p{index}"] = make_endpoint(
            Metrics={
                each.path.removeprefix("Metrics."): x for each, x in features if not math.isnan(x)
            }
        )
    scores = dict(zip(people, bundle.golden_scores.tolist(), strict=True))
    sparse = {
        id_
        for id_, present in zip(people, share_present(bundle.golden_rows, bundle.spec), strict=True)
        if present < 0.25
    }
    kept = {
        id_: [f"{score:.4f}"]
        for id_, score in scores.items()
        if score >= bundle.threshold and id_ not in sparse
    }
    assert 0 < len(kept) < len(people)
    assert sparse, "the trainer writes a golden row without any feature"
    reply = build_handler({}, stream=io.StringIO())(make_event(people), FakeContext())
    written = {id_: endpoint.get("Attributes", {}).get("Score") for id_, endpoint in reply.items()}
    assert written == kept | dict.fromkeys(sparse)


def test_an_import_that_breaks_does_not_drop_the_audience_and_the_log_warns() -> None:
    people = {f"p{number}": {"Metrics": {}} for number in range(50)}
    log = io.StringIO()
    reply = build_handler({}, stream=log)(make_event(people), FakeContext())
    assert reply == people
    warning, line = read_log(log.getvalue())[-2:]
    assert (line["message"], line["sparse"], line["kept"], line["filtered"]) == ("batch", 50, 50, 0)
    assert warning["level"] == "WARNING"
    assert warning["message"].startswith(
        "50 of 50 people are sparse: they have less than min_present = 0.25 of the model's "
        "features."
    )


def test_the_shipped_min_present_does_not_touch_the_people_of_the_worked_example() -> None:
    event = json.loads(
        (ROOT / "examples" / "events" / "cdnow-five-customers.json").read_text("utf-8")
    )
    watcher = Watcher()
    build_handler({}, observer=watcher, stream=io.StringIO())(event, FakeContext())
    assert {decision.reason for decision in watcher.decisions} == {"score"}


def test_a_bundle_whose_model_scores_differently_is_refused_at_cold_start(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", golden={"rows": [[0.25]], "scores": [0.75]})
    with pytest.raises(BundleError, match="expected the golden rows to score as the trainer wrote"):
        build_handler({"SCORER_BUNDLE": str(bundle)}, stream=io.StringIO())


def test_a_model_that_is_no_onnx_is_refused_at_cold_start(tmp_path: Path) -> None:
    import hashlib  # noqa: PLC0415

    from tests.unit.test_bundle import change_manifest  # noqa: PLC0415

    bundle = make_bundle(tmp_path / "bundle")
    (bundle / "model.onnx").write_bytes(b"no model")
    change_manifest(bundle, sha256=hashlib.sha256(b"no model").hexdigest())
    with pytest.raises(BundleError, match=r"model\.onnx: expected an ONNX model, found damaged"):
        build_handler({"SCORER_BUNDLE": str(bundle)}, stream=io.StringIO())


def test_a_policy_with_a_typo_is_refused_at_cold_start(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy.toml", 'treshold = 0.5\nmode = "filtre"\n')
    with pytest.raises(SettingsError) as raised:
        build_handler({"SCORER_POLICY": str(policy)}, stream=io.StringIO())
    assert str(raised.value).startswith(
        f"{policy}: treshold: unknown key; expected one of mode, threshold, "
    )
    assert str(raised.value).endswith(
        "mode: expected one of filter, annotate, shadow, found other text"
    )


def test_an_observer_sees_each_batch_with_its_decisions_row_for_row(tmp_path: Path) -> None:
    watcher = Watcher()
    handle = build_handler(
        {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}, observer=watcher, stream=io.StringIO()
    )
    handle(make_event({"a": make_endpoint(0.75), "b": make_endpoint(0.25)}), None)
    (account,) = watcher.accounts
    assert [
        (endpoint.id, decision.sent)
        for endpoint, decision in zip(account.batch.endpoints, account.decisions, strict=True)
    ] == [
        ("a", True),
        ("b", False),
    ]


def test_the_reserve_is_held_back_from_the_time_lambda_leaves(tmp_path: Path) -> None:
    scorer, clock = FakeScorer(), FakeClock()
    environ = {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b")), "SCORER_RESERVE_MS": "1000"}
    handle = build_handler(environ, scorer=scorer, stream=io.StringIO(), clock=clock)
    handle(make_event({"a": make_endpoint(0.5)}), FakeContext(4.0, clock))
    assert scorer.timeouts == [3.0]


def test_the_host_waits_no_longer_than_its_own_limit_whatever_lambda_leaves(tmp_path: Path) -> None:
    scorer, clock = FakeScorer(), FakeClock()
    environ = {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}
    handle = build_handler(environ, scorer=scorer, stream=io.StringIO(), clock=clock)
    handle(make_event({"a": make_endpoint(0.5)}), FakeContext(900.0, clock))
    assert scorer.timeouts == [14.5]


def test_only_the_first_event_pays_for_the_cold_start(tmp_path: Path) -> None:
    scorer, log = FakeScorer(), io.StringIO()
    environ = {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b")), **IN_LAMBDA}
    handle = build_handler(environ, scorer=scorer, stream=log, clock=FakeClock())
    for _ in range(2):
        handle(make_event({"a": make_endpoint(0.5)}), None)
    # This process has run for a while, which looks like a cold start to the first event.
    assert 14.5 - LONGEST_INIT <= scorer.timeouts[0] < scorer.timeouts[1] == 14.5
    assert [
        line["cold_start"] for line in read_log(log.getvalue()) if line.get("message") == "batch"
    ] == [1, 0]


@pytest.mark.parametrize("kind", ["provisioned-concurrency", "snap-start"])
def test_a_start_ahead_of_time_costs_nobody(kind: str) -> None:
    assert measure_cold_start({**IN_LAMBDA, "AWS_LAMBDA_INITIALIZATION_TYPE": kind}) == 0.0


def test_outside_lambda_nobody_waits_for_a_cold_start() -> None:
    assert measure_cold_start({}) == 0.0


@pytest.mark.parametrize(
    "environ", [IN_LAMBDA, {**IN_LAMBDA, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}]
)
def test_a_cold_start_counts_from_the_start_of_the_process_and_ends_at_ten_seconds(
    environ: dict[str, str],
) -> None:
    assert 0.0 < measure_cold_start(environ) <= LONGEST_INIT


def test_without_a_context_time_does_not_run_out() -> None:
    assert watch_remaining(None)() == float("inf")
