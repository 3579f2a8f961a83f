"""function/pipeline.py: the line of rooms, its time budget and its one `try`."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from function.bootstrap import build_handler
from function.errors import (
    EventError,
    ExternalTimeout,
    ScorerError,
    ScorerRejected,
    ScorerTimeout,
    ScorerUnavailable,
)
from function.external.lookup import ExternalSource
from function.hosts import Host
from function.hosts.connect import CONNECT
from function.hosts.pinpoint import PINPOINT, PinpointHost
from function.pipeline import Pipeline
from function.policy_file import read_policy
from function.records import Batch
from function.scorers.fallback import score_in_order
from function.telemetry import Telemetry
from tests.fake_external import FakeStore
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
from tests.rooms import load_tiny, make_handler
from tests.strategies import make_connect_event

UNAVAILABLE = ScorerUnavailable("expected a service, found none")
LATE = ScorerTimeout("expected scores within the time budget")


def answer_slowly(
    event: dict[str, Any],
    left: float,
    clock: FakeClock,
    *,
    hosts: Sequence[Host] = (PINPOINT, CONNECT),
    cold: float | None = None,
    **more: Any,
) -> list[float]:
    """Answer with a scorer that takes all its time on a fake clock; give the times it was given."""
    bundle, _ = load_tiny()
    scorer = FakeScorer(error=LATE, takes=float("inf"), clock=clock)
    end = clock() + left
    pipeline = Pipeline(
        hosts=hosts,
        spec=bundle.spec,
        scorers=(scorer,),
        policy=read_policy(
            {"mode": more.pop("mode", "filter")}, threshold=0.5, quantiles=(0.0, 1.0)
        ),
        telemetry=Telemetry(bundle=bundle, stream=io.StringIO(), level="INFO"),
        label=bundle.label,
        reserve=0.5,
        clock=clock,
        **more,
    )
    assert pipeline.answer(event, lambda: end - clock(), cold)
    return scorer.timeouts


PINPOINT_EVENT = make_event({"a": make_endpoint(0.9), "b": make_endpoint(0.1)})
CONNECT_EVENT = make_connect_event([{"ProfileId": "a", "CustomerData": "{}"}])


@pytest.mark.parametrize("mode", ["filter", "annotate", "shadow"])
@pytest.mark.parametrize(
    "cold",
    [None, 0.0, 4.0, 10.0],
    ids=["warm", "cold, no host waiting", "cold", "as cold as can be"],
)
@pytest.mark.parametrize("event", [PINPOINT_EVENT, CONNECT_EVENT], ids=["pinpoint", "connect"])
@pytest.mark.parametrize("left", [3.0, 15.0, 900.0])
def test_the_host_always_has_an_answer_within_its_limit(
    event: dict[str, Any], cold: float | None, mode: str, left: float
) -> None:
    limit = PINPOINT.limit_seconds if event is PINPOINT_EVENT else CONNECT.limit_seconds
    clock = FakeClock()
    started = clock()
    timeouts = answer_slowly(event, left, clock, cold=cold, mode=mode)
    spent = clock() - started
    assert (cold or 0.0) + spent <= limit - 0.5
    assert left - spent >= 0.5
    assert timeouts == [min(left, limit - (cold or 0.0)) - 0.5], "no less than there is, either"


@pytest.mark.parametrize("mode", ["filter", "annotate", "shadow"])
@pytest.mark.parametrize(
    "lambda_",
    [{}, {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}],
    ids=["no host waiting", "in Lambda"],
)
def test_a_scorer_that_takes_all_its_time_leaves_the_reserve_for_the_answer(
    tmp_path: Path, mode: str, lambda_: dict[str, str]
) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    policy = write_policy(tmp_path / "policy.toml", f'mode = "{mode}"\n')
    clock = FakeClock()
    scorer = FakeScorer(error=LATE, takes=60.0, clock=clock)
    environ = {
        "SCORER_BUNDLE": str(bundle),
        "SCORER_POLICY": str(policy),
        "SCORER_RESERVE_MS": "250",
        **lambda_,
    }
    handle = build_handler(environ, scorer=scorer, stream=io.StringIO(), clock=clock)
    for _ in range(2):  # cold, then warm
        context = FakeContext(2.0, clock)  # less than a host waits, however cold the start was
        assert list(handle(PINPOINT_EVENT, context)) == ["a", "b"]
        assert context.get_remaining_time_in_millis() == 250


def test_a_budget_that_is_spent_already_still_gets_an_answer() -> None:
    assert answer_slowly(PINPOINT_EVENT, 0.25, FakeClock()) == [0.0]


def test_reading_the_event_counts_against_the_budget() -> None:
    clock = FakeClock()

    class SlowHost(PinpointHost):
        def parse_event(self, event: Mapping[str, Any]) -> Batch:
            clock.pass_by(3.0)
            return super().parse_event(event)

    for left in (9.0, 900.0):
        assert answer_slowly(PINPOINT_EVENT, left, clock, hosts=(SlowHost(),)) == [
            min(left, PINPOINT.limit_seconds) - 3.0 - 0.5
        ]


@pytest.mark.parametrize("error", [None, ExternalTimeout("late")])
def test_looking_profiles_up_counts_against_the_budget(error: ExternalTimeout | None) -> None:
    clock = FakeClock()
    store = FakeStore(error=error, takes=2.0, clock=clock)
    source = ExternalSource(store=store, key=(), patience=5.0, scored=False)
    assert answer_slowly(PINPOINT_EVENT, 9.0, clock, external=source) == [9.0 - 2.0 - 0.5]


def test_a_scorer_that_failed_counts_against_the_budget_of_the_next() -> None:
    clock = FakeClock()
    scorers = [FakeScorer(error=UNAVAILABLE, takes=takes, clock=clock) for takes in (1.5, 4.0, 1.0)]
    with pytest.raises(ScorerUnavailable):
        score_in_order(scorers, np.zeros((1, 1), np.float32), 5.0, clock)
    assert [scorer.timeouts for scorer in scorers] == [[5.0], [3.5], [0.0]]


@pytest.mark.parametrize("mode", ["filter", "annotate", "shadow"])
@pytest.mark.parametrize("error", [UNAVAILABLE, ScorerTimeout("late"), ScorerRejected("no")])
def test_a_scorer_that_fails_is_the_policys_on_error_and_no_exception(
    mode: str, error: ScorerError
) -> None:
    scorer = FakeScorer(error=error)
    assert list(make_handler({"mode": mode}, asked=scorer)(PINPOINT_EVENT)) == ["a", "b"]
    dropped = make_handler({"mode": mode, "on_error": "drop"}, asked=scorer)(PINPOINT_EVENT)
    assert list(dropped) == ([] if mode == "filter" else ["a", "b"])


def test_on_error_raise_raises_the_scorers_own_error_but_in_shadow() -> None:
    with pytest.raises(ScorerUnavailable, match="expected a service, found none"):
        make_handler({"on_error": "raise"}, asked=FakeScorer(error=UNAVAILABLE))(PINPOINT_EVENT)
    assert (
        make_handler({"on_error": "raise", "mode": "shadow"}, asked=FakeScorer(error=UNAVAILABLE))(
            PINPOINT_EVENT
        )
        == PINPOINT_EVENT["Endpoints"]
    )


def test_shadow_answers_what_came() -> None:
    policy = {
        "mode": "shadow",
        "band": [{"name": "x", "at_least": 0, "body_override": "b"}],
        "holdout": {"percent": 50, "attribute": "C"},
    }
    event = make_event(
        {str(index): make_endpoint(index / 20, ChannelType="SMS") for index in range(20)}
    )
    assert make_handler(policy)(event) == event["Endpoints"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        5,
        {},
        {"Endpoints": []},
        {"Items": {}},
        {"Items": {"CustomerProfiles": {}}},
        {"Endpoints": None},
    ],
)
def test_what_is_no_hook_event_raises_an_error_that_names_what_was_expected_and_where(
    event: Any,
) -> None:
    with pytest.raises(EventError) as raised:
        make_handler({})(event)
    assert str(raised.value) == (
        "expected a campaign hook event: an object with $.Endpoints, an object (Amazon Pinpoint), "
        "$.Items.CustomerProfiles, a list (Amazon Connect), or $.requestContext.http, an object "
        "(HTTP, payload 2.0)"
    )


def test_only_readable_endpoints_with_enough_features_are_scored() -> None:
    scorer = FakeScorer()
    event = make_event(
        {
            "a": make_endpoint(0.9),
            "bad": None,
            "empty": make_endpoint(None),
            "c": make_endpoint(0.25),
        }
    )
    watcher = Watcher()
    make_handler({"min_present": 0.5}, asked=scorer, observer=watcher)(event)
    assert np.array_equal(scorer.matrices[0], np.array([[0.9], [0.25]], dtype=np.float32))
    assert [(decision.reason, decision.score) for decision in watcher.decisions] == [
        ("score", 0.9), ("unreadable", None), ("sparse", None), ("score", 0.25),
    ]  # fmt: skip


def test_where_nobody_can_be_scored_no_scorer_is_asked() -> None:
    scorer = FakeScorer(error=UNAVAILABLE)
    watcher = Watcher()
    make_handler({"min_present": 1.0}, asked=scorer, observer=watcher)(
        make_event({"a": None, "b": make_endpoint(None)})
    )
    assert scorer.matrices == []
    assert [decision.reason for decision in watcher.decisions] == ["unreadable", "sparse"]


def test_ages_are_measured_against_the_events_own_time(tmp_path: Path) -> None:
    from model.features import read_spec  # noqa: PLC0415

    spec = read_spec({"feature": [{"name": "age", "path": "CreationDate", "kind": "age"}]})
    scorer = FakeScorer()
    handle = build_handler(
        {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b", spec))},
        scorer=scorer,
        stream=io.StringIO(),
    )
    handle(make_event({"a": {"CreationDate": "2026-01-30T19:00:16.843Z"}}), None)
    assert scorer.matrices[0].tolist() == [[1.0]]


def answers(*working: bool) -> Callable[[dict[str, Any]], dict[str, Any]]:
    bundle, scorer = load_tiny()
    log = io.StringIO()
    pipeline = Pipeline(
        hosts=(PINPOINT,),
        spec=bundle.spec,
        scorers=[scorer if works else FakeScorer(error=UNAVAILABLE) for works in working],
        policy=read_policy({}, threshold=0.5, quantiles=(0.0, 1.0)),
        telemetry=Telemetry(bundle=bundle, stream=log, level="INFO"),
        label=bundle.label,
        reserve=0.5,
    )
    pipeline.answer(PINPOINT_EVENT, lambda: 15.0)
    return next(
        line for line in read_log(log.getvalue()) if line.get("message") == "batch"
    ).__getitem__


def test_a_batch_that_a_fallback_scored_says_so() -> None:
    line = answers(False, True)
    assert (line("fallback_used"), line("error"), line("scored_by"), line("unscored")) == (
        1,
        "ScorerUnavailable",
        "tiny@1",
        0,
    )


def test_a_batch_that_nobody_scored_says_so() -> None:
    line = answers(False, False)
    assert (line("fallback_used"), line("error"), line("unscored")) == (0, "ScorerUnavailable", 2)


def test_the_clock_is_asked_again_when_the_reply_is_ready() -> None:
    log, left = io.StringIO(), iter([9.0, 7.25])
    bundle, scorer = load_tiny()
    pipeline = Pipeline(
        hosts=(PINPOINT,),
        spec=bundle.spec,
        scorers=(scorer,),
        policy=read_policy({}, threshold=0.5, quantiles=(0.0, 1.0)),
        telemetry=Telemetry(bundle=bundle, stream=log, level="INFO"),
        label=bundle.label,
        reserve=0.5,
    )
    pipeline.answer(PINPOINT_EVENT, lambda: next(left))
    assert read_log(log.getvalue())[0]["remaining_ms"] == 7_250
