"""What has to be right before a comparison may be believed: checks in sentences, and refusals."""

from __future__ import annotations

import msgspec
import numpy as np
from scipy import stats

from segment_scorer.lift.errors import LiftRefused
from segment_scorer.lift.estimate import (
    FEW,
    MOST_SKEW,
    Amounts,
    Effect,
    find_detectable,
)
from segment_scorer.lift.phrases import say_people, say_share, say_threshold
from segment_scorer.lift.users import MatchCounts, SelectedUsers

# A split this unlikely is a defect, not chance: R. Kohavi, D. Tang, Y. Xu, "Trustworthy online
# controlled experiments", 2020, chapter 21, and A. Fabijan et al., KDD 2019.
SPLIT_ALPHA = 0.001
LEAST = 25  # people in each group; with fewer there is nothing to say
MOST_NEAR = 0.01  # share of the outcomes whose ids match only nearly


class Check(msgspec.Struct, frozen=True):
    """One check. passed: True; False = a warning; None = could not be checked."""

    name: str
    passed: bool | None
    text: str


def check_join(counts: MatchCounts, *, near: int, several_files: bool) -> list[Check]:
    """Check ids and decisions. `near`: outcomes whose ids match nobody, but nearly somebody.

    Raises LiftRefused for what makes any comparison meaningless.
    """
    if counts.unknown_rows:
        raise LiftRefused(
            f"{counts.unknown_rows:,} endpoints have no `selected` or `holdout`, so nobody knows "
            "which group they are in. A deployed function on host pinpoint shows only whom it "
            "keeps: run with --hook local, or on host connect or web, or give --decisions"
        )
    if counts.in_both_groups:
        raise LiftRefused(
            f"{say_people(counts.in_both_groups)} in both groups: in the control group with one "
            "endpoint or run, and outside it with another. They cannot be compared with anybody"
        )
    if counts.control_sent:
        raise LiftRefused(
            f"{say_people(counts.control_sent)} in the control group and were messaged all the "
            "same. Only a control group that is not messaged shows what the message changed"
        )
    nearly = (
        f"{near:,} ids would match if case, blanks, leading zeros and a final `.0` did not count: "
        "write the ids of both files alike"
    )
    if not counts.matched:
        raise LiftRefused(
            f"none of the {counts.outcomes:,} outcomes belongs to anybody in the decisions"
            + (f". {nearly}" if near else "")
        )
    if near > MOST_NEAR * counts.outcomes:
        raise LiftRefused(nearly)
    checks = [Check("groups", True, "No one is in both groups.")]
    outside = counts.outcomes - counts.matched
    text = f"{counts.matched:,} of {counts.outcomes:,} outcomes belong to people in the decisions."
    if near:
        checks.append(Check("ids", False, f"{text} {nearly[0].upper()}{nearly[1:]}."))
    else:
        others = " The others are of people outside this campaign." if outside else ""
        checks.append(Check("ids", True, text + others))
    if several_files:
        text = f"{say_people(counts.several_runs)} in several runs and counted once."
        checks.append(Check("runs", True, text))
    if counts.failed_rows:
        text = (
            f"{counts.failed_rows:,} endpoints are left out: the hook failed for their whole "
            "batch, whichever group its people were in."
        )
        checks.append(Check("failed", True, text))
    if counts.not_sent:
        text = (
            f"{say_people(counts.not_sent)} counted as messaged although no message was sent. "
            "Leaving them out would favour one group."
        )
        checks.append(Check("intention to treat", True, text))
    return checks


