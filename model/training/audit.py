"""A matrix and outcomes in; suspicious features and data out, in sentences without a value.

Looks for features that reveal the outcome, features without information, and lost lines. Changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from model.features import FeatureSpec, Matrix
from model.kinds import KINDS
from model.training.folds import sample_rows
from model.training.people import LEAST_WITH_FEATURE, Join, Outcomes, People
from model.training.phrases import format_count
from model.training.target_rates import encode_for

AUDITED_PEOPLE = 20_000  # enough to see a leak
# ROC AUC of one feature alone. A feature this good probably contains a campaign's outcome.
LEAK = 0.95
CERTAIN_LEAK = 0.99  # an inferred feature this good is left out
# A feature is suspicious too if it is at least this good, and this far ahead of all others.
LEADING, AHEAD = 0.85, 0.25
RARE, FREQUENT = 0.03, 0.97
MANY = 0.05  # of the lines, or of the matched endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the audit found.

    alone    ROC AUC of each feature by itself, out of fold
    leaks    leaking features: those that rank people too well to be true
    notices  sentences about everything else
    """

    alone: dict[str, float]
    leaks: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def certain_leaks(self) -> frozenset[str]:
        """The leaking features that leave hardly a doubt."""
        return frozenset(name for name in self.leaks if self.alone[name] >= CERTAIN_LEAK)


def audit_people(people: People, seed: int) -> Audit:
    """Score people by each feature alone, with a small tree that sees missing values too."""
    rows, folds = sample_rows(
        people.outcomes, people.groups, np.arange(len(people.outcomes)), AUDITED_PEOPLE, seed
    )
    people = encode_for(people, np.arange(len(people.outcomes)), seed)
    matrix, outcomes = people.matrix[rows], people.outcomes[rows]
    alone: dict[str, float] = {}
    notices: list[str] = []
    for feature, start in zip(people.spec.features, people.spec.starts, strict=True):
        columns = matrix[:, start : start + len(feature.columns)]
        missing = np.isnan(columns[:, 0])
        constant = missing.all() or (np.nanmax(columns, axis=0) == np.nanmin(columns, axis=0)).all()
        if constant and missing.all() == missing.any():
            notices.append(f"{feature.name}: the same value for everyone")
            alone[feature.name] = 0.5
            continue
        if missing.mean() > FREQUENT and not constant:
            notices.append(f"{feature.name}: missing for {missing.mean():.1%} of people")
        scores = np.empty(len(outcomes))
        for train, test in folds:
            tree = DecisionTreeClassifier(
                max_leaf_nodes=12, min_samples_leaf=max(10, len(train) // 200), random_state=seed
            )
            tree.fit(columns[train], outcomes[train])
            scores[test] = tree.predict_proba(columns[test])[:, 1]
        alone[feature.name] = round(float(roc_auc_score(outcomes, scores)), 4)
    notices += [
        *describe_late_dates(people.spec, people.matrix),
        *describe_lines(people.join),
        *describe_balance(people.outcomes),
    ]
    return Audit(alone=alone, leaks=find_leaks(alone), notices=tuple(notices))


def describe_late_dates(spec: FeatureSpec, matrix: Matrix) -> list[str]:
    """A sentence for each date that is later than its reference time for 20 people or more.

    One day is tolerated, because exports write days without hour and zone.
    """
    notices = []
    for feature, start in zip(spec.features, spec.starts, strict=True):
        if KINDS[feature.kind].needs_time:
            late = int((matrix[:, start] < -1.0).sum())
            if late >= LEAST_WITH_FEATURE:
                notices.append(
                    f"{feature.name}: the date is after the reference time for {late:,} people. "
                    "Data written after the outcome reveal the outcome"
                )
    return notices


def describe_lines(join: Join) -> list[str]:
    """A sentence if many lines are unreadable, or many ids differ only in case and spaces."""
    notices = []
    lines = join.refused + join.endpoints
    if join.refused > MANY * lines:
        notices.append(
            f"{join.refused:,} of {lines:,} lines are unreadable; the figures do not include "
            "these people"
        )
    if join.nearly > MANY * join.matched:
        notices.append(
            f"{format_count(join.nearly, 'more endpoint')} would match an outcome if case and "
            "surrounding spaces were ignored; write ids the same way in both files"
        )
    return notices


def find_leaks(alone: dict[str, float]) -> tuple[str, ...]:
    """The features that alone rank people very well, or far better than every other feature."""
    ranked = sorted(alone.values(), reverse=True)
    second = ranked[1] if len(ranked) > 1 else 1.0
    leading = ranked[0] >= LEADING and ranked[0] - second >= AHEAD if ranked else False
    return tuple(
        name for name, area in alone.items() if area >= LEAK or (leading and area == ranked[0])
    )


def describe_balance(outcomes: Outcomes) -> list[str]:
    """A sentence if one of the outcomes is rare."""
    share = float(outcomes.mean())
    if RARE <= share <= FREQUENT:
        return []
    rarer = "responded" if share < RARE else "did not respond"
    rare = f"{min(share, 1 - share):.2%}"
    return [f"only {rare} of people {rarer}, so the figures are uncertain; see their intervals"]


def describe_leak(name: str, area: float) -> str:
    """How well a leaking feature ranks people."""
    return f"{name}: alone it ranks people with a ROC AUC of {area:.3f}"


def describe_leaks(audit: Audit, spec: FeatureSpec) -> list[str]:
    """A sentence for each leaking feature that is still in the spec."""
    names = {feature.name for feature in spec.features}
    return [
        f"{describe_leak(name, audit.alone[name])}; is it known before the message is sent?"
        for name in audit.leaks
        if name in names
    ]
