"""Scores, treatments and outcomes in; the figures that the field judges uplift by, out.

Never fits anything. Intervals are bootstrapped by user.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.training.uplift.campaign import UpliftPeople

Floats = npt.NDArray[np.float64]

SHARES = (0.1, 0.2, 0.3)


class Sums(NamedTuple):
    """People messaged and others, and the responders among the first and the second."""

    messaged: Floats
    others: Floats
    ones: Floats
    control: Floats


class Curve(NamedTuple):
    """A Qini curve: extra responses per person, by the share of people messaged; from (0, 0)."""

    shares: Floats
    gains: Floats


class Uplift:
    """People of a campaign sorted by score once, so that figures can be computed for many weights.

    People with the same score are messaged together in the curve. For shares of people their order
    is drawn, because the file's order means nothing.
    """

    def __init__(self, scores: Floats, campaign: UpliftPeople, seed: int = 0) -> None:
        """Sort the people, the highest scores first."""
        drawn = np.random.default_rng(seed).random(len(scores))
        self.order = np.lexsort((drawn, -scores))
        ordered = scores[self.order]
        # The last person of each run of equal scores.
        self.ends = np.flatnonzero(np.append(np.diff(ordered) < 0, True))
        self.treated = campaign.treated[self.order].astype(np.float64)
        self.responded = campaign.outcomes[self.order].astype(np.float64)

    def sum_up(self, weights: Floats | None = None) -> Sums:
        """Sums from the top to each rank, where person i counts `weights[i]` times."""
        each = np.ones(len(self.order)) if weights is None else weights[self.order]
        messaged = each * self.treated
        others = each - messaged
        return Sums(
            np.cumsum(messaged),
            np.cumsum(others),
            np.cumsum(messaged * self.responded),
            np.cumsum(others * self.responded),
        )

    def trace(self, weights: Floats | None = None) -> Curve:
        """The Qini curve (N. J. Radcliffe, "Using control groups to target on predicted lift",
        2007), divided by the number of people messaged.
        """
        return self._trace(self.sum_up(weights))

    def measure(self, weights: Floats | None = None) -> tuple[Floats, Curve]:
        """Qini coefficient and effect among the top 10, 20 and 30 %, float64 [4]; and the curve.

        The coefficient is the area between the curve and the line of messaging by lot, as a share
        of that area for perfect scores: scikit-uplift's `qini_auc_score`.
        """
        sums = self.sum_up(weights)
        curve = self._trace(sums)
        area = float(np.trapezoid(curve.gains, curve.shares))
        messaged, others, ones, control = (float(column[-1]) for column in sums)
        people, end = messaged + others, float(curve.gains[-1])
        top = ones / messaged
        # Perfect scores: first the responders messaged, then those without a response, last the
        # responders not messaged.
        perfect = (
            top * (ones / 2 + (people - control - ones)) + (top + end) / 2 * control
        ) / people
        qini = (area - end / 2) / (perfect - end / 2)
        ranks = sums.messaged + sums.others
        cuts = np.searchsorted(ranks, np.array(SHARES) * people).clip(max=len(ranks) - 1)
        effects = divide(sums.ones[cuts], sums.messaged[cuts]) - divide(
            sums.control[cuts], sums.others[cuts]
        )
        return np.append(qini, effects), curve

    def _trace(self, sums: Sums) -> Curve:
        messaged, others, ones, control = (column[self.ends] for column in sums)
        extra = ones - divide(control * messaged, others)
        people = messaged + others
        return Curve(np.append(0.0, people / people[-1]), np.append(0.0, extra / messaged[-1]))


def divide(parts: Floats, wholes: Floats) -> Floats:
    """Shares; 0 of nothing."""
    shares: Floats = np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
    return shares
