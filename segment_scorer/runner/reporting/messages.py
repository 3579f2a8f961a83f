"""The sentences about a run, for the report and the command line.

Input: summary, statistics and drift. Output: texts. No sentence names a person, or guesses what the
hook does not report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from function.concerns import ALARMING_SHARE
from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.statistics import (
    FALLBACK_USED,
    NO_EXTERNAL,
    NO_SCORES,
    Statistics,
)
from segment_scorer.runner.summary import Status, Summary

FILTER = "filter"
ALARMING = frozenset(("shifted", "different"))  # verdicts on a column's drift
FAR = 0.1  # a reach that misses by more gets a warning
MOST_NAMED = 3  # problems of unreadable endpoints in one sentence
CALIBRATED = "Expected figures are sums of scores: they are as good as the model's calibration."


def count_people(count: int) -> str:
    """`1 person`, `2 people`."""
    return "1 person" if count == 1 else f"{count:,} people"


def find_warnings(
    summary: Summary, config: RunConfig, statistics: Statistics, drift: Mapping[str, Any]
) -> list[str]:
    """Say what makes the figures unreliable, the worst first."""
    warnings = [*warn_of_unreadable(summary, config, statistics), *config.warnings]
    if statistics.formula_ids:
        warnings.append(
            f"The ids of {count_people(statistics.formula_ids)} begin with a sign that a "
            "spreadsheet takes for a formula (=, +, -, @). They are written as they are: import "
            "their columns as text."
        )
    if statistics.readdressed:
        warnings.append(
            f"The hook changed the address of {count_people(statistics.readdressed)}: the message "
            "would go elsewhere. The function that scores never does this: check who answers at "
            "--hook before you send."
        )
    if config.suppress and not summary.suppressed:
        warnings.append(
            "--suppress: nobody in the segment is in the file. Check that its ids are those of the "
            "segment."
        )
    warnings += warn_of_unseen(config, statistics)
    if summary.unscored:
        names = name_errors(statistics, NO_SCORES) or "the function's log says why"
        warnings.append(
            f"No score for {summary.unscored:,} of {summary.received:,} people: "
            f"{names}{explain_outcome(config, statistics, Reason.NO_SCORES)}."
        )
    if summary.sparse and summary.sparse >= ALARMING_SHARE * summary.received:
        warnings.append(
            f"Too little data: {summary.sparse:,} of {count_people(summary.received)} have fewer "
            f"of the model's features than the policy's min_present"
            f"{explain_outcome(config, statistics, Reason.SPARSE)}. An import has probably stopped "
            "filling fields: correct it before you send."
        )
    for kind, text in (
        (FALLBACK_USED, "The first scorer failed and the fallback scored"),
        (NO_EXTERNAL, "External attributes could not be looked up"),
    ):
        if names := name_errors(statistics, kind):
            calls = sum(n for (failed, _), n in statistics.failures.items() if failed == kind)
            warnings.append(f"{text} in {calls:,} of {summary.attempts:,} calls: {names}.")
    reached = measure_reached(statistics)
    if config.reach is not None and reached is not None and abs(reached - config.reach) > FAR:
        warnings.append(
            f"{describe_reach(config, statistics)} These people differ from those the model was "
            "evaluated on: choose a threshold for this segment."
        )
    if any(column["verdict"] in ALARMING for column in drift.get("columns", ())):
        warnings.append(drift["verdict"])
    return warnings


def warn_of_unseen(config: RunConfig, statistics: Statistics) -> list[str]:
    """Say which exclude rules read a path at which nobody of the segment has a value."""
    if not statistics.times:
        return []
    return [
        f"Nobody in the segment has a value at {path}, which the policy's exclude rule {reason} "
        f"reads: it excluded {'everybody' if condition == 'missing' else 'nobody'}. Check the path "
        "and the import."
        for path, reason, condition in config.excludes
        if not statistics.seen[path]
    ]


def warn_of_unreadable(summary: Summary, config: RunConfig, statistics: Statistics) -> list[str]:
    """Say how many people are unreadable, by path: a sentence, or nothing."""
    if not summary.unreadable:
        return []
    paths: Counter[str] = Counter()
    reasons: dict[str, list[str]] = {}
    for problem, count in statistics.unreadable.most_common():
        path, _, reason = problem.partition(": ")
        path = path.removeprefix("$.") if path != "$" else "the endpoint itself"
        paths[path] += count
        reasons.setdefault(path, []).extend([reason] * bool(reason))
    fields = [
        f"{path}: {count_people(count)}"
        + (f" ({'; '.join(why)})" if (why := reasons[path]) else "")
        for path, count in paths.most_common(MOST_NAMED)
    ]
    more = len(paths) - MOST_NAMED
    fields += [f"{more} more paths"] * (more > 0)
    outcome = explain_outcome(config, statistics, Reason.UNREADABLE)
    return [
        f"Unreadable: {summary.unreadable:,} of {count_people(summary.received)}"
        f"{outcome}. {', '.join(fields)}".rstrip(". ")
        + "."
    ]


def measure_reached(statistics: Statistics) -> float | None:
    """The share of the people with a score that the rules select; None without scores."""
    scored = statistics.scored.total()
    return statistics.count_selected() / scored if scored else None


def describe_reach(config: RunConfig, statistics: Statistics) -> str:
    """Say what the policy's reach came to. "" if the policy has none, or without scores."""
    reached = measure_reached(statistics)
    if config.reach is None or reached is None:
        return ""
    return (
        f"The policy's reach is {100 * config.reach:.1f} %; the rules select "
        f"{100 * reached:.1f} % of {count_people(statistics.scored.total())} with a score."
    )


