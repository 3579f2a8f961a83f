"""Two models' figures on the same people in; a finding out: better or equal, worse, cannot tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from model.training.measures import (
    FIGURES,
    Groups,
    Ranking,
    Scores,
    bootstrap_differences,
)
from model.training.people import Outcomes

MARGIN = 0.005
AREA, BRIER = FIGURES.index("roc_auc"), FIGURES.index("brier")


class Finding(StrEnum):
    """What a comparison says of the new model; `gate.finding` of a manifest."""

    EQUAL = "better or equal"
    WORSE = "worse"
    UNCLEAR = "cannot tell"


class IfUnclear(StrEnum):
    """What to do if no comparison can tell."""

    KEEP = "keep"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the new model may replace `against`, why in a sentence, and the figures of both.

    finding  what the comparison that decided said
    behind   how much lower the new model's ROC AUC or Qini coefficient is; below 0 it is higher
    """

    passed: bool
    finding: Finding
    against: str
    sentence: str
    figures: dict[str, Any]
    behind: float


class Gain(NamedTuple):
    """How much better the new model is, and the 95 % interval of it. Below 0 it is worse."""

    value: float
    low: float
    high: float


def judge(gain: Gain, margin: float) -> Finding:
    """Better or equal if the whole interval is above -`margin`; worse if all of it is below 0."""
    if gain.low >= -margin:
        return Finding.EQUAL
    return Finding.WORSE if gain.high < 0 else Finding.UNCLEAR


def combine(findings: list[Finding]) -> Finding:
    """The least favourable of them."""
    for finding in (Finding.WORSE, Finding.UNCLEAR):
        if finding in findings:
            return finding
    return Finding.EQUAL


def count_needed(gain: Gain, margin: float, responders: int) -> int:
    """About how many responders would tell, if the difference stays: an interval narrows by their
    square root.
    """
    half = (gain.high - gain.low) / 2
    room = max(gain.value + margin, -gain.value)
    return math.ceil(responders * (half / room) ** 2) if room > 0 else responders


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreComparison:
    """The figures of both models on the same people.

    by     how the people were scored; `gate.decided_by` of a manifest
    where  the people, as the end of a sentence
    fair   whether the old model has learnt from none of them, as the new one; if it has, it looks
           better than it is
    area   gain of ROC AUC
    brier  gain of the Brier score: how much lower it is
    """

    by: str
    where: str
    fair: bool
    people: int
    responders: int
    new: tuple[float, ...]
    old: tuple[float, ...]
    area: Gain
    brier: Gain
    margin: float

    @property
    def finding(self) -> Finding:
        """Of both figures. Only a fair comparison can say that the new model is worse."""
        found = combine([judge(gain, self.margin) for gain in (self.area, self.brier)])
        return Finding.UNCLEAR if found is Finding.WORSE and not self.fair else found

    @property
    def needed(self) -> int:
        """About how many responders it takes to tell; 0 if no number of them would."""
        unclear = [
            gain for gain in (self.area, self.brier) if judge(gain, self.margin) is Finding.UNCLEAR
        ]
        return max(
            (count_needed(gain, self.margin, self.responders) for gain in unclear), default=0
        )

    @property
    def reasons(self) -> list[str]:
        """What is worse, as sentences."""
        reasons = []
        if judge(self.area, self.margin) is Finding.WORSE:
            reasons.append(f"its ROC AUC is lower by {-self.area.value:.4f}")
        if judge(self.brier, self.margin) is Finding.WORSE:
            reasons.append(f"its Brier score is higher by {-self.brier.value:.4f}")
        return reasons

    def describe(self) -> str:
        """Both figures with their intervals, and on whom."""
        return (
            f"ROC AUC {self.new[AREA]:.4f}, before {self.old[AREA]:.4f} (difference "
            f"{self.area.value:+.4f}, 95 % interval {self.area.low:+.4f} to {self.area.high:+.4f})"
            f"; Brier score {self.new[BRIER]:.4f}, before {self.old[BRIER]:.4f}; margin "
            f"{self.margin:g}; {self.where}"
        )

    def to_mapping(self) -> dict[str, Any]:
        """As the manifest's `gate` has it."""
        return {
            "margin": self.margin,
            "people": self.people,
            "responders": self.responders,
            "unseen_by_both": self.fair,
            "decided_by": self.by,
            "new": _name_figures(self.new),
            "old": _name_figures(self.old),
            "roc_auc_difference": [round(self.area.low, 6), round(self.area.high, 6)],
            "finding": self.finding.value,
        }


def compare_scores(
    new: Scores,
    old: Scores,
    outcomes: Outcomes,
    groups: Groups,
    *,
    margin: float,
    seed: int,
    by: str,
    where: str,
    fair: bool,
) -> ScoreComparison:
    """Compare two models' scores of the same people. `groups` are users, drawn whole."""
    figures = [Ranking(scores, outcomes).measure() for scores in (new, old)]
    edges = bootstrap_differences(new, old, outcomes, groups, seed)
    area = figures[0][AREA] - figures[1][AREA], *edges[:, AREA].tolist()
    brier = figures[1][BRIER] - figures[0][BRIER], *(-edges[::-1, BRIER]).tolist()
    return ScoreComparison(
        by=by,
        where=where,
        fair=fair,
        people=len(outcomes),
        responders=int(outcomes.sum()),
        new=figures[0],
        old=figures[1],
        area=Gain(*area),
        brier=Gain(*brier),
        margin=margin,
    )


def _name_figures(figures: tuple[float, ...]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in zip(FIGURES, figures, strict=True)}
