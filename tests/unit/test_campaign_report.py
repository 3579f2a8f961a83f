"""What the report says, before it is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaign.books import Summary, Terms
from campaign.ledger import Ledger
from campaign.report import describe_times, gather_report, load_vega, sum_groups
from campaign.tally import Group, Tally, bucket_of, seconds_of

BLIND = Terms(scheduled_time="t", activity_id="a")
SEEING = Terms(scheduled_time="t", activity_id="a", knows_decisions=True, threshold=0.5, keep="at_least", model="m@1")


def ledger_of(terms: Terms, *rows: tuple[object, object, str, str, str], scores: list[float | None]) -> Ledger:
    ledger = Ledger({}, [], [], terms)
    ledger.tally.add_people(rows, scores)
    return ledger


def summary_of(**more: object) -> Summary:
    whole = dict.fromkeys(["received", "kept", "filtered", "failed", "opted_out", "rejected", "batches", "attempts"], 0)
    unknown = dict.fromkeys(["held_out", "unreadable", "unscored", "sparse", "would_filter", "model", "mode"])
    return Summary(**{**whole, **unknown, "seconds": 1.0, "scheduled_time": "t", "host": "pinpoint", **more})  # type: ignore[arg-type]


def test_expected_responses_are_the_sum_of_scores() -> None:
    rows = [("SMS", "DE", "", "score", "kept"), ("SMS", "DE", "", "score", "filtered"), ("SMS", "DE", "", "no_scores", "kept")]
    data = gather_report(summary_of(held_out=0), ledger_of(SEEING, *rows, scores=[0.75, 0.25, None]), None, rehearsal=False)
    assert data["expected"] == {"kept": 0.75, "all": 1.0}
    assert data["explorer"]["scores"] == [[0.25, 1], [0.75, 1]]
    assert (data["explorer"]["fixed"], data["explorer"]["threshold"]) == (1, 0.5)
    assert data["left_out"] == [{"reason": "score too low", "people": 1}]


def test_a_holdout_is_not_moved_by_the_threshold() -> None:
    rows = [("SMS", "DE", "", "holdout", "filtered"), ("SMS", "DE", "", "score", "kept")]
    data = gather_report(summary_of(held_out=1), ledger_of(SEEING, *rows, scores=[0.9, 0.8]), None, rehearsal=False)
    assert data["explorer"]["scores"] == [[0.8, 1]]


def test_what_the_hook_does_not_show_is_said_to_be_unknown() -> None:
    data = gather_report(summary_of(), ledger_of(BLIND, ("SMS", None, "", "", "filtered"), scores=[None]), None, rehearsal=False)
    assert (data["knows_decisions"], data["drift"]) == (False, None)
    assert data["left_out"] == [{"reason": "left out by the function", "people": 1}]


@pytest.mark.parametrize(
    ("channel", "country", "labels"),
    [
        ("SMS", "de", ("SMS", "DE")),
        ("my secret", "12 Main Street", ("other", "other")),
        (None, "", ("unknown", "unknown")),
        (["SMS"], {"a": 1}, ("other", "other")),
        (7, 7, ("other", "other")),
    ],
)
def test_nothing_but_channels_and_country_codes_is_shown(channel: object, country: object, labels: tuple[str, str]) -> None:
    tally = Tally()
    tally.add_people([(channel, country, "", "score", "kept")], [0.5])
    (group,) = tally.people
    assert group[:2] == labels


def test_small_groups_are_summed_up_as_one_row() -> None:
    tally = Tally()
    for index in range(30):
        tally.people[Group("SMS", f"{chr(65 + index // 26)}{chr(65 + index % 26)}", "", "score", "kept")] = 100 - index
    rows = sum_groups(tally, "country")
    assert (len(rows), rows[-1]["name"]) == (12, "all others")
    assert sum(row["people"] for row in rows) == sum(tally.people.values())


def test_a_property_nobody_has_gets_no_table() -> None:
    tally = Tally()
    tally.add_people([("SMS", None, "", "score", "kept")], [0.5])
    assert sum_groups(tally, "country") == sum_groups(tally, "band") == []


def test_tallies_of_blocks_add_up_to_the_tally_of_the_whole_and_survive_the_ledger() -> None:
    rows = [("SMS", "DE", "", "score", "kept"), ("EMAIL", "FR", "gold", "score", "filtered")] * 3
    scores = [0.5, 0.25] * 3
    whole, parts = Tally(), Tally()
    whole.add_people(rows, scores)
    whole.add_times([0.001, 0.1])
    whole.add_columns({"Id": 1, "Attributes.a": 3})
    for piece in (slice(0, 2), slice(2, 6)):
        part = Tally()
        part.add_people(rows[piece], scores[piece])
        parts.add(part)
    for seconds, columns in ((0.001, {"Id": 1, "Attributes.a": 3}), (0.1, {"Attributes.a": 2})):
        part = Tally()
        part.add_times([seconds])
        part.add_columns(columns)
        parts.add(Tally.from_data(part.to_data()))
    assert parts.to_data() == whole.to_data()


@pytest.mark.parametrize("seconds", [0.0001, 0.003, 0.5, 15.0])
def test_a_time_is_known_within_12_percent(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.06)


def test_half_of_the_calls_took_no_longer_than_the_median() -> None:
    tally = Tally()
    tally.add_times([0.001] * 60 + [0.1] * 39 + [1.0])
    times = describe_times(tally)
    assert times is not None
    assert times["quantiles"] == pytest.approx({"half": 1.0, "95 %": 100.0, "99 %": 100.0, "all": 1000.0})
    assert describe_times(Tally()) is None


def test_vega_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load_vega(lambda: "script") == "script"
    assert load_vega(lambda: "another") == "script"


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_vega(lambda: "script") == "script"
