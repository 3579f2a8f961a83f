"""The rows of the report's tables: who is in which, and the figures of each.

Input: sums over the run. Output: names of rows, and rows as plain data. Small groups are added up
as one row, so that no person can be recognised.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from function.records import Reason
from segment_scorer.runner.counting import NameRows, RowFigures, UserCounts
from segment_scorer.runner.reporting.labels import UNKNOWN
from segment_scorer.runner.reporting.outcomes import MESSAGED, name_outcome
from segment_scorer.runner.reporting.statistics import AnyReason, Group, Statistics
from segment_scorer.runner.summary import BY_RULE, TREATMENT, Status, UnsentReason
from segment_scorer.runner.writing.checkpoint import Checkpoint

MOST_ROWS = 12  # of a table; further rows are added up as one
FEWEST = 10  # people or users in a figure, so that no person can be recognised
NO_LABEL, OTHERS = "none", "all others"
BY_GROUP = ("channel", "country", "band")
# reason of filtered people -> its words in the report
REASON_TEXTS: dict[AnyReason, str] = {
    UnsentReason.OPTED_OUT: "opted out or inactive, not sent",
    UnsentReason.SUPPRESSED: "suppressed, not sent",
    UnsentReason.ONE_PER_USER: "another endpoint chosen",
    UnsentReason.BUDGET: "beyond the budget",
    Reason.HOLDOUT: "control group (holdout)",
    Reason.EXCLUDED: "excluded by the policy",
    Reason.SCORE: "score too low",
    Reason.NO_SCORES: "no score: the scorer failed",
    Reason.SPARSE: "too little data to score",
    Reason.UNREADABLE: "unreadable",
    Reason.SHADOW: "filtered by the function, reason unknown",
    Reason.UNKNOWN: "filtered by the function, reason unknown",
}
SCORE_TOO_HIGH = "score too high"


def make_namer(checkpoint: Checkpoint) -> NameRows:
    """The function that names the rows of a person, by table."""
    statistics, config = checkpoint.statistics, checkpoint.config
    shown = {name: set(choose_labels(count_labels(statistics, name))) for name in BY_GROUP}
    treatments = set(choose_labels(count_treated(checkpoint)))

    def name_rows(group: Group, treatment: str) -> dict[str, str]:
        labels = {name: getattr(group, name) or NO_LABEL for name in BY_GROUP}
        rows = {name: each if each in shown[name] else OTHERS for name, each in labels.items()}
        if config.treatments:
            rows["treatment"] = treatment if treatment in treatments else OTHERS
        rows["outcome"] = name_outcome(group)
        rows["reason"] = name_reason(group, low_is_good=config.keep == "below")
        return rows

    return name_rows


def name_reason(group: Group, *, low_is_good: bool) -> str:
    """The words for why people are not messaged, or that they are."""
    if group.status != Status.FILTERED:
        return MESSAGED if group.status == Status.KEPT else str(Status.FAILED)
    if low_is_good and group.reason == Reason.SCORE:
        return SCORE_TOO_HIGH
    return REASON_TEXTS[group.reason]


def count_filtered(checkpoint: Checkpoint, users: UserCounts | None = None) -> list[dict[str, Any]]:
    """Count filtered people by reason, the most frequent first; with `users`, also by user."""
    low_is_good, counts = checkpoint.config.keep == "below", Counter[str]()
    for group, count in checkpoint.statistics.people.items():
        if group.status == Status.FILTERED:
            counts[name_reason(group, low_is_good=low_is_good)] += count
    by_user = users.rows["reason"] if users else {}
    known = {text: tell_users(by_user[text].users) for text in counts if text in by_user}
    if rules := split_rules(checkpoint):
        del counts[REASON_TEXTS[Reason.EXCLUDED]]
        counts |= rules
    return [
        {"reason": text, "people": count} | ({"users": known.get(text)} if users else {})
        for text, count in counts.most_common()
    ]


def split_rules(checkpoint: Checkpoint) -> Counter[str]:
    """The people whom each exclude rule left out, by its words; empty if unknown."""
    left_out = sum(
        count
        for group, count in checkpoint.statistics.people.items()
        if group.reason == Reason.EXCLUDED and group.status == Status.FILTERED
    )
    found = Counter(
        {
            f"excluded: {name.removeprefix(BY_RULE)}": count
            for name, count in checkpoint.counts.items()
            if name.startswith(BY_RULE) and count
        }
    )
    # In modes that leave nobody out, the rules' counts are of people who are messaged.
    return found if found and left_out == found.total() else Counter()


def tell_users(count: int) -> int | None:
    """A number of users, if nobody can be recognised by it."""
    return None if 0 < count < FEWEST else count


def count_labels(statistics: Statistics, name: str) -> Counter[str]:
    """People by one property of `Group`."""
    sizes: Counter[str] = Counter()
    for group, count in statistics.people.items():
        sizes[getattr(group, name) or NO_LABEL] += count
    return sizes


def count_treated(checkpoint: Checkpoint) -> Counter[str]:
    """People by treatment."""
    return Counter(
        {
            name: checkpoint.counts[f"{TREATMENT}{name}:received"]
            for name, _ in checkpoint.config.treatments
        }
    )


def choose_labels(sizes: Counter[str]) -> list[str]:
    """Choose the groups with a row of their own, so that neither they nor the rest are small."""
    shown = [label for label, count in sizes.most_common() if count >= FEWEST]
    if len(sizes) > min(len(shown), MOST_ROWS):
        shown = shown[: MOST_ROWS - 1]
        if sizes.total() - sum(sizes[label] for label in shown) < FEWEST:
            shown = shown[:-1]
    return shown


def sum_groups(
    statistics: Statistics, name: str, users: UserCounts | None = None
) -> list[dict[str, Any]]:
    """Count people by one property of `Group`, the largest group first.

    Small groups are added up as one row, which is not small itself. `expected` is of the kept
    people, a whole number; None if people are kept but none has a score. With `users`, the same by
    user.
    """
    shown = choose_labels(count_labels(statistics, name))
    if not set(shown) - {NO_LABEL, UNKNOWN}:
        return []
    people, kept, scored = Counter[str](), Counter[str](), Counter[str]()
    expected: dict[str, float] = defaultdict(float)
    for group, count in statistics.people.items():
        label = getattr(group, name) or NO_LABEL
        label = label if label in shown else OTHERS
        people[label] += count
        if group.status == Status.KEPT:
            kept[label] += count
            scored[label] += statistics.scored[group]
            expected[label] += statistics.expected.get(group, 0.0)
    rows = users.rows.get(name, {}) if users else {}
    if name == "band":
        shown = order_bands(statistics, shown)
    return [
        describe_row(
            label,
            rows.get(label, RowFigures())._replace(
                people=people[label],
                kept=kept[label],
                scored=scored[label],
                expected=expected[label],
            ),
            by_user=users is not None,
        )
        for label in [*shown, OTHERS]
        if people[label]
    ]


def order_bands(statistics: Statistics, bands: Iterable[str]) -> list[str]:
    """Bands in the order of their mean scores, the highest first."""
    sums: dict[str, float] = defaultdict(float)
    scored = Counter[str]()
    for group, count in statistics.scored.items():
        scored[group.band or NO_LABEL] += count
        sums[group.band or NO_LABEL] += statistics.expected.get(group, 0.0)
    return sorted(bands, key=lambda band: -sums[band] / scored[band] if scored[band] else math.inf)


def sum_treatments(checkpoint: Checkpoint, users: UserCounts | None) -> list[dict[str, Any]]:
    """Count people by treatment, in the order in which they were given."""
    rows: Mapping[str, RowFigures] = users.rows.get("treatment", {}) if users else {}
    names = [name for name, _ in checkpoint.config.treatments]
    by_user = checkpoint.counts["users"] < checkpoint.counts["received"]
    return [
        describe_row(name, rows[name], by_user=by_user) for name in [*names, OTHERS] if name in rows
    ]


def describe_row(name: str, row: RowFigures, *, by_user: bool) -> dict[str, Any]:
    """A row as plain data. A number of users is None if it is small."""
    described: dict[str, Any] = {
        "name": name,
        "people": row.people,
        "kept": row.kept,
        "expected": None if row.kept and not row.scored else round(row.expected),
    }
    if by_user:
        is_known = not row.users_kept or (row.scored and row.users_kept >= FEWEST)
        described |= {
            "users": tell_users(row.users),
            "users_kept": tell_users(row.users_kept),
            "users_expected": round(row.users_expected) if is_known else None,
        }
    return described
