"""segment_scorer/lift/outcomes.py: the hosts' event records become an outcomes file."""

from __future__ import annotations

import gzip
import json
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.errors import DataError
from segment_scorer.lift import event_files
from segment_scorer.lift.event_files import read_records
from segment_scorer.lift.events import parse_record
from segment_scorer.lift.outcome_table import read_campaign_outcomes
from segment_scorer.lift.outcomes import EventQuery, OutcomeCounts, write_outcomes
from tests.lift_files import write_rows

SENT = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def pinpoint(id_: str, kind: str, *, after: float = 60.0, campaign: str = "c1") -> dict[str, Any]:
    """A record of Pinpoint's event stream, as the Developer Guide prints it."""
    return {
        "event_type": kind,
        "event_timestamp": int(1000 * (SENT + after)),
        "arrival_timestamp": int(1000 * (SENT + after)) + 500,
        "event_version": "3.1",
        "application": {"app_id": "0" * 32, "sdk": {}},
        "client": {"client_id": id_},
        "device": {"platform": {}},
        "session": {},
        "attributes": {
            "treatment_id": "0",
            "campaign_activity_id": "run-1",
            "campaign_id": campaign,
        },
        "client_context": {"custom": {"endpoint": '{"ChannelType":"EMAIL","User":{}}'}},
        "awsAccountId": "123456789012",
    }


def connect(id_: str, kind: str, *, run: str = "r1", as_text: bool = False) -> dict[str, Any]:
    """A Campaign-Email object, as Customer Profiles exports it to Kinesis."""
    found = {
        "campaign_event_type": kind,
        "campaign_event_timestamp": "2026-01-01T00:01:00Z",
        "campaign_id": "c1",
        "campaign_run_id": run,
        "channel": {"name": "EMAIL", "subtype": "connect:Email"},
    }
    return {
        "SchemaVersion": 0,
        "EventType": "CREATED",
        "ObjectTypeName": "Campaign-Email",
        "AssociatedProfileId": id_,
        "Object": json.dumps(found) if as_text else found,
    }


def write_events(path: Path, records: list[Any], between: str = "\n") -> Path:
    path.write_text(between.join(json.dumps(record) for record in records), "utf-8")
    return path


def run(
    folder: Path, records: list[Any], *types: str, **more: Any
) -> tuple[OutcomeCounts, list[str]]:
    events = write_events(folder / "events.jsonl", records)
    query = replace(EventQuery(files=(events,), types=frozenset(types)), **more)
    counts = write_outcomes(query, folder / "o.csv")
    return counts, (folder / "o.csv").read_text("utf-8").splitlines()


def test_people_with_one_of_the_events_responded(tmp_path: Path) -> None:
    records = [
        pinpoint("a", "_email.open"),
        pinpoint("b", "_email.delivered"),
        pinpoint("a", "_email.open", after=90.0),
        pinpoint("c", "_email.click"),
    ]
    counts, lines = run(tmp_path, records, "_email.open", "_email.click", since=SENT)
    assert lines == [
        "Id,outcome,date",
        "a,1,2026-01-01T00:00:00Z",
        "c,1,2026-01-01T00:00:00Z",
    ]
    assert (counts.events, counts.counted, counts.responders, counts.written) == (4, 3, 2, 2)


def test_everybody_who_was_in_the_campaign_gets_an_outcome_once(tmp_path: Path) -> None:
    people = write_rows(
        tmp_path / "d.csv",
        ("Id", "sent"),
        [("a", "true"), ("b", "false"), ("c", "true"), ("a", "true")],
    )
    records = [pinpoint("a", "purchase"), pinpoint("x", "purchase")]
    counts, lines = run(tmp_path, records, "purchase", since=SENT, people=people)
    assert [line[:3] for line in lines[1:]] == ["a,1", "b,0", "c,0"]
    assert counts.outside == 1
    _, lines = run(tmp_path, records, "purchase", since=SENT, people=people, only_sent=True)
    assert [line[:3] for line in lines[1:]] == ["a,1", "c,0"]


def test_people_may_be_listed_in_another_column_and_as_numbers(tmp_path: Path) -> None:
    people = write_rows(tmp_path / "d.csv", ("Kunde", "sent"), [("7.0", "Yes"), ("8.0", "no")])
    records = [pinpoint("7", "purchase")]
    more = {"since": SENT, "people": people, "id_column": "kunde"}
    _, lines = run(tmp_path, records, "purchase", **more)
    assert [line[:5] for line in lines[1:]] == ["7.0,1", "8.0,0"]
    _, lines = run(tmp_path, records, "purchase", **more, only_sent=True)
    assert [line[:5] for line in lines[1:]] == ["7.0,1"]


def test_lift_reads_what_is_written_and_strangers_cannot(tmp_path: Path) -> None:
    run(tmp_path, [pinpoint("a", "purchase")], "purchase")
    assert read_campaign_outcomes(tmp_path / "o.csv").lists_only_responders
    assert stat.S_IMODE((tmp_path / "o.csv").stat().st_mode) == 0o600


