"""Processing a chunk: from slices to the bytes of the outputs."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.records import Band, Batch, Context, Decision, Endpoint, Reason
from model.score_kind import RESPONSE, UPLIFT
from segment_scorer.runner.asking.host_adapters import read_score
from segment_scorer.runner.asking.host_rules import Attempt, Hook
from segment_scorer.runner.chunks import Chunk, ChunkResult
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import cut_slices, make_finder
from segment_scorer.runner.worker import process_chunk
from segment_scorer.runner.writing.rows import begin_outputs, end_outputs, write_rows
from tests.fake_hooks import DecidingHook, ScriptedHook, account_of, person
from tests.fakes import make_account

CONFIG = RunConfig(
    scheduled_time="2026-01-31T19:00:00.000Z",
    activity_id="run-1",
    campaign_id="spring",
    knows_decisions=True,
    in_process=True,
)
BLIND = RunConfig(scheduled_time="2026-01-31T19:00:00.000Z", activity_id="run-1")


def process(hook: Hook, lines: Sequence[object], config: RunConfig = CONFIG) -> ChunkResult:
    texts = [
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    ]
    pairs = [(number, text) for number, text in enumerate(texts, 1) if not text.isspace()]
    slices = list(cut_slices(pairs, make_finder(None, include_opted_out=config.include_opted_out)))
    return process_chunk(
        Chunk(file="people.jsonl", header=None, slices=slices, position=0), hook, config
    )


def kept_of(result: ChunkResult) -> list[dict[str, Any]]:
    data = result.parts["segment.jsonl.gz"]
    return [json.loads(line) for line in gzip.decompress(data).splitlines()] if data else []


def rows_of(result: ChunkResult, name: str) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(result.parts[name].decode(), newline="")))
    if name == "decisions.csv":  # no run here has treatments
        assert all(not row.pop() for row in rows)
    return rows


def test_a_repeated_call_counts_an_unreadable_endpoint_once() -> None:
    decision = Decision(selected=True, sent=True, reason=Reason.UNREADABLE)
    endpoint = Endpoint(id="person-1", document={}, problem="$.Endpoints[0].Metrics.x: bad")
    batch = Batch(host="pinpoint", context=Context(), endpoints=(endpoint,))
    account = make_account(batch, [decision])
    late = Attempt(problem="timed out", account=account)
    answer = Attempt(reply={"person-1": {}}, account=account)
    result = process(ScriptedHook(late, late, answer), [person(1)])
    assert (result.counts["attempts"], result.counts["unreadable"]) == (3, 1)
    assert result.statistics.unreadable == {"$.Metrics.x: bad": 1}
    failed = process(ScriptedHook(late), [person(1)])
    assert failed.statistics.unreadable == {}, "nobody who failed is unreadable"


def test_sends_definitions_without_their_id_in_an_event_as_the_host_would() -> None:
    hook = DecidingHook(lambda document: True)
    process(hook, [person(1), person(2)])
    (event,) = hook.events
    assert list(event["Endpoints"]) == ["person-1", "person-2"]
    assert event["Endpoints"]["person-1"] == {
        "ChannelType": "EMAIL",
        "Metrics": {},
        "Attributes": {"Plan": ["gold"]},
    }
    assert {key: value for key, value in event.items() if key != "Endpoints"} == {
        "MessageConfiguration": {},
        "ApplicationId": "segment-scorer",
        "CampaignId": "spring",
        "TreatmentId": "0",
        "ActivityId": "run-1",
        "ScheduledTime": "2026-01-31T19:00:00.000Z",
    }


def test_writes_the_kept_as_returned_each_with_its_id_in_input_order() -> None:
    returned = {"person-2": {"Id": "not its own", "New": True}, "person-1": {"Metrics": {}}}
    result = process(
        ScriptedHook(Attempt(reply=returned)), [person(1), person(2), person(3)], BLIND
    )
    assert kept_of(result) == [{"Id": "person-1", "Metrics": {}}, {"Id": "person-2", "New": True}]
    assert (
        result.counts["received"],
        result.counts["kept"],
        result.counts["filtered"],
        result.counts["failed"],
    ) == (3, 2, 1, 0)


def test_writes_a_decision_for_everyone_in_input_order() -> None:
    hook = DecidingHook(lambda document: document["Metrics"].get("score", 0) > 0.5)
    result = process(hook, [person(1, 0.9), person(2, OptOut="ALL"), person(3, 0.1)])
    assert rows_of(result, "decisions.csv") == [
        ["person-1", "", "true", "false", "true", "score", "0.5000", ""],
        ["person-2", "", "false", "", "false", "opted_out", "", ""],
        ["person-3", "", "false", "false", "false", "score", "0.5000", ""],
    ]
    assert rows_of(result, "scores.csv") == [["person-1", "0.5000"], ["person-3", "0.5000"]]
    assert result.parts["batches.jsonl"] == b'{"batch":1}\n'
    assert "person-2" not in hook.events[0]["Endpoints"]
    assert (result.counts["opted_out"], result.counts["filtered"]) == (1, 2)


def test_sends_people_who_opted_out_when_told_to() -> None:
    hook = DecidingHook(lambda document: True)
    config = RunConfig(scheduled_time="", activity_id="", include_opted_out=True)
    result = process(hook, [person(1, OptOut="ALL"), person(2, EndpointStatus="INACTIVE")], config)
    assert (
        result.counts["kept"],
        result.counts["opted_out"],
        len(hook.events[0]["Endpoints"]),
    ) == (
        2,
        0,
        2,
    )


def test_quotes_ids_that_need_it() -> None:
    odd = 'a,"b"\nc'
    result = process(DecidingHook(lambda document: True), [{"Id": odd}])
    assert rows_of(result, "decisions.csv")[0][0] == odd


def test_a_batch_without_a_valid_reply_fails_and_the_next_continues() -> None:
    hook = DecidingHook(lambda document: None if document["Metrics"] else True)
    result = process(hook, [*(person(i, 0.5) for i in range(50)), person(50)])
    assert result.counts["failed"] == 50
    assert result.counts["kept"] == 1
    assert (result.counts["batches"], result.counts["attempts"]) == (2, 4)
    assert result.problems == {"raised OnPurpose": 3}
    assert rows_of(result, "decisions.csv")[0] == [
        *("person-0", "", "", "", "false"),
        *("failed", "", ""),
    ]


def test_a_broken_line_is_rejected_and_the_next_continues() -> None:
    result = process(
        DecidingHook(lambda document: True), [person(1), b"\n", b'{"Id": \xff}\r\n', person(2)]
    )
    (rejected,) = [json.loads(line) for line in result.parts["rejected.jsonl"].splitlines()]
    assert (rejected["file"], rejected["line"], rejected["text"]) == (
        "people.jsonl",
        3,
        '{"Id": \ufffd}',
    )
    assert result.rejections == [f"people.jsonl, line 3: {rejected['problem']}"]
    assert (result.counts["received"], result.counts["rejected"]) == (2, 1)


def test_counts_reasons_whatever_the_outcome_and_drops_not_acted_on() -> None:
    band = Band(name="high", at_least=0.5)
    decisions = {
        "a": Decision(
            selected=False, sent=True, reason=Reason.HOLDOUT, holdout=True, score=0.75, band=band
        ),
        "b": Decision(selected=True, sent=True, reason=Reason.NO_SCORES),
        "c": Decision(selected=False, sent=False, reason=Reason.SPARSE),
        "d": Decision(selected=True, sent=True, reason=Reason.UNREADABLE),
    }
    hook = ScriptedHook(Attempt(reply={"a": {}, "b": {}, "d": {}}, account=account_of(decisions)))
    result = process(hook, [{"Id": id_} for id_ in decisions])
    expected = {
        "held_out": 1,
        "unscored": 1,
        "sparse": 1,
        "unreadable": 1,
        "would_filter": 1,
        "kept": 3,
        "filtered": 1,
    }
    assert {name: result.counts[name] for name in expected} == expected
    assert rows_of(result, "decisions.csv")[0] == [
        *("a", "", "false", "true", "true"),
        *("holdout", "0.7500", "high"),
    ]
    assert rows_of(result, "scores.csv") == [["a", "0.7500"]]


def test_without_decisions_only_scores_of_the_kept_are_known() -> None:
    reply = {
        "a": {"Attributes": {"Score": ["0.8"]}},
        "b": {"Attributes": {"Score": "0.25"}},
        "c": {"Attributes": None},
    }
    result = process(ScriptedHook(Attempt(reply=reply)), [{"Id": id_} for id_ in "abcd"], BLIND)
    assert rows_of(result, "scores.csv") == [["a", "0.8"], ["b", "0.25"]]
    assert rows_of(result, "decisions.csv") == [
        ["a", "", "", "", "true", "", "0.8", ""],
        ["b", "", "", "", "true", "", "0.25", ""],
        ["c", "", "", "", "true", "", "", ""],
        ["d", "", "", "", "false", "", "", ""],
    ]
    assert "batches.jsonl" not in result.parts


def test_without_decisions_failed_and_filtered_people_can_be_told_apart() -> None:
    hook = DecidingHook(lambda document: None if document["Metrics"] else False, shows=False)
    result = process(hook, [*(person(i, 0.5) for i in range(50)), person(50)], BLIND)
    rows = rows_of(result, "decisions.csv")
    assert {tuple(row[1:]) for row in rows[:50]} == {("", "", "", "false", "failed", "", "")}
    assert rows[50] == ["person-50", "", "", "", "false", "", "", ""]


def test_a_decision_names_the_user_as_text() -> None:
    people = [
        {"Id": "a", "User": {"UserId": "u,1"}},
        {"Id": "b", "User": {"UserId": 101.0}},
        {"Id": "c", "User": {"UserId": ["odd"]}},
    ]
    result = process(DecidingHook(lambda document: True), people)
    assert [row[:2] for row in rows_of(result, "decisions.csv")] == [
        ["a", "u,1"],
        ["b", "101"],
        ["c", ""],
    ]


@pytest.mark.parametrize("mode", ["annotate", "shadow"])
def test_a_control_group_that_was_messaged_too_is_written_so(mode: str) -> None:
    """decisions.csv once said `drop` of these people in mode shadow."""
    decisions = {
        "a": Decision(selected=True, sent=True, reason=Reason.HOLDOUT, holdout=True, score=0.75),
        "b": Decision(selected=False, sent=True, reason=Reason.SCORE, score=0.25),
    }
    hook = ScriptedHook(Attempt(reply={"a": {}, "b": {}}, account=account_of(decisions)))
    config = msgspec.structs.replace(CONFIG, mode=mode)
    result = process(hook, [{"Id": id_} for id_ in decisions], config)
    assert rows_of(result, "decisions.csv") == [
        ["a", "", "true", "true", "true", "holdout", "0.7500", ""],
        ["b", "", "false", "false", "true", "score", "0.2500", ""],
    ]


@pytest.mark.parametrize(
    "value", [[], "", ["much"], ["nan"], ["inf"], ["-0.1"], ["1.1"], 0.5, [0.5], None, {}]
)
def test_a_value_that_is_not_a_score_is_not_read(value: object) -> None:
    assert read_score({"Attributes": {"Score": value}}, "Score", RESPONSE) is None


@pytest.mark.parametrize("text", ["-0.0213", "0.0000", "1", "-1"])
def test_an_effect_is_read_with_its_sign(text: str) -> None:
    assert read_score({"Attributes": {"Score": [text]}}, "Score", UPLIFT) == text


def test_an_effect_keeps_its_sign_in_the_files() -> None:
    decisions = {
        "a": Decision(selected=False, sent=False, reason=Reason.SCORE, score=-0.0213),
        "b": Decision(selected=True, sent=True, reason=Reason.SCORE, score=-0.0),
    }
    hook = ScriptedHook(Attempt(reply={"b": {}}, account=account_of(decisions)))
    config = msgspec.structs.replace(CONFIG, score=UPLIFT)
    result = process(hook, [{"Id": id_} for id_ in decisions], config)
    assert rows_of(result, "scores.csv") == [["a", "-0.0213"], ["b", "0.0000"]]
    assert dict(result.statistics.scores) == {-213: 1, 0: 1}


def test_the_output_is_gzip_even_if_nobody_was_kept() -> None:
    result = process(DecidingHook(lambda document: False), [person(1)])
    whole = (
        begin_outputs(CONFIG)["segment.jsonl.gz"]
        + result.parts["segment.jsonl.gz"]
        + end_outputs(result.counts, CONFIG)["segment.jsonl.gz"]
    )
    assert gzip.decompress(whole) == b""
    assert whole


def test_a_reply_that_json_cannot_hold_fails_its_batch() -> None:
    hook = ScriptedHook(
        Attempt(
            reply={"a": {"Metrics": {"m": object()}}},
            account=account_of({"a": Decision(selected=True, sent=True, reason=Reason.SCORE)}),
        )
    )
    result = process(hook, [{"Id": "a"}, {"Id": "b"}])
    assert (result.counts["failed"], result.counts["kept"], result.counts["attempts"]) == (2, 0, 3)
    assert result.problems == {"answered with something other than JSON": 3}


def test_the_same_id_once_opted_out_and_once_not_has_both_outcomes() -> None:
    result = process(DecidingHook(lambda document: True), [person(1, OptOut="ALL"), person(1)])
    assert [(row[0], row[2], row[5]) for row in rows_of(result, "decisions.csv")] == [
        ("person-1", "false", "opted_out"),
        ("person-1", "true", "score"),
    ]
    assert (result.counts["received"], result.counts["kept"], result.counts["opted_out"]) == (
        2,
        1,
        1,
    )


@given(
    st.lists(
        st.tuples(*[st.text(st.sampled_from('ab,"\r\n\x1e\x1f é '), max_size=3)] * 3), max_size=4
    )
)
def test_rows_are_written_as_csv_writer_writes_them(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    assert write_rows(rows) == text.getvalue().encode()


def test_a_hook_that_changes_addresses_is_counted() -> None:
    sent = {**person(1, 0.9), "Address": "ann@example.com"}
    definition = {name: value for name, value in sent.items() if name != "Id"}
    for address, changed in (("ann@example.com", 0), ("elsewhere@example.com", 1)):
        reply = {"person-1": {**definition, "Address": address}}
        result = process(ScriptedHook(Attempt(reply=reply)), [sent])
        assert result.statistics.readdressed == changed
