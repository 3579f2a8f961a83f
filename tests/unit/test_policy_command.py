"""`segment-scorer policy check` and `policy explain`; segment_scorer/monitoring/explain.py."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec.structs
import pytest

from function.bootstrap import load_policy_for
from function.policy import Rules
from function.policy_file import read_policy
from function.policy_values import KEYS
from model.bundle import load_bundle
from model.score_kind import RESPONSE
from segment_scorer.cli.main import main
from tests.fakes import make_bundle, make_endpoint, make_event, write_policy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


def read_decisions(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without the reasons of a score (tests/unit/test_attribution.py)."""
    reasons = ("  what moved it", "  + ", "  - ")
    lines = capsys.readouterr().out.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(reasons))


def explain(tmp_path: Path, bundle: Path, document: Any, policy: str, *options: str) -> list[str]:
    endpoint = tmp_path / "endpoint.json"
    endpoint.write_text(json.dumps(document), "utf-8")
    path = write_policy(tmp_path / "policy.toml", policy)
    return [
        "policy",
        "explain",
        "--endpoint",
        str(endpoint),
        "--policy",
        str(path),
        "--bundle",
        str(bundle),
        *options,
    ]


def test_check_prints_every_rule_with_its_default_filled_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["policy", "check", str(ROOT / "function" / "policy.toml")]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    table = tomllib.loads(shown.out)
    assert set(table) == set(KEYS) - {"band", "exclude"}
    assert (
        table["threshold"]
        == json.loads((ROOT / "model" / "artifact" / "manifest.json").read_text("utf-8"))[
            "threshold"
        ]
    )