def name_errors(statistics: Statistics, kind: str) -> str:
    """Name the classes of one kind's errors, the most frequent first."""
    return ", ".join(
        name for (failed, name), _ in statistics.failures.most_common() if failed == kind
    )


def describe_unreadable(config: RunConfig, statistics: Statistics) -> str:
    """Say why endpoints were unreadable and what happened to them; "" if that is unknown."""
    problems = "; ".join(
        problem.removeprefix("$.") for problem, _ in statistics.unreadable.most_common(MOST_NAMED)
    )
    more = len(statistics.unreadable) - MOST_NAMED
    problems += f" and {more} more problems" if more > 0 else ""
    outcome = explain_outcome(config, statistics, Reason.UNREADABLE)
    return (f" ({problems})" if problems else "") + outcome


def explain_outcome(config: RunConfig, statistics: Statistics, reason: Reason) -> str:
    """Say what happened to the people with this reason, and by which rule.

    "" if the rules are unknown, or if not all of them had the same outcome.
    """
    outcomes = {
        (group.status, group.selected)
        for group, count in statistics.people.items()
        if group.reason == reason and count
    }
    if config.on_error is None or len(outcomes) != 1:
        return ""
    ((status, selected),) = outcomes
    if reason != Reason.NO_SCORES:
        return "; kept without a score" if status == Status.KEPT else "; filtered"
    rule, mode = f"on_error = {config.on_error}", f"mode = {config.mode}"
    if selected and status == Status.KEPT:
        return f"; kept because {rule if config.on_error == 'keep' else mode}"
    if status == Status.KEPT:
        return f"; kept because {mode}, mode filter would filter them because {rule}"
    return f"; filtered because {rule}" if config.on_error == "drop" else "; filtered"


def describe_run(
    summary: Summary,
    config: RunConfig,
    *,
    expected: str,
    reach: str = "",
    savings: str = "",
    control_kept: int,
    rehearsal: bool,
    plan: str = "",
    users: str = "",
    journey: str = "",
) -> list[str]:
    """Describe the run in a few sentences.

    control_kept  people of the control group who are kept
    savings       how many messages fewer bring the same
    plan          what the control group of a rehearsal can show
    users         the same, counted by user
    journey       on Amazon Connect: how many take each branch
    """
    share = 100 * summary.kept / summary.received if summary.received else 0.0
    verb = "would be" if rehearsal else "are"
    sentences = [
        f"{summary.kept:,} of {summary.received:,} people {verb} messaged ({share:.1f} %)."
    ]
    sentences += [sentence for sentence in (journey, users, reach) if sentence]
    sentences += [sentence for sentence in (expected, savings) if sentence]
    if config.chooses and config.mode and config.mode != FILTER:
        sentences.append(
            f"In mode {config.mode} the function returns everyone; the run left out all but those "
            "whom it chose."
        )
    elif config.mode and config.mode != FILTER:
        sentences.append(
            f"Mode {config.mode} keeps everyone. "
            f"Mode filter would filter {summary.would_filter or 0:,} of them."
        )
    if control_kept:
        sentences.append(
            f"The control group ({count_people(control_kept)}) {verb} messaged, too, "
            "so it cannot serve as a control group."
        )
    if plan:
        sentences.append(plan)
    if summary.held_out is None:
        sentences.append(
            "The hook reports only the people it keeps: "
            "reasons, and the scores of filtered people, are unknown."
        )
    return sentences


def describe_users(summary: Summary, config: RunConfig, expected: int) -> str:
    """Say how many users the people are; "" if each is a user of its own.

    expected  the best score of each user who is kept, added up
    """
    if summary.users >= summary.received:
        return ""
    sentence = f"By user: {summary.users_kept:,} of {summary.users:,} users are kept"
    if not config.knows_decisions or config.score.is_uplift or config.keep == "below":
        return f"{sentence}."
    return (
        f"{sentence}; {expected:,} responses are expected of them, if each counts once, by "
        "the best score."
    )


def explain_explorer(config: RunConfig, *, scored: int, kept: int) -> str:
    """Explain what the threshold explorer counts.

    scored  people who move with the threshold
    kept    kept people who do not
    """
    if config.in_process:
        mode = ""
        if config.mode != FILTER:
            mode = (
                f"The figures show what mode filter would do; this run was in mode {config.mode}. "
            )
        return (
            f"{mode}{count_people(scored)} are decided by score; the counts follow as you drag. "
            f"{'The control group is not messaged. ' if config.holdout_percent else ''}"
            f"People without a score stay as the policy decides. {CALIBRATED}"
        )
    if config.knows_decisions:
        return (
            "The function's threshold and mode are unknown, so the figures start with what it did. "
            f"{count_people(scored)} are decided by score. Dragging counts what mode filter would "
            "do if high scores are kept. The control group is not messaged. "
            f"People without a score stay as the function decided. {CALIBRATED}"
        )
    return (
        "Only the kept people and their scores are known, not the function's threshold, mode or "
        "control group, so the figures start with what it did. "
        f"Dragging counts how many of the {scored:,} kept people with a score would stay if high "
        f"scores are kept. The {kept:,} kept without one stay. "
        f"A threshold below the function's own cannot be tried. {CALIBRATED}"
    )
