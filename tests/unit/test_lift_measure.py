"""segment_scorer/lift/measure.py: who is compared, and each fault that stops a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segment_scorer.lift.errors import LiftRefused
from segment_scorer.lift.measure import LiftRequest, LiftResult, measure_lift
from tests.lift_files import (
    decide,
    make_rows,
    respond,
    write_decisions,
    write_outcomes,
    write_run,
)

Rows = list[dict[str, str]]


def measure(
    folder: Path, rows: Rows, outcomes: dict[str, Any], key: str = "Id", **more: Any
) -> LiftResult:
    """The lift of a campaign of `rows`, by --decisions."""
    request = LiftRequest(
        decisions=write_decisions(folder / "d.csv", rows),
        outcomes=write_outcomes(folder / "o.csv", outcomes, key),
        holdout_percent=20.0,
    )
    return measure_lift(replace(request, **more))


def measure_runs(folder: Path, *runs: Path, rows: Rows) -> LiftResult:
    outcomes = write_outcomes(folder / "o.csv", respond(rows, every=4, control=10))
    return measure_lift(LiftRequest(runs=runs, outcomes=outcomes))


def check_of(result: LiftResult, name: str) -> Any:
    return next(check for check in result.checks if check.name == name)


# Who is compared


def test_compares_selected_people_messaged_with_selected_people_held_out(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    outcomes |= {row["Id"]: 1 for row in rows if row["selected"] == "false"}  # must not count
    found = measure(tmp_path, rows, outcomes).effect
    assert (found.messaged, found.control) == (400, 100)
    assert (found.messaged_rate, found.control_rate) == (0.25, 0.1)
    assert found.difference.value == pytest.approx(0.15)


def test_a_high_score_is_not_an_effect(tmp_path: Path) -> None:
    """The old advice compared high scorers with a control group drawn from everybody."""
    rows = [decide(index, holdout=index % 5 == 0, selected=index % 2 == 0) for index in range(4000)]
    outcomes = {row["Id"]: int(row["selected"] == "true") for row in rows}
    outcomes |= {row["Id"]: 0 for index, row in enumerate(rows) if index % 8 == 0}
    found = measure(tmp_path, rows, outcomes).effect
    assert found.messaged_rate == pytest.approx(found.control_rate, abs=0.01)


def test_failed_messages_still_count_as_messaged(tmp_path: Path) -> None:
    rows = make_rows()
    for row in rows[:50]:
        row["sent"] = "false"
    result = measure(tmp_path, rows, respond(rows, every=4, control=10), value=1.0, cost=1.0)
    assert result.effect.messaged == 400
    assert result.messages == 350
    assert "50 people are counted as messaged" in check_of(result, "intention to treat").text
    assert result.earned is not None
    assert result.earned.value == pytest.approx(0.15 * 400 - 350)


def test_a_user_is_selected_if_any_endpoint_is(tmp_path: Path) -> None:
    rows = make_rows()
    second = [{**row, "Id": row["Id"] + "-b", "selected": "false", "sent": "false"} for row in rows]
    found = measure(tmp_path, rows + second, respond(rows, every=4, control=10)).effect
    assert (found.messaged, found.control) == (400, 100)


def test_a_users_outcome_is_one_however_many_endpoints_respond(tmp_path: Path) -> None:
    rows = make_rows()
    second = [{**row, "Id": row["Id"] + "-b"} for row in rows]
    outcomes = respond(rows, every=4, control=10)
    both = outcomes | {f"{id_}-b": answer for id_, answer in outcomes.items()}
    found = measure(tmp_path, rows + second, both).effect
    assert (found.messaged, found.messaged_rate) == (400, 0.25)
    amounts = {id_: 2.5 * answer for id_, answer in both.items()}
    found = measure(tmp_path, rows + second, amounts).effect
    assert found.messaged_rate == pytest.approx(2 * 2.5 * 0.25)


def test_counting_endpoints_instead_of_users_would_make_the_interval_too_narrow(
    tmp_path: Path,
) -> None:
    rows = make_rows()
    copies = [{**row, "Id": f"{row['Id']}-{n}"} for row in rows for n in range(4)]
    outcomes = respond(rows, every=4, control=10)
    every = {f"{id_}-{n}": answer for id_, answer in outcomes.items() for n in range(4)}
    one, four = measure(tmp_path, rows, outcomes), measure(tmp_path, copies, every)
    assert four.effect == one.effect


def test_outcomes_by_user_reach_every_endpoint(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    by_user = {row["UserId"]: outcomes[row["Id"]] for row in rows}
    by_id = measure(tmp_path, rows, outcomes)
    assert measure(tmp_path, rows, by_user, key="UserId").effect == by_id.effect


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    shuffled = [rows[index] for index in np.random.default_rng(1).permutation(len(rows))]
    assert measure(tmp_path, shuffled, outcomes).effect == measure(tmp_path, rows, outcomes).effect


# Outcomes that are missing


def test_a_file_of_responders_only_means_that_the_others_did_not_respond(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = {id_: 1 for id_, answer in respond(rows, every=4, control=10).items() if answer}
    result = measure(tmp_path, rows, outcomes)
    assert result.effect.messaged_rate == 0.25
    assert "count as 0" in check_of(result, "missing outcomes").text


def test_people_without_an_outcome_are_left_out_where_the_file_lists_zeros(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    for index in (*range(40), *range(400, 410)):
        del outcomes[f"e{index}"]
    result = measure(tmp_path, rows, outcomes)
    assert (result.effect.messaged, result.effect.control) == (360, 90)
    assert check_of(result, "missing outcomes").passed
    assert measure(tmp_path, rows, outcomes, missing="zero").effect.messaged == 400


def test_outcomes_that_are_missing_more_often_in_one_group_are_a_warning(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    for index in range(400, 440):
        del outcomes[f"e{index}"]
    check = check_of(measure(tmp_path, rows, outcomes), "missing outcomes")
    assert check.passed is False
    assert "no longer alike" in check.text


# Faults that stop the comparison


def test_a_split_that_chance_does_not_explain_is_refused(tmp_path: Path) -> None:
    rows = make_rows(messaged=4000, control=800)
    with pytest.raises(LiftRefused, match=r"16\.7 % of 4,800 selected people; 20 % was asked for"):
        measure(tmp_path, rows, respond(rows, every=4, control=10))


def test_a_split_within_chance_passes_and_an_unknown_percent_is_said(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    assert check_of(measure(tmp_path, rows, outcomes), "split").passed
    unknown = measure(tmp_path, rows, outcomes, holdout_percent=None)
    assert check_of(unknown, "split").passed is None
    assert "--holdout-percent" in check_of(unknown, "split").text


def test_a_user_in_both_groups_is_refused(tmp_path: Path) -> None:
    rows = make_rows()
    rows.append({**rows[450], "Id": "another", "holdout": "false"})
    with pytest.raises(LiftRefused, match="1 person is in both groups"):
        measure(tmp_path, rows, respond(rows[:-1], every=4, control=10))


def test_outcomes_that_match_nobody_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LiftRefused, match="none of the 2 outcomes belongs to anybody"):
        measure(tmp_path, make_rows(), {"x": 1, "y": 0})


def test_ids_that_match_nearly_are_refused_with_the_cure(tmp_path: Path) -> None:
    rows = [{**row, "Id": row["Id"][1:]} for row in make_rows()]
    outcomes = {f"0{id_}": answer for id_, answer in respond(rows, every=4, control=10).items()}
    with pytest.raises(LiftRefused, match=r"520 ids would match if .*final `\.0`"):
        measure(tmp_path, rows, outcomes)


def test_ids_that_differ_by_a_final_point_zero_match_and_are_named(tmp_path: Path) -> None:
    rows = [{**row, "Id": row["Id"][1:]} for row in make_rows()]
    outcomes = {f"{id_}.0": answer for id_, answer in respond(rows, every=4, control=10).items()}
    result = measure(tmp_path, rows, outcomes)
    assert check_of(result, "ids").passed
    assert "520 are a number with a final .0" in check_of(result, "outcomes file").text


def test_a_few_ids_that_match_nearly_are_a_warning(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    outcomes["E0"] = outcomes.pop("e0")
    check = check_of(measure(tmp_path, rows, outcomes), "ids")
    assert check.passed is False
    assert "1 ids would match" in check.text


def test_many_ids_that_match_nearly_are_refused_although_others_match(tmp_path: Path) -> None:
    rows = make_rows()
    outcomes = respond(rows, every=4, control=10)
    for index in range(30):
        outcomes[f" e{index}"] = outcomes.pop(f"e{index}")
    with pytest.raises(LiftRefused, match="write the ids of both files alike"):
        measure(tmp_path, rows, outcomes)


def test_too_few_people_are_refused_with_the_effect_that_would_be_missed(tmp_path: Path) -> None:
    rows = make_rows(messaged=80, control=20)
    with pytest.raises(LiftRefused) as raised:
        measure(tmp_path, rows, respond(rows, every=4, control=10))
    assert "cannot tell: 80 people were messaged and 20 held out" in str(raised.value)
    assert "points) would not be seen" in str(raised.value)


def test_nobody_held_out_is_refused(tmp_path: Path) -> None:
    rows = make_rows(messaged=80, control=0)
    with pytest.raises(LiftRefused, match="80 people were messaged and 0 held out"):
        measure(tmp_path, rows, respond(rows, every=4, control=10), holdout_percent=None)


def test_an_effect_that_is_not_shown_says_what_could_not_be_seen(tmp_path: Path) -> None:
    rows = make_rows()
    result = measure(tmp_path, rows, respond(rows, every=10, control=10))
    assert result.sentences[0].startswith("Cannot tell whether the message changed anything")
    assert "points) would not be seen" in result.sentences[1]


def test_endpoints_of_an_unknown_group_are_refused_with_the_reason(tmp_path: Path) -> None:
    rows = make_rows()
    rows[0]["holdout"] = ""
    rows[1]["selected"] = ""
    with pytest.raises(LiftRefused) as raised:
        measure(tmp_path, rows, respond(make_rows(), every=4, control=10))
    assert "2 endpoints have no `selected` or `holdout`" in str(raised.value)
    assert "on host connect or web" in str(raised.value)


def test_a_holdout_that_is_not_needed_may_be_unknown(tmp_path: Path) -> None:
    rows = make_rows()
    for row in rows:
        if row["selected"] == "false":
            row["holdout"] = ""
    outcomes = respond(make_rows(), every=4, control=10)
    assert measure(tmp_path, rows, outcomes).effect.control == 100


def test_failed_endpoints_of_an_unknown_group_are_left_out(tmp_path: Path) -> None:
    rows = make_rows()
    failed = [
        decide(900 + index, holdout=False, selected="", reason="failed") | {"holdout": ""}
        for index in range(50)
    ]
    result = measure(tmp_path, rows + failed, respond(rows, every=4, control=10))
    assert result.effect.messaged == 400
    assert "50 endpoints are left out" in check_of(result, "failed").text


def test_a_control_group_that_was_messaged_is_refused(tmp_path: Path) -> None:
    rows = make_rows()
    for row in rows:
        row["sent"] = "true"
    with pytest.raises(LiftRefused, match="100 people are in the control group and were messaged"):
        measure(tmp_path, rows, respond(rows, every=4, control=10))


def test_amounts_that_are_all_the_same_are_refused(tmp_path: Path) -> None:
    rows = make_rows()
    with pytest.raises(LiftRefused, match="everybody has the same outcome"):
        measure(tmp_path, rows, {row["Id"]: 5.0 for row in rows})


# Warnings


def test_an_outcome_that_needs_a_message_is_a_warning(tmp_path: Path) -> None:
    rows = make_rows()
    result = measure(tmp_path, rows, respond(rows, every=4, control=1000))
    check = check_of(result, "outcome without a message")
    assert check.passed is False
    assert "an open, a click" in check.text


def test_few_responses_are_said(tmp_path: Path) -> None:
    rows = make_rows()
    result = measure(tmp_path, rows, respond(rows, every=4, control=50))
    assert check_of(result, "few responses").passed
    amounts = {id_: 9.5 * answer for id_, answer in respond(rows, every=4, control=50).items()}
    assert check_of(measure(tmp_path, rows, amounts), "few responses").passed is False


def test_amounts_that_few_people_have_most_of_are_a_warning(tmp_path: Path) -> None:
    rows = make_rows()
    draws = np.random.default_rng(0).lognormal(2.0, 1.5, len(rows))
    amounts = {row["Id"]: float(draw) for row, draw in zip(rows, draws, strict=True)}
    check = check_of(measure(tmp_path, rows, amounts), "uneven amounts")
    assert check.passed is False


# Runs


def test_a_run_is_measured_with_what_its_summary_says(tmp_path: Path) -> None:
    rows = make_rows()
    result = measure_runs(tmp_path, write_run(tmp_path / "run", rows), rows=rows)
    assert "20 % was asked for" in check_of(result, "split").text
    assert result.effect.difference.value == pytest.approx(0.15)


@pytest.mark.parametrize("mode", ["annotate", "shadow"])
def test_a_run_whose_control_group_was_messaged_too_is_refused(tmp_path: Path, mode: str) -> None:
    rows = make_rows()
    run = write_run(tmp_path / "run", rows, mode=mode)
    with pytest.raises(LiftRefused, match=f"mode is {mode}, so the control group was messaged too"):
        measure_runs(tmp_path, run, rows=rows)


@pytest.mark.parametrize("host", ["connect", "web"])
def test_mode_annotate_where_the_reply_tells_the_control_group_is_measured(
    tmp_path: Path, host: str
) -> None:
    rows = make_rows()
    run = write_run(tmp_path / "run", rows, mode="annotate", host=host)
    assert measure_runs(tmp_path, run, rows=rows).effect.control == 100


def test_a_run_without_a_control_group_is_refused(tmp_path: Path) -> None:
    rows = make_rows()
    run = write_run(tmp_path / "run", rows, holdout_percent=0.0)
    with pytest.raises(LiftRefused, match="held nobody out"):
        measure_runs(tmp_path, run, rows=rows)


def test_several_runs_of_one_control_group_add_up_by_user(tmp_path: Path) -> None:
    rows = make_rows()
    again = [{**row, "Id": row["Id"] + "-sms"} for row in rows[300:450]]
    first, second = (
        write_run(tmp_path / "1", rows[:430]),
        write_run(tmp_path / "2", again + rows[430:]),
    )
    whole = measure_runs(tmp_path, write_run(tmp_path / "all", rows), rows=rows)
    both = measure_runs(tmp_path, first, second, rows=rows)
    assert both.effect == whole.effect
    assert "130 people are in several runs and counted once" in check_of(both, "runs").text


@pytest.mark.parametrize("other", [{"holdout_percent": 10.0}, {"holdout_salt_digest": "4567"}])
def test_runs_of_different_control_groups_are_refused(
    tmp_path: Path, other: dict[str, object]
) -> None:
    rows = make_rows()
    runs = write_run(tmp_path / "1", rows), write_run(tmp_path / "2", rows, **other)
    with pytest.raises(LiftRefused, match="different control groups"):
        measure_runs(tmp_path, *runs, rows=rows)


def test_a_user_held_out_in_one_run_and_messaged_in_another_is_refused(tmp_path: Path) -> None:
    rows = make_rows()
    swapped = [{**rows[450], "holdout": "false", "sent": "true"}]
    runs = write_run(tmp_path / "1", rows), write_run(tmp_path / "2", swapped)
    with pytest.raises(LiftRefused, match="1 person is in both groups"):
        measure_runs(tmp_path, *runs, rows=rows)


# What is said


def test_what_the_campaign_earned_has_an_interval(tmp_path: Path) -> None:
    rows = make_rows()
    result = measure(tmp_path, rows, respond(rows, every=4, control=10), value=10.0, cost=2.0)
    assert result.extra.value == pytest.approx(60.0)
    assert result.earned is not None
    assert result.earned.value == pytest.approx(600.0 - 800.0)
    assert result.earned.high == pytest.approx(10.0 * result.extra.high - 800.0)
    assert "lost" in result.sentences[-1] or "between a loss of" in result.sentences[-1]


def test_nothing_is_earned_without_a_value(tmp_path: Path) -> None:
    rows = make_rows()
    assert measure(tmp_path, rows, respond(rows, every=4, control=10)).earned is None


def test_the_figures_have_the_agreed_form(tmp_path: Path) -> None:
    rows = make_rows()
    data = measure(tmp_path, rows, respond(rows, every=4, control=10)).to_data()
    assert list(data) == [
        *("difference", "relative", "extra", "messaged", "control", "checks", "confidence"),
        *("earned", "by"),
    ]
    for name in ("difference", "relative", "extra"):
        assert list(data[name]) == ["value", "low", "high"]
        assert data[name]["low"] < data[name]["value"] < data[name]["high"]
    assert data["messaged"] == {"users": 400, "rate": 0.25}
    assert data["control"] == {"users": 100, "rate": 0.1}
    assert data["confidence"] == 0.95
    assert data["earned"] is None
    assert list(data["by"]) == ["band", "decile", "treatment"]
    assert {"name", "passed", "text"} == set(data["checks"][0])
