"""`[[exclude]]` in the function: before scoring, after the holdout, in counts and metrics."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from function.bootstrap import build_handler
from function.errors import ExternalTimeout
from tests.fake_external import FakeStore
from tests.fakes import (
    FakeContext,
    FakeScorer,
    make_bundle,
    make_endpoint,
    make_event,
    read_log,
    write_policy,
)

RULES = """
[[exclude]]
path = "Attributes.Consent"
reason = "no_consent"
equals = "no"
[[exclude]]
path = "Metrics.Mails"
reason = "cap"
at_least = 3
"""
PEOPLE = {
    "a": make_endpoint(0.9),
    "b": make_endpoint(0.9, Attributes={"Consent": ["no"]}),
    "c": make_endpoint(0.1),
}


def answer(folder: Path, policy: str, people: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    environ = {
        "SCORER_BUNDLE": str(make_bundle(folder / "bundle")),
        "SCORER_POLICY": str(write_policy(folder / "policy.toml", policy)),
    }
    log, accounts, scorer = io.StringIO(), list[Any](), FakeScorer()
    handler = build_handler(environ, scorer=scorer, observer=accounts.append, stream=log)
    reply = handler(make_event(people), FakeContext())
    (record,) = [line for line in read_log(log.getvalue()) if line["message"] == "batch"]
    return reply, record, [accounts[0], scorer]


def test_an_excluded_person_is_left_out_without_a_score_and_counted(tmp_path: Path) -> None:
    reply, record, (account, _) = answer(tmp_path, RULES, PEOPLE)
    assert list(reply) == ["a"]
    assert (record["excluded"], record["excluded_no_consent"], record["excluded_cap"]) == (1, 1, 0)
    excluded = account.decisions[1]
    assert (excluded.reason, excluded.selected, excluded.score) == ("excluded", False, None)
    assert len(account.scored.scores) == 2
    assert account.exclude_seen == {"Attributes.Consent": 1, "Metrics.Mails": 0}


def test_the_holdout_is_drawn_first_and_the_excluded_of_it_are_not_selected(
    tmp_path: Path,
) -> None:
    _, record, (account, _) = answer(tmp_path, RULES + "[holdout]\npercent = 100\n", PEOPLE)
    assert [each.reason for each in account.decisions] == ["holdout"] * 3
    assert [each.selected for each in account.decisions] == [True, False, False]
    assert (record["held_out"], record["excluded"], record["excluded_no_consent"]) == (3, 0, 0)


def test_mode_annotate_leaves_nobody_out(tmp_path: Path) -> None:
    reply, record, _ = answer(tmp_path, 'mode = "annotate"\n' + RULES, PEOPLE)
    assert list(reply) == ["a", "b", "c"]
    assert (record["excluded"], record["would_filter"]) == (1, 2)


def test_an_override_replaces_all_rules(tmp_path: Path) -> None:
    override = '[[override]]\napplication_id = "app"\n[[override.exclude]]\n'
    override += 'path = "Metrics.Mails"\nreason = "other"\nmissing = true\n'
    event = make_event(PEOPLE)
    override = override.replace('"app"', f'"{event["ApplicationId"]}"')
    reply, record, _ = answer(tmp_path, RULES + override, PEOPLE)
    assert list(reply) == []
    assert record["excluded_other"] == 3
    assert "excluded_cap" not in record


STORED = '[[exclude]]\npath = "External.suppressed"\nreason = "suppressed"\nequals = true\n'


def answer_from_store(folder: Path, policy: str, store: FakeStore) -> tuple[Any, Any]:
    environ = {
        "SCORER_BUNDLE": str(make_bundle(folder / "bundle")),
        "SCORER_POLICY": str(write_policy(folder / "policy.toml", policy)),
    }
    log = io.StringIO()
    people = {id_: make_endpoint(0.9, User={"UserId": id_}) for id_ in "ab"}
    handler = build_handler(environ, scorer=FakeScorer(), external=store, stream=log)
    reply = handler(make_event(people), FakeContext())
    (record,) = [line for line in read_log(log.getvalue()) if line["message"] == "batch"]
    return reply, record


def test_a_rule_reads_what_the_store_knows(tmp_path: Path) -> None:
    reply, record = answer_from_store(tmp_path, STORED, FakeStore({"a": {"suppressed": 1}}))
    assert list(reply) == ["b"]
    assert record["excluded_suppressed"] == 1


def test_without_the_store_on_error_decides_about_everybody(tmp_path: Path) -> None:
    store = FakeStore(error=ExternalTimeout("late"))
    reply, record = answer_from_store(tmp_path, 'on_error = "drop"\n' + STORED, store)
    assert (list(reply), record["unscored"], record["excluded"]) == ([], 2, 0)
    score = 'on_missing_external = "score"\n' + STORED
    reply, _ = answer_from_store(tmp_path / "other", score, store)
    assert list(reply) == ["a", "b"]
