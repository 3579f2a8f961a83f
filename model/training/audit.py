"""A matrix and outcomes in; what looks wrong with them, out: features that tell the outcome by themselves, columns that tell nothing.

Never changes anything; says what it saw in sentences without a value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from model.features import FeatureSpec, Matrix
from model.kinds import KINDS
from model.training.folds import draw_rows
from model.training.people import LEAST_WITH_FEATURE, Join, Outcomes, People

LOOKED_AT = 20_000  # people: enough to see a leak
LEAK = (
    0.95  # a campaign's outcome that one feature ranks this well was probably known to the feature
)
TELLTALE = 0.99  # beyond it a feature that was inferred, not asked for, is left out
AHEAD = 0.25  # or one that ranks this much better than any other
RARE, OFTEN = 0.03, 0.97
MANY = 0.05  # of the lines, or of the people matched


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """`alone`: ROC AUC of each feature by itself, on people it has not seen; `leaks`: features too good to be true; `remarks`: the rest."""

    alone: dict[str, float]
    leaks: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def telltale(self) -> frozenset[str]:
        """The leaks that leave hardly a doubt."""
        return frozenset(name for name in self.leaks if self.alone[name] >= TELLTALE)


def audit_people(people: People, seed: int) -> Audit:
    """Look at every feature by itself: a small tree on its columns, with what is missing, judged on people it was not fitted on."""
    rows, folds = draw_rows(
        people.outcomes, people.groups, np.arange(len(people.outcomes)), LOOKED_AT, seed
    )
    matrix, outcomes = people.matrix[rows], people.outcomes[rows]
    alone: dict[str, float] = {}
    remarks: list[str] = []
    for feature, start in zip(people.spec.features, people.spec.starts, strict=True):
        columns = matrix[:, start : start + len(feature.columns)]
        missing = np.isnan(columns[:, 0])
        if missing.all() or (np.nanmax(columns, axis=0) == np.nanmin(columns, axis=0)).all():
            if not missing.any() or missing.all():
                remarks.append(f"{feature.name}: the same for everybody")
                alone[feature.name] = 0.5
                continue
        elif missing.mean() > OFTEN:
            remarks.append(f"{feature.name}: {missing.mean():.1%} of people do not have it")
        scores = np.empty(len(outcomes))
        for train, test in folds:
            tree = DecisionTreeClassifier(
                max_leaf_nodes=12, min_samples_leaf=max(10, len(train) // 200), random_state=seed
            )
            scores[test] = tree.fit(columns[train], outcomes[train]).predict_proba(columns[test])[
                :, 1
            ]
        alone[feature.name] = round(float(roc_auc_score(outcomes, scores)), 4)
    remarks += [
        *describe_late_dates(people.spec, people.matrix),
        *describe_lines(people.join),
        *describe_balance(people.outcomes),
    ]
    return Audit(alone=alone, leaks=find_leaks(alone), remarks=tuple(remarks))


def describe_late_dates(spec: FeatureSpec, matrix: Matrix) -> list[str]:
    """A sentence for each date that lies after the time it is measured against, for 20 people or more: it was written later.

    A day's grace, since exports write days without an hour and a zone.
    """
    remarks = []
    for feature, start in zip(spec.features, spec.starts, strict=True):
        if KINDS[feature.kind].needs_time:
            late = int((matrix[:, start] < -1.0).sum())
            if late >= LEAST_WITH_FEATURE:
                remarks.append(
                    f"{feature.name}: for {late:,} people a date after the time that ages are measured against; "
                    "what was written after the outcome tells the outcome"
                )
    return remarks


def describe_lines(join: Join) -> list[str]:
    """A sentence where many lines were refused, or where outcomes and endpoints hardly meet but for the way ids are written."""
    remarks = []
    if join.refused > MANY * (join.refused + join.endpoints):
        remarks.append(
            f"{join.refused:,} of {join.refused + join.endpoints:,} lines are no endpoints: whoever is in them is missing from all figures"
        )
    if join.nearly > MANY * join.matched:
        remarks.append(
            f"{join.nearly:,} more endpoints have an outcome if capitals and blanks around ids do not count: write ids alike"
        )
    return remarks


def find_leaks(alone: dict[str, float]) -> tuple[str, ...]:
    """The features that rank people so well by themselves that they must have known the outcome, or stand far ahead of all others."""
    ranked = sorted(alone.values(), reverse=True)
    second = ranked[1] if len(ranked) > 1 else 1.0
    return tuple(
        name
        for name, area in alone.items()
        if area >= LEAK or (area == ranked[0] and area >= 0.85 and area - second >= AHEAD)
    )


def describe_balance(outcomes: Outcomes) -> list[str]:
    """A sentence where one of the outcomes is rare."""
    share = float(outcomes.mean())
    if RARE <= share <= OFTEN:
        return []
    return [f"{share:.2%} of people responded: figures about so few move much, see their intervals"]


def describe_leaks(audit: Audit, spec: FeatureSpec) -> list[str]:
    """A sentence for each leak that is still in the spec."""
    names = {feature.name for feature in spec.features}
    return [
        f"{name}: alone it ranks people with a ROC AUC of {audit.alone[name]:.3f}; is it known before the message is sent?"
        for name in audit.leaks
        if name in names
    ]