def test_check_takes_the_bundle_that_the_environment_names_as_the_function_does(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_BUNDLE", str(bundle))
    assert main(["policy", "check", str(ROOT / "function" / "policy.toml")]) == 0
    threshold = json.loads((bundle / "manifest.json").read_text("utf-8"))["threshold"]
    assert tomllib.loads(capsys.readouterr().out)["threshold"] == threshold


def test_check_says_everything_that_is_wrong_and_ends_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_policy(tmp_path / "policy.toml", 'treshold = 1\nmode = "x"\n')
    assert main(["policy", "check", str(path)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(
        f"segment-scorer policy check: {path}: treshold: unknown key; expected one of mode, "
    )
    assert shown.err.endswith(
        "; mode: expected one of filter, annotate, shadow, found other text\n"
    )


def test_check_prints_warnings_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_policy(tmp_path / "policy.toml", 'score_attribute = "a/b"\n')
    assert main(["policy", "check", str(path)]) == 0
    assert capsys.readouterr().err == (
        f"segment-scorer policy check: warning: {path}: score_attribute: "
        "Pinpoint advises against # : ? \\ / in attribute names\n"
    )


def test_check_prints_what_each_override_comes_to(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        'decimals = 2\n[[band]]\nname = "a"\nat_least = 0.5\n'
        '[[override]]\ncampaign_id = "c"\nthreshold = { reach = 0.3 }\n'
    )
    assert (
        main(
            [
                "policy",
                "check",
                str(write_policy(tmp_path / "policy.toml", text)),
                "--bundle",
                str(bundle),
            ]
        )
        == 0
    )
    own, override = capsys.readouterr().out.split("\n# Its rules for campaign_id = c:\n")
    (table,) = tomllib.loads(override)["override"]
    assert table["threshold"] == pytest.approx(0.7)
    assert table["decimals"] == 2
    assert tomllib.loads(own)["threshold"] == 0.5


EVERY_KIND = """
threshold = { reach = 0.3 }
keep = "below"
decimals = 2
min_present = 0.25
score_attribute = "S"
band_attribute = "Band"
[holdout]
percent = 12.5
salt = "quoted \\" # salt"
attribute = "Control"
[[band]]
name = "top"
reach = 0.1
title_override = "Hi"
[[band]]
name = "rest"
reach = 1.0
[[exclude]]
path = "Metrics.Mails"
reason = "often"
at_least = 3
[[exclude]]
path = "Attributes.Consent"
reason = "consent"
missing = true
[external]
Tier = "External.tier"
[[override]]
campaign_id = "two\\nlines"
treatment_id = "1"
band = []
exclude = []
mode = "shadow"
[override.external]
[override.holdout]
percent = 50
[[override]]
campaign_id = "plain"
[[override.band]]
name = "all"
at_least = 0.0
"""


def test_what_check_prints_is_a_policy_file_with_the_same_rules(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, printed = write_policy(tmp_path / "policy.toml", EVERY_KIND), tmp_path / "printed.toml"
    assert main(["policy", "check", str(path), "--bundle", str(bundle)]) == 0
    printed.write_text(capsys.readouterr().out, "utf-8")
    assert main(["policy", "check", str(printed), "--bundle", str(bundle)]) == 0
    loaded = load_bundle(bundle)
    first, second = (load_policy_for(each, loaded, RESPONSE) for each in (path, printed))
    assert drop_reach(second.rules) == drop_reach(first.rules)
    assert len(first.overrides) == 2
    for one, other in zip(first.overrides, second.overrides, strict=True):
        assert (one.ids, drop_reach(one.rules)) == (other.ids, drop_reach(other.rules))


def drop_reach(rules: Rules) -> Rules:
    """The rules without where their threshold came from: a number has replaced it."""
    return msgspec.structs.replace(rules, reach=None)


ALL = "1 of 1 features present"
HIGH = f"kept: score: score 0.7500 >= threshold 0.5; keep = at_least; {ALL}\n"
LOW = f"score: score 0.2500 < threshold 0.5; keep = at_least; {ALL}\n"
BAND = '[[band]]\nname = "high"\nat_least = 0.7\n'
# document, policy, explanation
EXPLAINED: list[tuple[Any, str, str]] = [
    (make_endpoint(0.75), "", HIGH + "  writes Attributes.Score = 0.7500\n"),
    (make_endpoint(0.25), "", "left out: " + LOW),
    (
        make_endpoint(0.25),
        'keep = "below"\nscore_attribute = ""',
        f"kept: score: score 0.2500 < threshold 0.5; keep = below; {ALL}\n",
    ),
    (
        make_endpoint(0.25),
        'mode = "annotate"',
        f"kept: {LOW}  sent all the same: mode = annotate\n  writes Attributes.Score = 0.2500\n",
    ),
    (
        make_endpoint(None),
        'min_present = 0.5\nsparse = "drop"',
        (
            "left out: sparse: 0 of 1 features present, which is below min_present = 0.5; "
            "sparse = drop\n"
            "  warning: 1 of 1 people are sparse: they have less than min_present = 0.5 of the "
            "model's features. Check the import that fills the features\n"
        ),
    ),
    (
        {"Metrics": {"score": "x"}},
        "",
        (
            "kept: unreadable: $.Endpoints[0].Metrics.score: expected a number, found text; "
            "unreadable = keep\n"
        ),
    ),
    (
        make_endpoint(0.75, Id="user-1"),
        "[holdout]\npercent = 82\n",
        (
            "left out: holdout: its random draw, 81.1681 of 100, is below holdout.percent = 82\n"
            "  without the holdout: selected: score 0.7500 >= threshold 0.5; keep = at_least; "
            f"{ALL}\n"
        ),
    ),
    (
        make_endpoint(0.75),
        BAND,
        HIGH + "  band high, from 0.7\n  writes Attributes.Score = 0.7500\n",
    ),
]


@pytest.mark.parametrize(("document", "policy", "shown"), EXPLAINED)
def test_explain_says_which_rule_decided_and_with_which_numbers(
    *,
    document: Any,
    policy: str,
    shown: str,
    tmp_path: Path,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(explain(tmp_path, bundle, document, policy)) == 0
    assert read_decisions(capsys) == shown


def test_explain_says_which_override_the_campaign_falls_under(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = '[[override]]\ncampaign_id = "c"\nthreshold = 0.9\n'
    assert main(explain(tmp_path, bundle, make_endpoint(0.75), policy, "--campaign-id", "c")) == 0
    assert read_decisions(capsys) == (
        f"left out: score: score 0.7500 < threshold 0.9; keep = at_least; {ALL}\n"
        "  override for campaign_id = c\n"
    )


def test_explain_takes_a_customer_profile_as_the_runner_does(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ProfileId", "profileId"):
        profile = {name: "p1", "Attributes": {"Metrics_score": "0.75"}}
        time = ("--scheduled-time", "2026-07-03T10:04:00.000Z")
        assert main(explain(tmp_path, bundle, profile, "", *time)) == 0
        assert read_decisions(capsys) == HIGH


@pytest.mark.parametrize("field", [{"OptOut": "ALL"}, {"EndpointStatus": "INACTIVE"}])
def test_explain_says_whom_no_host_would_ask_about(
    field: dict[str, str], tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(explain(tmp_path, bundle, make_endpoint(0.75, **field), "")) == 0
    assert read_decisions(capsys).endswith(
        "  the host would not send it: OptOut is ALL or EndpointStatus is INACTIVE\n"
    )


def test_explain_takes_a_whole_event_of_either_host(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(explain(tmp_path, bundle, make_event({"a": make_endpoint(0.75), "b": None}), "")) == 0
    )
    shown = read_decisions(capsys)
    assert re.findall(r"^endpoint \d: [a-z ]+: [a-z]+", shown, re.MULTILINE) == [
        "endpoint 1: kept: score", "endpoint 2: left out: unreadable",
    ]  # fmt: skip
    assert shown.endswith("  left out whatever the policy says: it cannot be sent back\n")
    connect = json.loads((ROOT / "tests" / "events" / "connect.json").read_text("utf-8"))
    assert main(explain(tmp_path, bundle, connect, "", "--json")) == 0
    shown = json.loads(read_decisions(capsys))
    assert [one["selected"] for one in shown] == [True, False, False]
    assert [one["sent"] for one in shown] == [True, False, False]


def test_explain_without_a_policy_takes_the_one_the_environment_names(
    tmp_path: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(
        "SCORER_POLICY", str(write_policy(tmp_path / "other.toml", "threshold = 0.9"))
    )
    endpoint = tmp_path / "endpoint.json"
    endpoint.write_text(json.dumps(make_endpoint(0.75)), "utf-8")
    assert main(["policy", "explain", "--endpoint", str(endpoint), "--bundle", str(bundle)]) == 0
    assert capsys.readouterr().out.startswith("left out: score: score 0.7500 < threshold 0.9")


@pytest.mark.parametrize("content", [None, "", "{", "[]", "[" * 100_000])
def test_explain_refuses_a_file_that_holds_no_object_in_a_sentence(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "endpoint.json"
    if content is not None:
        path.write_text(content, "utf-8")
    assert main(["policy", "explain", "--endpoint", str(path)]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)


def test_both_verbs_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "--help"]) == 0
    assert {"check", "explain"} <= set(capsys.readouterr().out.split())


def documented_policy() -> str:
    document = (ROOT / "docs" / "policy.md").read_text("utf-8")
    block, *_ = re.findall(r"^```toml\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_documented_policy_passes_policy_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["policy", "check", str(write_policy(tmp_path / "policy.toml", documented_policy()))])
        == 0
    )
    assert capsys.readouterr().err == ""


def test_the_commands_of_the_document_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    document = (ROOT / "docs" / "policy.md").read_text("utf-8")
    commands = re.findall(r"^\$ \S*segment-scorer (.+)$", document, re.MULTILINE)
    # The runs of the recipes have a test of their own: tests/integration/test_policy_recipes.py.
    commands = [command for command in commands if command.startswith("policy ")]
    assert len(commands) >= 3
    assert [main(command.split()) for command in commands] == [0] * len(commands)
    assert "features present" in capsys.readouterr().out


def test_the_documented_policy_shows_every_key_in_order() -> None:
    table = tomllib.loads(documented_policy())
    assert list(table) == [*KEYS, "override"]
    assert set(table["holdout"]) == {"percent", "salt", "attribute"}
    assert set(table["band"][0]) == {"name", "at_least", "title_override", "body_override"}
    assert set(table["exclude"][0]) == {"path", "reason", "at_least"}
    assert set(table["override"][0]) >= {"application_id", "campaign_id", "treatment_id"}


def test_a_comment_of_the_documented_policy_that_names_a_default_names_the_real_one() -> None:
    defaults = read_policy({}, threshold=0.5, quantiles=(0.0, 1.0)).rules
    for key, words in re.findall(
        r"^(\w+) = .*# default (\S+?)[,;:.]?(?: |$)",
        documented_policy().split("[holdout]")[0],
        re.MULTILINE,
    ):
        assert key == "threshold" or tomllib.loads(f"v = {words}")["v"] == getattr(defaults, key)


def test_check_prints_exclude_rules_that_it_accepts_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_policy(
        tmp_path / "policy.toml",
        '[[exclude]]\npath = "Attributes.Consent"\nreason = "no_consent"\nmissing = true\n'
        '[[exclude]]\npath = "Location.Country"\nreason = "abroad"\none_of = ["DE", "AT"]\n',
    )
    assert main(["policy", "check", str(first)]) == 0
    rules = tomllib.loads(capsys.readouterr().out)["exclude"]
    assert rules == tomllib.loads(first.read_text("utf-8"))["exclude"]


def test_explain_names_the_exclude_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = write_policy(
        tmp_path / "policy.toml",
        '[[exclude]]\npath = "Attributes.Consent"\nreason = "no_consent"\nmissing = true\n',
    )
    endpoint = ROOT / "examples" / "cdnow" / "endpoint.json"
    command = ["policy", "explain", "--endpoint", str(endpoint), "--policy", str(policy)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.startswith("left out: excluded: the policy's exclude rule no_consent applies: ")
    assert "Attributes.Consent missing = true" in told
