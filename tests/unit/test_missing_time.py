"""An event without a readable time: counted, warned of, and decided as `on_missing_time` says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import Handler, build_handler
from function.errors import EventTimeMissing
from model.features import load_spec
from segment_scorer.cli.main import main
from tests.fakes import FakeContext, make_bundle, make_event, read_log, write_policy

DATA = Path(__file__).parents[1] / "data" / "connect-time"
ORDERED = "2026-01-15T00:00:00Z"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Scores a person by the days since the order, clipped to 0..1; a missing age scores 0."""
    return make_bundle(tmp_path / "bundle", load_spec(DATA / "features.toml"))


def make_hook(bundle: Path, policy: str, log: io.StringIO) -> Handler:
    path = write_policy(bundle.parent / "policy.toml", policy)
    return build_handler({"SCORER_BUNDLE": str(bundle), "SCORER_POLICY": str(path)}, stream=log)


def answer(
    bundle: Path, name: str, policy: str = ""
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The one result of a recorded event, and the lines of the log."""
    log = io.StringIO()
    event = json.loads((DATA / name).read_text("utf-8"))
    reply = make_hook(bundle, policy, log)(event, FakeContext())
    (item,) = reply["Items"]["CustomerProfiles"]
    return item["ResultData"], read_log(log.getvalue())


def test_a_dated_run_id_gives_ages_and_no_warning(bundle: Path) -> None:
    result, log = answer(bundle, "dated-run.json")
    assert (result["score"], result["decision"]) == (1.0, "keep")
    assert [line["level"] for line in log if "level" in line] == ["INFO"]
    assert [line["time_missing"] for line in log] == [0]


def test_awss_own_example_is_scored_without_ages_which_is_counted_and_warned_of(
    bundle: Path,
) -> None:
    result, (warning, *_, line) = answer(bundle, "aws-example.json")
    assert (result["score"], result["decision"], result["reason"]) == (0.0, "drop", "score")
    assert line["time_missing"] == 1
    assert warning["level"] == "WARNING"
    assert warning["message"].startswith("$.InvocationMetadata.CampaignContext.RunId: expected ")
    assert warning["message"].endswith(
        "found none; people are scored without their ages (on_missing_time = score)"
    )


@pytest.mark.parametrize("on_error", ["keep", "drop"])
def test_no_scores_lets_on_error_decide(bundle: Path, on_error: str) -> None:
    policy = f'on_missing_time = "no_scores"\non_error = "{on_error}"\n'
    result, (warning, *_, line) = answer(bundle, "aws-example.json", policy)
    assert (result["score"], result["decision"], result["reason"]) == (None, on_error, "no_scores")
    assert (line["error"], line["unscored"], line["time_missing"]) == ("EventTimeMissing", 1, 1)
    assert warning["message"].endswith("nobody is scored (on_missing_time = no_scores)")


def test_no_scores_leaves_an_event_with_a_time_alone(bundle: Path) -> None:
    result, _ = answer(bundle, "dated-run.json", 'on_missing_time = "no_scores"\n')
    assert (result["score"], result["reason"]) == (1.0, "score")


def test_no_scores_raises_if_on_error_does_except_in_shadow(bundle: Path) -> None:
    policy = 'on_missing_time = "no_scores"\non_error = "raise"\n'
    with pytest.raises(EventTimeMissing, match="expected a time in the event"):
        answer(bundle, "aws-example.json", policy)
    result, _ = answer(bundle, "aws-example.json", policy + 'mode = "shadow"\n')
    assert result["decision"] == "keep"


@pytest.mark.parametrize(
    "run_id",
    [
        None,
        5,
        "",
        "run-67890",
        "c#2026-07-03",
        "c#2026-13-03T10-04-00Z",
        "c#2026-07-03T10-04-00Z ",
        "2026-07-03T10-04-00Z",
    ],
)
def test_every_run_id_without_a_readable_time_is_warned_of(bundle: Path, run_id: Any) -> None:
    event = json.loads((DATA / "dated-run.json").read_text("utf-8"))
    event["InvocationMetadata"]["CampaignContext"]["RunId"] = run_id
    log = io.StringIO()
    make_hook(bundle, "", log)(event, FakeContext())
    assert read_log(log.getvalue())[0]["level"] == "WARNING"


@pytest.mark.parametrize("time", [None, "", "tomorrow", "2026-13-31T00:00:00Z"])
def test_a_pinpoint_event_without_a_readable_time_is_warned_of_too(bundle: Path, time: Any) -> None:
    log = io.StringIO()
    event = make_event({"a": {"Attributes": {"LastOrder": [ORDERED]}}}, ScheduledTime=time)
    make_hook(bundle, "", log)(event, FakeContext())
    warning, *_, line = read_log(log.getvalue())
    assert warning["message"].startswith("$.ScheduledTime: expected a time (ISO 8601), found none;")
    assert line["time_missing"] == 1


def test_invoke_and_explain_say_that_the_event_has_no_time(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCORER_BUNDLE", str(bundle))
    assert main(["invoke", str(DATA / "aws-example.json")]) == 0
    warning = "warning: $.InvocationMetadata.CampaignContext.RunId: expected a RunId that ends in "
    assert capsys.readouterr().err.startswith(warning)
    assert main(["policy", "explain", "--endpoint", str(DATA / "aws-example.json")]) == 0
    assert f"  {warning}" in capsys.readouterr().out
    assert main(["invoke", str(DATA / "dated-run.json")]) == 0
    assert "warning" not in capsys.readouterr().err
