"""The effect by band, decile of the score and treatment, with the warning that this needs."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats

from segment_scorer.lift.checks import LEAST
from segment_scorer.lift.estimate import CONFIDENCE, Interval, estimate_effect
from segment_scorer.lift.phrases import say_level
from segment_scorer.lift.users import SEVERAL, SelectedUsers

DECILES = 10
MOST_ROWS = 20
NONE = "none"
Rows = npt.NDArray[np.bool_]


class EffectRow(msgspec.Struct, frozen=True, kw_only=True):
    """The effect in one group; None where the group is too small."""

    name: str
    messaged: int
    control: int
    messaged_rate: float | None
    control_rate: float | None
    difference: Interval | None


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """The effect group by group.

    confidence  of each interval: all of them together hold with 95 % (Bonferroni)
    differs     whether the groups differ by more than chance gives; None where that is unknown
    warning     what a reader has to know before picking a row
    """

    rows: tuple[EffectRow, ...]
    confidence: float
    differs: bool | None
    warning: str


def break_down(users: SelectedUsers, *, binary: bool) -> dict[str, Breakdown]:
    """By band, decile and treatment; what the decisions do not hold is left out."""
    found = {
        "band": _order_by_score(_list_groups(users.bands.names, users.bands.codes), users),
        "decile": _list_deciles(users.scores),
        "treatment": [
            (name, rows | ~users.messaged)
            for name, rows in _list_groups(users.treatments.names, users.treatments.codes)
            if name != NONE
        ],
    }
    return {
        name: _compare(users, groups, binary=binary, shared_control=name == "treatment")
        for name, groups in found.items()
        if len(groups) > 1 or (name == "treatment" and groups)
    }


def _compare(
    users: SelectedUsers,
    groups: list[tuple[str, Rows]],
    *,
    binary: bool,
    shared_control: bool,
) -> Breakdown:
    """Estimate each group that is large enough, at a level that allows for their number.

    Bonferroni's: O. J. Dunn, "Multiple comparisons among means", Journal of the American
    Statistical Association 56, 1961.
    """
    sizes = [_count(users, rows) for _, rows in groups]
    comparisons = max(1, sum(min(pair) >= LEAST for pair in sizes))
    confidence = 1.0 - (1.0 - CONFIDENCE) / comparisons
    rows = tuple(
        _estimate(users, name, chosen, confidence, binary=binary) for name, chosen in groups
    )
    chance = None if shared_control else _test_equality(rows, confidence)
    return Breakdown(
        rows=rows,
        confidence=confidence,
        differs=None if chance is None else chance < 1.0 - CONFIDENCE,
        warning=_warn(comparisons, confidence, chance),
    )


def _estimate(
    users: SelectedUsers, name: str, chosen: Rows, confidence: float, *, binary: bool
) -> EffectRow:
    """One row."""
    messaged = users.outcomes[chosen & users.messaged]
    control = users.outcomes[chosen & ~users.messaged]
    if min(len(messaged), len(control)) < LEAST:
        return EffectRow(
            name=name,
            messaged=len(messaged),
            control=len(control),
            messaged_rate=None,
            control_rate=None,
            difference=None,
        )
    effect = estimate_effect(messaged, control, binary=binary, confidence=confidence)
    return EffectRow(
        name=name,
        messaged=effect.messaged,
        control=effect.control,
        messaged_rate=effect.messaged_rate,
        control_rate=effect.control_rate,
        difference=effect.difference,
    )


def _test_equality(rows: Iterable[EffectRow], confidence: float) -> float | None:
    """How often chance alone makes groups differ as much as these; None with fewer than two.

    W. G. Cochran, "The combination of estimates from different experiments", Biometrics 10, 1954.
    """
    quantile = float(stats.norm.ppf((1.0 + confidence) / 2.0))
    found = [row.difference for row in rows if row.difference is not None]
    pairs = [
        (each.value, ((each.high - each.low) / 2.0 / quantile) ** 2)
        for each in found
        if each.high > each.low
    ]
    if len(pairs) < 2:
        return None
    weights = np.array([1.0 / variance for _, variance in pairs])
    values = np.array([value for value, _ in pairs])
    mean = float((weights * values).sum() / weights.sum())
    statistic = float((weights * (values - mean) ** 2).sum())
    return float(stats.chi2.sf(statistic, len(pairs) - 1))


def _warn(comparisons: int, confidence: float, chance: float | None) -> str:
    """The warning that many comparisons need."""
    if comparisons < 2:
        return ""
    text = (
        f"{comparisons} comparisons: the largest of many effects is partly luck. Each interval is "
        f"therefore wider ({say_level(confidence)}), so that all of them hold together with "
        "95 % (Bonferroni)."
    )
    if chance is None:
        return text
    if chance < 1.0 - CONFIDENCE:
        return f"{text} The rows differ by more than chance gives."
    return f"{text} The rows differ no more than chance gives: do not choose people by them."


def _count(users: SelectedUsers, rows: Rows) -> tuple[int, int]:
    """How many were messaged and held out."""
    messaged = int((rows & users.messaged).sum())
    return messaged, int(rows.sum()) - messaged


def _list_groups(names: tuple[str, ...], codes: npt.NDArray[np.int32]) -> list[tuple[str, Rows]]:
    """The people of each name, most first; people without a name last."""
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = [int(code) for code in np.argsort(-counts, kind="stable")[:MOST_ROWS] if counts[code]]
    groups = [(names[code], codes == code) for code in order]
    rest = (codes == -1) | (codes == SEVERAL)
    return [*groups, (NONE, rest)] if groups and bool((codes == -1).any()) else groups


def _order_by_score(groups: list[tuple[str, Rows]], users: SelectedUsers) -> list[tuple[str, Rows]]:
    """The groups with the highest scores first; those without scores last."""

    def rank(group: tuple[str, Rows]) -> float:
        scores = users.scores[group[1]]
        known = scores[~np.isnan(scores)]
        return -float(known.mean()) if len(known) else np.inf

    return sorted(groups, key=rank)


def _list_deciles(scores: npt.NDArray[np.float64]) -> list[tuple[str, Rows]]:
    """The people of each decile of the scores, highest first; equal scores are in one decile."""
    known = ~np.isnan(scores)
    if not known.any():
        return []
    edges = np.quantile(scores[known], np.arange(1, DECILES) / DECILES)
    decile = np.where(known, np.searchsorted(edges, scores, side="right"), -1)
    labels = {DECILES - 1: "1 (highest scores)", 0: f"{DECILES} (lowest scores)"}
    return [
        (labels.get(index, str(DECILES - index)), decile == index)
        for index in reversed(range(DECILES))
        if bool((decile == index).any())
    ]
