"""An override that matches nothing is said: segment_scorer/monitoring/overrides.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from function.policy_file import read_policy
from function.records import Context
from segment_scorer.cli.main import main
from segment_scorer.monitoring.overrides import find_unmatched
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.preparation import check_ids
from tests.fakes import make_bundle, make_endpoint, make_event, write_policy

POLICY = """
[[override]]
campaign_id = "spring"
threshold = 0.1

[[override]]
campaign_id = "summer"
treatment_id = "1"
threshold = 0.2
"""
SLIP = (
    "campaign_id: no [[override]] of the policy names this one, so the rules for all campaigns "
    "apply. Overrides name spring, summer. Meant: spring?"
)


def read(*overrides: dict[str, Any]) -> Any:
    return read_policy({"override": list(overrides)}, threshold=0.5, quantiles=(0.0, 1.0))


TWO = read({"campaign_id": "spring"}, {"campaign_id": "summer", "treatment_id": "1"})


def test_a_slip_is_named_with_the_ids_that_have_rules() -> None:
    assert find_unmatched(TWO, Context(campaign_id="sprnig", treatment_id="0")) == [SLIP]


@pytest.mark.parametrize(
    "context",
    [
        Context(campaign_id="spring"),
        Context(campaign_id="summer", treatment_id="1"),
        Context(campaign_id="summer", treatment_id="0"),
        Context(application_id="a", campaign_id="spring"),
        Context(campaign_id=""),
        Context(),
    ],
)
def test_a_campaign_that_an_override_names_or_no_campaign_at_all_is_no_slip(
    context: Context,
) -> None:
    assert find_unmatched(TWO, context) == []


def test_a_policy_without_overrides_has_none_to_match() -> None:
    assert find_unmatched(read(), Context(campaign_id="sprnig")) == []


def test_an_application_is_checked_too_and_nothing_is_guessed_of_what_is_unlike() -> None:
    policy = read({"application_id": "shop", "campaign_id": "spring"})
    context = Context(application_id="zzzz", campaign_id="qqqq")
    campaign, application = find_unmatched(policy, context)
    assert campaign.startswith("campaign_id: ")
    assert application.startswith("application_id: ")
    assert application.endswith("Overrides name shop.")


def test_of_many_overrides_only_a_few_are_named() -> None:
    policy = read(*({"campaign_id": f"c{number}"} for number in range(50)))
    (sentence,) = find_unmatched(policy, Context(campaign_id="sprnig"))
    assert "Overrides name c0, c1, c10 and 47 more." in sentence


def test_the_id_of_the_event_is_not_repeated() -> None:
    (sentence,) = find_unmatched(TWO, Context(campaign_id="anna@example.com"))
    assert "anna" not in sentence


def test_a_run_checks_only_the_ids_that_the_user_gave() -> None:
    policy = read({"application_id": "shop", "campaign_id": "spring"})
    options = {"segment": ["s"], "out": "o"}
    assert check_ids(policy, RunOptions(**options)) == ()
    (sentence,) = check_ids(policy, RunOptions(**options, campaign_id="sprnig"))
    assert sentence.startswith("campaign_id: ")
    assert len(check_ids(policy, RunOptions(**options, application_id="x", campaign_id="y"))) == 2
    on_connect = RunOptions(**options, host="connect", application_id="x", campaign_id="y")
    assert len(check_ids(policy, on_connect)) == 1


def test_run_invoke_and_explain_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCORER_BUNDLE", str(make_bundle(tmp_path / "bundle")))
    monkeypatch.setenv("SCORER_POLICY", str(write_policy(tmp_path / "policy.toml", POLICY)))
    segment = tmp_path / "segment.jsonl"
    segment.write_text(json.dumps({"Id": "a", **make_endpoint(0.9)}) + "\n")
    run = ["run", str(segment), "--campaign-id", "sprnig", "--out", str(tmp_path / "out")]
    assert main(run) == 0
    assert capsys.readouterr().err.startswith(SLIP)
    assert SLIP in (tmp_path / "out" / "report.html").read_text("utf-8")

    event = tmp_path / "event.json"
    event.write_text(json.dumps(make_event({"a": make_endpoint(0.9)}, CampaignId="sprnig")))
    assert main(["invoke", str(event)]) == 0
    assert capsys.readouterr().err.startswith(f"warning: {SLIP}")

    endpoint = tmp_path / "endpoint.json"
    endpoint.write_text(json.dumps(make_endpoint(0.9)))
    explain = ["policy", "explain", "--endpoint", str(endpoint), "--campaign-id"]
    assert main([*explain, "sprnig"]) == 0
    assert f"  warning: {SLIP}\n" in capsys.readouterr().out
    assert main([*explain, "spring"]) == 0
    assert "warning" not in capsys.readouterr().out