def test_only_events_of_the_campaign_and_its_time_count(tmp_path: Path) -> None:
    records = [
        pinpoint("early", "purchase", after=-1.0),
        pinpoint("first", "purchase", after=0.0),
        pinpoint("other", "purchase", campaign="c2"),
        pinpoint("last", "purchase", after=86_399.0),
        pinpoint("late", "purchase", after=86_400.0),
    ]
    _, lines = run(tmp_path, records, "purchase", since=SENT, days=1.0, campaign="c1")
    assert [line.partition(",")[0] for line in lines[1:]] == ["first", "last"]
    _, lines = run(tmp_path, records, "purchase", campaign="c1")
    assert lines[1] == "early,1,2025-12-31T23:59:59Z", "the earliest record is the date"


@pytest.mark.parametrize("as_text", [False, True])
def test_reads_connects_campaign_objects(tmp_path: Path, *, as_text: bool) -> None:
    records = [
        connect("p1", "Click", as_text=as_text),
        connect("p2", "Open"),
        connect("p3", "Click", run="r2"),
    ]
    _, lines = run(tmp_path, records, "Click", run="r1")
    assert lines[1:] == ["p1,1,2026-01-01T00:01:00Z"]
    (event,) = parse_record(records[0]) or ()
    assert (event.channel, event.campaign, event.run) == ("EMAIL", "c1", "r1")


def test_reads_connects_standard_communication_record() -> None:
    record = {
        "AssociatedProfileId": "p1",
        "ObjectTypeName": "_communicationRecord",
        "Object": {
            "Channel": "EMAIL",
            "Campaign": {"CampaignId": "c1", "CampaignRunId": "r1"},
            "Events": {
                "Open": {"UpdatedDate": "2026-01-01T00:00:10Z"},
                "Click": {"UpdatedDate": "2026-01-01T00:00:20Z"},
            },
        },
    }
    found = parse_record(record)
    assert found is not None
    assert [(event.type, event.time, event.run) for event in found] == [
        ("Open", SENT + 10, "r1"),
        ("Click", SENT + 20, "r1"),
    ]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ([], None),
        ({"Id": "x"}, None),
        ({"event_type": "x"}, []),
        ({"event_type": 3, "client": {"client_id": "a"}}, []),
        ({"event_type": "x", "client": "not json"}, []),
        ({"AssociatedProfileId": "", "Object": {}}, []),
        ({"AssociatedProfileId": "p", "Object": 5}, []),
        ({"AssociatedProfileId": "p", "Object": "[" * 100_000}, []),
        ({"AssociatedProfileId": "p", "Object": {"Events": {"Open": 1}, "Campaign": 2}}, ["Open"]),
    ],
)
def test_odd_records_give_what_they_hold(record: object, expected: list[str] | None) -> None:
    found = parse_record(record)
    assert (found if found is None else [event.type for event in found]) == expected


def test_an_event_without_a_time_counts_and_is_counted(tmp_path: Path) -> None:
    record = pinpoint("a", "purchase")
    del record["event_timestamp"]
    counts, lines = run(tmp_path, [record], "purchase", since=SENT)
    assert (counts.untimed, len(lines)) == (1, 2)
    with pytest.raises(DataError, match="give --since"):
        run(tmp_path, [record], "purchase")


def test_nothing_that_counts_names_the_types_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        run(tmp_path, [pinpoint("a", "_email.open")] * 2, "_email.opened")
    assert "found _email.open;" in str(raised.value)


def test_files_of_other_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found none; 2 records of another kind"):
        run(tmp_path, [{"Id": "a"}, 5], "_email.open")


# Files of records


@pytest.mark.parametrize("between", ["\n", "", "\r\n", " \n\n"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("chunk", [1 << 20, 37])
def test_records_need_no_line_end_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str, chunk: int, *, packed: bool
) -> None:
    monkeypatch.setattr(event_files, "CHUNK", chunk)
    records = [pinpoint(f"é{index}", "x") for index in range(5)]
    path = write_events(tmp_path / "e", records, between)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    damaged: Counter[str] = Counter()
    assert list(read_records(path, damaged)) == records
    assert not damaged


def test_a_damaged_record_costs_its_line(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_text('{"a": \n{"b": 1}\n{"c": 2}{"d"\n{"e": 3}\n{"f"', "utf-8")
    damaged: Counter[str] = Counter()
    assert list(read_records(path, damaged)) == [{"b": 1}, {"c": 2}, {"e": 3}]
    assert damaged["records"] == 3


def test_a_record_that_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "CHUNK", 100)
    monkeypatch.setattr(event_files, "LONGEST", 1000)
    path = tmp_path / "e"
    path.write_text('{"a": "' + "x" * 20_000 + '\n{"b": 1}\n', "utf-8")
    damaged: Counter[str] = Counter()
    assert list(read_records(path, damaged)) == [{"b": 1}]
    assert damaged["records"] > 0


def test_deep_nesting_is_a_damaged_record(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_text("[" * 100_000 + '\n{"b": 1}\n', "utf-8")
    damaged: Counter[str] = Counter()
    assert list(read_records(path, damaged)) == [{"b": 1}]
    assert damaged["records"] == 1


def test_a_missing_file_and_an_unwritable_one_are_named(tmp_path: Path) -> None:
    query = EventQuery(files=(tmp_path / "none",), types=frozenset(("x",)))
    with pytest.raises(DataError, match="none"):
        write_outcomes(query, tmp_path / "o.csv")
    (tmp_path / "file").write_text("")
    events = write_events(tmp_path / "e", [pinpoint("a", "x")])
    with pytest.raises(DataError, match="--out"):
        write_outcomes(replace(query, files=(events,)), tmp_path / "file" / "o.csv")
