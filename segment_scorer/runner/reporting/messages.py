"""What the report and the command line say about a run in sentences: what to know before any figure, and what the figures mean.

Takes the books, the sums and the drift; gives texts. No sentence names a person or guesses what the hook does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.statistics import (
    FALLBACK_USED,
    NO_EXTERNAL,
    NO_SCORES,
    Statistics,
)
from segment_scorer.runner.summary import Summary

FILTER = "filter"
ALARMING = frozenset(("shifted", "different"))


def find_warnings(
    summary: Summary, config: RunConfig, statistics: Statistics, drift: Mapping[str, Any]
) -> list[str]:
    """What spoils the figures, the worst first."""
    warnings = []
    if summary.unscored:
        names = name_errors(statistics, NO_SCORES) or "the function's log says why"
        warnings.append(
            f"No score for {summary.unscored:,} of {summary.received:,} people: {names}{tell_fate(config, statistics)}."
        )
    for what, text in (
        (FALLBACK_USED, "The first scorer failed and the fallback scored"),
        (NO_EXTERNAL, "External attributes could not be looked up"),
    ):
        if names := name_errors(statistics, what):
            calls = sum(
                count for (happened, _), count in statistics.failures.items() if happened == what
            )
            warnings.append(f"{text} in {calls:,} of {summary.attempts:,} calls: {names}.")
    if any(column["verdict"] in ALARMING for column in drift.get("columns", ())):
        warnings.append(drift["verdict"])
    return warnings


def name_errors(statistics: Statistics, what: str) -> str:
    """The classes of the errors of one kind, the most frequent first."""
    return ", ".join(
        name for (happened, name), _ in statistics.failures.most_common() if happened == what
    )


def tell_fate(config: RunConfig, statistics: Statistics) -> str:
    """What became of those without a score, and by which rule, as far as that is known and the same for all."""
    fates = {
        (group.outcome, group.keep)
        for group, count in statistics.people.items()
        if group.reason == "no_scores" and count
    }
    if config.on_error is None or len(fates) != 1:
        return ""
    ((outcome, keep),) = fates
    if keep:
        return "; kept because " + (
            f"on_error = {config.on_error}"
            if config.on_error == "keep"
            else f"mode = {config.mode}"
        )
    if outcome == "kept":
        return f"; kept because mode = {config.mode}, in mode filter left out because on_error = {config.on_error}"
    return (
        f"; left out because on_error = {config.on_error}"
        if config.on_error == "drop"
        else "; left out"
    )


def tell_expected(kept: float, everybody: float, config: RunConfig) -> str:
    """How much of what the scores foretell comes from the kept; "" where there are no scores, or only those of the kept."""
    if not config.knows_decisions or round(everybody) == 0:
        return ""
    if config.keep == "below":
        return (
            f"If the scores are calibrated, messaging everybody scored would bring {everybody:,.0f} unwanted events; {kept:,.0f} are "
            f"expected from those messaged, {round(everybody) - round(kept):,} are avoided."
        )
    return (
        f"If the scores are calibrated, {kept:,.0f} of the {everybody:,.0f} responses that messaging everybody scored would bring are "
        "expected from those messaged."
    )


def tell_story(
    summary: Summary, config: RunConfig, *, expected: str, control: int, rehearsal: bool
) -> list[str]:
    """The run in a few sentences. `control` is how many of the control group are kept."""
    share = 100 * summary.kept / summary.received if summary.received else 0.0
    verb = "would be" if rehearsal else "are"
    story = [
        f"{summary.kept:,} of {summary.received:,} people {verb} messaged ({share:.1f} %).",
        *([expected] if expected else []),
    ]
    if config.mode and config.mode != FILTER:
        story.append(
            f"Mode {config.mode} acts on no rule: in mode filter {summary.would_filter or 0:,} of them would be left out."
        )
    if control:
        story.append(f"The control group, {control:,} people, is messaged too, so it is none.")
    if summary.held_out is None:
        story.append(
            "The hook shows only whom it keeps: reasons, and scores of those left out, are unknown."
        )
    return story


def explain_explorer(config: RunConfig, *, scored: int, kept: int) -> str:
    """What the explorer counts, and what it cannot know. `scored`: whom it moves; `kept`: how many of the kept it does not move."""
    calibrated = (
        " Expected figures are sums of scores: they hold as far as the model is calibrated."
    )
    if config.knows_drops:
        begin = (
            ""
            if config.mode == FILTER
            else f"What mode filter would do, counted for this run in mode {config.mode}. "
        )
        return (
            f"{begin}Whom the score decides, {scored:,} people, counted again as you drag; the control group is not messaged, and those "
            f"without a score stay as the policy has them.{calibrated}"
        )
    if config.knows_decisions:
        return (
            "The function's threshold and mode are unknown here, so it begins with what the function did. Dragging counts what mode filter "
            f"would do to the {scored:,} people whom the score decides, as if high scores stayed; the control group is not messaged, "
            f"and those without a score stay where the function kept them.{calibrated}"
        )
    return (
        "Only the kept, and the scores written on them, are known here, not the function's threshold, mode or control group, so it begins "
        f"with what the function did. Dragging counts who of the {scored:,} kept with a score would stay if high scores stayed; "
        f"{kept:,} kept without one stay. A threshold below the function's cannot be tried.{calibrated}"
    )
