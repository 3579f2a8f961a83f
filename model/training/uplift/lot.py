"""Checks whether chance decided who was messaged, and whether enough people responded.

Takes a campaign; gives sentences, or raises DataError. Fits only to foretell who was messaged.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from model.errors import DataError
from model.training.people import People, take_rows
from model.training.selection import limit_threads
from model.training.uplift.campaign import UpliftPeople, split_users
from model.training.uplift.learners import fit_logistic

# Users with either outcome in either group: with fewer the Qini interval holds 0 in nearly every
# campaign, whatever the message does (docs/uplift.md).
NEEDED = 100
CHECKED_USERS = 20_000
CHECKED_PARTS = 3
# Under a lot, users are foretold with a ROC AUC of 0.5 +- one standard error.
WARNED, REFUSED = 3.0, 5.0  # standard errors
CLEAR = 0.55  # ROC AUC from which a treatment that can be foretold is refused
WRONG_SHARE = 0.0005  # probability of a share as far from the known one by chance


def make_campaign(
    people: People, share: float | None, needed: int = NEEDED
) -> tuple[UpliftPeople, list[str]]:
    """The people of a campaign, checked; and what the user should know.

    share   of users whom chance should message; None to estimate it from these people
    needed  users with either outcome in either group

    Raises DataError if too few people responded, or if chance cannot have decided.
    """
    if people.treated is None:
        raise ValueError("people were gathered without a treatment")
    check_groups(people.treated)
    found = find_share(people)
    campaign = UpliftPeople(
        matrix=people.matrix,
        outcomes=people.outcomes,
        treated=people.treated,
        groups=people.groups,
        share=found if share is None else share,
    )
    notices = [] if share is None else check_share(campaign, found, share)
    check_responders(campaign, needed)
    return campaign, notices


def leave_out_mixed(people: People) -> tuple[People, list[str]]:
    """Leave out users with an endpoint that was messaged and another that was not."""
    if people.treated is None:
        raise ValueError("people were gathered without a treatment")
    ones = np.bincount(people.groups, people.treated)
    mixed = (ones > 0) & (ones < np.bincount(people.groups))
    if not mixed.any():
        return people, []
    kept = np.flatnonzero(~mixed[people.groups])
    if not len(kept):
        raise DataError(
            "expected users of whom either every endpoint was messaged or none, found none; "
            "a campaign messages users by lot, not endpoints"
        )
    notice = (
        f"{int(mixed.sum()):,} users are left out: one of their endpoints was messaged and "
        "another was not"
    )
    return take_rows(people, kept), [notice]


def check_groups(treated: np.ndarray) -> None:
    """Raise DataError unless some people were messaged, and some were not."""
    if treated.all() or not treated.any():
        missing = "not messaged" if treated.all() else "messaged"
        raise DataError(
            f"expected people who were messaged and people who were not, found nobody who was "
            f"{missing}; keep a control group out of the campaign, or name the right column"
        )


def find_share(people: People) -> float:
    """The share of users who were messaged."""
    first = np.unique(people.groups, return_index=True)[1]
    return float(np.asarray(people.treated)[first].mean())


def check_share(campaign: UpliftPeople, found: float, share: float) -> list[str]:
    """Raise DataError if chance would hardly message so many users at the known share."""
    users = int(campaign.groups.max()) + 1
    chance = float(stats.binomtest(round(found * users), users, share).pvalue)
    if chance < WRONG_SHARE:
        raise DataError(
            f"expected chance to have messaged {share:.1%} of users, found {found:.1%} of "
            f"{users:,}: people are missing from one of the groups, or the share is another one"
        )
    return []


def check_responders(campaign: UpliftPeople, needed: int) -> None:
    """Raise DataError if a group has fewer than `needed` users who responded, or who did not."""
    users = int(campaign.groups.max()) + 1
    responded, treated = np.zeros(users, dtype=bool), np.zeros(users, dtype=bool)
    responded[campaign.groups[campaign.outcomes == 1]] = True
    treated[campaign.groups] = campaign.treated == 1
    counts = {
        "messaged": (int((responded & treated).sum()), int((~responded & treated).sum())),
        "not messaged": (int((responded & ~treated).sum()), int((~responded & ~treated).sum())),
    }
    fewest = min(min(pair) for pair in counts.values())
    if fewest >= needed:
        return
    found = "; ".join(
        f"of the users {name}, {ones:,} responded and {zeros:,} did not"
        for name, (ones, zeros) in counts.items()
    )
    more = math.ceil(users * needed / fewest) if fewest else 0
    about = f" About {more:,} users like these are needed." if more else ""
    raise DataError(
        f"expected at least {needed} users who responded and {needed} who did not, both among "
        f"those messaged and among the others; found: {found}.{about}"
    )


def check_lot(campaign: UpliftPeople, seed: int) -> list[str]:
    """Check that nobody can foretell from the features who was messaged.

    Two models try it out of fold. Raises DataError if one succeeds clearly; gives a sentence if one
    succeeds a little.
    """
    first = np.unique(campaign.groups, return_index=True)[1]
    if len(first) > CHECKED_USERS:
        drawn = np.random.default_rng(seed).choice(len(first), CHECKED_USERS, replace=False)
        first = first[np.sort(drawn)]
    sample = campaign.choose(first)
    area = max(foretell(sample, seed))
    ones = int(sample.treated.sum())
    zeros = len(sample.treated) - ones
    # H. B. Mann and D. R. Whitney, 1947: the standard error of a ROC AUC of 0.5.
    error = math.sqrt((ones + zeros + 1) / (12 * ones * zeros))
    if area >= CLEAR and area - 0.5 > REFUSED * error:
        raise DataError(
            f"expected chance to have decided who was messaged, but the features foretell it with "
            f"a ROC AUC of {area:.3f} (by chance 0.5): the groups are not alike, and a model of "
            "their difference would be wrong. Train on a campaign that was messaged by lot, and on "
            "features as they were before it"
        )
    if area - 0.5 > WARNED * error:
        notice = (
            f"the features foretell a little who was messaged, with a ROC AUC of {area:.3f} (by "
            "chance 0.5): find out whether chance alone decided, and whether every feature is as "
            "it was before the message"
        )
        return [notice]
    return []


def foretell(campaign: UpliftPeople, seed: int) -> list[float]:
    """How well two models foretell who was messaged, out of fold: ROC AUC of each."""
    target = replace(campaign, outcomes=campaign.treated)
    scores = np.empty((2, len(target.outcomes)))
    for train, test in split_users(campaign, CHECKED_PARTS, seed):
        part = target.choose(train)
        trees = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=seed
        )
        with limit_threads(len(train)):
            trees.fit(part.matrix, part.outcomes)
            scores[0, test] = trees.predict_proba(campaign.matrix[test])[:, 1]
            linear = fit_logistic(part, None, seed)
            scores[1, test] = linear.predict_proba(campaign.matrix[test])[:, 1]
    return [float(roc_auc_score(target.outcomes, column)) for column in scores]
