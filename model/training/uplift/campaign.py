"""What an uplift model learns from: people of whom chance messaged a part. Values only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.features import Matrix
from model.training.folds import Pair, Rows
from model.training.people import Outcomes

Flags = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftPeople:
    """People of a campaign, row by row.

    matrix    float32 [n, f]
    outcomes  int64 [n], 0 or 1
    treated   int64 [n], 1 messaged, 0 not; the same for all rows of a user
    groups    int64 [n], the number of the user
    share     the share of users whom chance messaged, known or estimated; between 0 and 1
    """

    matrix: Matrix
    outcomes: Outcomes
    treated: Flags
    groups: npt.NDArray[np.int64]
    share: float

    def choose(self, rows: Rows) -> UpliftPeople:
        """These rows. The share stays: it belongs to the lot, not to the rows."""
        return UpliftPeople(
            matrix=self.matrix[rows],
            outcomes=self.outcomes[rows],
            treated=self.treated[rows],
            groups=np.unique(self.groups[rows], return_inverse=True)[1].astype(np.int64),
            share=self.share,
        )

    @property
    def weighted(self) -> npt.NDArray[np.float64]:
        """What a row says about the effect: its outcome, weighed by how it was drawn.

        The mean over people is the mean effect (D. G. Horvitz and D. J. Thompson, 1952).
        """
        signs: npt.NDArray[np.float64] = np.where(
            self.treated == 1, 1.0 / self.share, -1.0 / (1.0 - self.share)
        )
        return signs * self.outcomes


def split_users(campaign: UpliftPeople, parts: int, seed: int) -> tuple[Pair, ...]:
    """Folds of users with as many messaged, and as many responders, in each.

    All rows of a user are on the same side.
    """
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415  # slow to import

    groups = campaign.groups
    count = int(groups.max()) + 1
    responded = np.zeros(count, dtype=np.int64)
    np.maximum.at(responded, groups, campaign.outcomes)
    treated = np.zeros(count, dtype=np.int64)
    treated[groups] = campaign.treated
    folds = StratifiedKFold(parts, shuffle=True, random_state=seed)
    fold_of = np.empty(count, dtype=np.int64)
    for number, (_, test) in enumerate(folds.split(np.zeros((count, 1)), 2 * treated + responded)):
        fold_of[test] = number
    row_fold = fold_of[groups]
    return tuple(
        (np.flatnonzero(row_fold != number), np.flatnonzero(row_fold == number))
        for number in range(parts)
    )