def check_split(users: SelectedUsers, percent: float | None) -> Check:
    """Compare the control group's share with its percent by an exact binomial test.

    Raises LiftRefused where chance would give such a share once in 1,000 campaigns or less.
    """
    total, control = len(users.messaged), int((~users.messaged).sum())
    found = control / total if total else 0.0
    if percent is None:
        return Check(
            "split",
            None,
            f"The control group is {say_share(found)} of the selected people. Whether that is the "
            "share asked for is unknown: give --holdout-percent.",
        )
    chance = float(stats.binomtest(control, total, percent / 100.0).pvalue) if total else 1.0
    text = (
        f"the control group is {say_share(found)} of {total:,} selected people; "
        f"{percent:g} % was asked for"
    )
    if chance < SPLIT_ALPHA:
        raise LiftRefused(
            f"{text}. Chance alone hardly explains that (p = {chance:.1g}): people are missing "
            "from one group, so the groups are not alike. Find out why first"
        )
    return Check("split", True, f"{text[0].upper()}{text[1:]}. Chance explains the difference.")


def check_missing(users: SelectedUsers, *, zero: bool) -> Check:
    """Whether people without an outcome are as frequent in both groups."""
    missing = np.isnan(users.outcomes)
    if zero:
        return Check(
            "missing outcomes",
            True,
            "People who are not in the outcomes file count as 0.",
        )
    groups = (users.messaged, ~users.messaged)
    table = [[int((missing & group).sum()), int((~missing & group).sum())] for group in groups]
    absent = table[0][0] + table[1][0]
    if not absent:
        return Check("missing outcomes", True, "Everybody who was selected has an outcome.")
    rates = " and ".join(say_share(row[0] / max(1, sum(row))) for row in table)
    text = (
        f"{say_people(absent)} left out because the outcomes file does not name them: {rates} of "
        "those messaged and of the control group."
    )
    even = not all(map(any, zip(*table, strict=True))) or min(map(sum, table)) == 0
    chance = 1.0 if even else float(stats.fisher_exact(table).pvalue)
    if chance < SPLIT_ALPHA:
        return Check("missing outcomes", False, f"{text} The groups are no longer alike.")
    return Check("missing outcomes", True, text)


def check_size(messaged: Amounts, control: Amounts, *, binary: bool) -> None:
    """Raise LiftRefused where nothing can be said: too few people, or all outcomes the same."""
    sizes = len(messaged), len(control)
    if min(sizes) < LEAST:
        detectable = find_detectable(messaged, control, binary=binary) if min(sizes) > 1 else 0.0
        threshold = say_threshold(detectable, binary=binary)
        seen = f". An effect below {threshold} would not be seen" if detectable else ""
        raise LiftRefused(
            f"cannot tell: {sizes[0]:,} people were messaged and {sizes[1]:,} held out; expected "
            f"{LEAST} or more in each group{seen}"
        )
    if not binary and min(messaged.min(), control.min()) == max(messaged.max(), control.max()):
        raise LiftRefused("cannot tell: everybody has the same outcome")


def check_effect(effect: Effect, responders: tuple[int, int], *, binary: bool) -> list[Check]:
    """Notes on how far the figures carry. `responders`: messaged and held out, outcome not 0."""
    checks = [
        Check(
            "smallest effect",
            True,
            f"An effect below {say_threshold(effect.detectable, binary=binary)} would probably "
            "not be seen with groups of this size.",
        )
    ]
    if effect.approximate:
        text = f"Fewer than {FEW} responses in a group: the interval is Newcombe's, for few events."
        checks.append(Check("few responses", True, text))
    elif not binary and min(responders) < FEW:
        text = f"Fewer than {FEW} people of a group have an amount: the interval may be too narrow."
        checks.append(Check("few responses", False, text))
    elif effect.skew > MOST_SKEW:
        text = (
            "The amounts are very uneven: a few people have most of them, and the control group "
            "is small for that. An effect that is not there is shown more often than in 5 % of "
            "campaigns. A larger control group, or a 0/1 outcome, is safer."
        )
        checks.append(Check("uneven amounts", False, text))
    if responders[1] == 0 and responders[0] >= FEW:
        text = (
            "No one in the control group responded. If the outcome can only follow a message (an "
            "open, a click), the comparison says nothing about what the message changed."
        )
        checks.append(Check("outcome without a message", False, text))
    return checks
