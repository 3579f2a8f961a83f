"""`threshold = { reach = ... }` says what it reached: at check, in the log and in a run."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from function.policy_file import read_policy
from function.reach import find_reached, threshold_for_reach
from segment_scorer.cli.main import main
from tests.fakes import make_bundle, make_endpoint, make_event, read_log, write_policy
from tests.rooms import make_handler

EVEN = tuple(index / 100 for index in range(101))
# Nine in ten of the people have the score 0.4.
TIED = (0.1, *[0.4] * 9, 0.9)
REACH = "threshold = { reach = 0.3 }\n"


@pytest.mark.parametrize("keep", ["at_least", "below"])
@pytest.mark.parametrize("reach", [0.0, 0.05, 0.3, 0.305, 0.5, 1.0])
def test_where_scores_differ_the_threshold_reaches_what_was_asked(reach: float, keep: str) -> None:
    threshold = threshold_for_reach(reach, EVEN, keep)
    assert find_reached(threshold, EVEN, keep, 4) == pytest.approx(reach, abs=1e-9)


@pytest.mark.parametrize(("keep", "reached"), [("at_least", 0.9), ("below", 0.1)])
def test_where_many_have_the_same_score_all_of_them_fall_on_one_side(
    keep: str, reached: float
) -> None:
    threshold = threshold_for_reach(0.3, TIED, keep)
    assert threshold == 0.4
    assert find_reached(threshold, TIED, keep, 4) == pytest.approx(reached)


def test_rounding_makes_scores_equal_too() -> None:
    threshold = threshold_for_reach(0.45, EVEN, "at_least")
    assert find_reached(threshold, EVEN, "at_least", 0) == pytest.approx(0.5, abs=0.02)


def test_a_reach_that_no_threshold_comes_near_is_a_warning() -> None:
    table = {"threshold": {"reach": 0.3}}
    assert read_policy(table, threshold=0.5, quantiles=EVEN).warnings == ()
    (warning,) = read_policy(table, threshold=0.5, quantiles=TIED).warnings
    assert warning == (
        "threshold.reach: expected to keep 30.0 % of the people the model was evaluated on, but "
        "many have the same score: it keeps 90.0 %"
    )


def test_check_says_what_the_reach_comes_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = write_policy(tmp_path / "policy.toml", REACH)
    assert main(["policy", "check", str(policy)]) == 0
    shown = capsys.readouterr().out
    assert "# threshold = { reach = 0.3 } comes to 0." in shown
    assert "which keeps 30.0 % of the people the model was evaluated on.\n" in shown
    assert main(["policy", "check", str(write_policy(tmp_path / "p.toml", ""))]) == 0
    assert "evaluated" not in capsys.readouterr().out


def log_of(scores: list[float | None], **policy: Any) -> dict[str, Any]:
    log = io.StringIO()
    people = {f"p{index}": make_endpoint(score) for index, score in enumerate(scores)}
    make_handler(policy, stream=log)(make_event(people))
    return next(line for line in read_log(log.getvalue()) if line.get("message") == "batch")


def test_the_log_has_the_reach_and_the_share_it_selected_the_holdout_aside() -> None:
    line = log_of([0.9, 0.9, 0.8, 0.1], threshold={"reach": 0.3}, holdout={"percent": 100})
    assert (line["reach"], line["reached"], line["kept"]) == (0.3, 0.75, 0)


def test_a_policy_with_a_threshold_logs_no_reach() -> None:
    assert not {"reach", "reached"} & set(log_of([0.9]))


def run_on(tmp_path: Path, scores: list[float], capsys: pytest.CaptureFixture[str]) -> str:
    """What a run under `reach = 0.3` prints."""
    segment = tmp_path / "segment.jsonl"
    people = [{"Id": f"p{index}", **make_endpoint(score)} for index, score in enumerate(scores)]
    segment.write_text("".join(json.dumps(person) + "\n" for person in people))
    policy = write_policy(tmp_path / "policy.toml", REACH)
    bundle = make_bundle(tmp_path / "bundle")
    arguments = ["run", str(segment), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--policy", str(policy), "--bundle", str(bundle)]) == 0
    return capsys.readouterr().err


def test_a_run_says_what_it_reached_and_warns_if_that_is_far_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "The policy's reach is 30.0 %; the rules select 100.0 % of 20 people with a score."
    shown = run_on(tmp_path, [0.95] * 20, capsys)
    assert shown.startswith(f"{sentence} These people differ from those the model was evaluated on")
    assert shown.count(sentence) == 2, "the warning, and the line below the table"
    assert sentence in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_run_that_reaches_what_was_asked_says_so_without_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run_on(tmp_path, [0.9] * 3 + [0.01] * 7, capsys)
    assert shown.count("The policy's reach is 30.0 %; the rules select 30.0 % of 10 people") == 1
    assert "These people differ" not in shown
