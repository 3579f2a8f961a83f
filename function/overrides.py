"""Which override of a policy applies to an event: the one with most ids, of those that match.

Costs one look-up per combination of ids, however many overrides there are. Reads no file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any, TypeAlias

MATCHED = ("application_id", "campaign_id", "treatment_id")
# The ids of an event or an override, in the order of MATCHED; None where there is none.
Ids: TypeAlias = tuple[str | None, ...]
# Which of the three ids an override may have, the most specific first.
COMBINATIONS = tuple(
    sorted(product((True, False), repeat=len(MATCHED)), key=lambda chosen: -sum(chosen))[:-1]
)
MOST_TIES = 10  # named in one error; further ones are only said to exist


def list_ids(ids: Mapping[str, str]) -> Ids:
    """The ids of an override, in the order of MATCHED."""
    return tuple(ids.get(key) for key in MATCHED)


def find_override(overrides: Mapping[Ids, Any], event: Ids) -> Any | None:
    """The override with most ids that matches an event's ids; None if none does."""
    if not overrides:
        return None
    for chosen in COMBINATIONS:
        found = overrides.get(keep_ids(event, chosen))
        if found is not None:
            return found
    return None


def find_ties(overrides: Mapping[int, Mapping[str, str]]) -> list[str]:
    """Problems: pairs of overrides, by index, that match the same event with equal specificity.

    overrides  the ids of each override, by its index in the file
    A pair is no problem if a third, more specific override decides for all of their common events:
    its ids are those of both. Looks at no more pairs than there are overrides and problems.
    """
    first: dict[Ids, int] = {}
    problems: list[str] = []
    for index, ids in overrides.items():
        key = list_ids(ids)
        if first.setdefault(key, index) != index:
            problems.append(describe_tie(first[key], index, ""))
    cure = "; add one that combines their ids"
    for one, other in list_undecided(first):
        low, high = sorted((first[one], first[other]))
        problems.append(describe_tie(low, high, cure))
        if len(problems) > MOST_TIES:
            break
    if len(problems) > MOST_TIES:
        return [*problems[:MOST_TIES], "override: more pairs match the same events"]
    return problems


def list_undecided(overrides: Mapping[Ids, int]) -> Iterator[tuple[Ids, Ids]]:
    """Pairs with equally many ids, no contradiction, and no override that has the ids of both.

    Such a pair has different ids, and the same values where it has the same ids. Pairs that are
    decided are as few as the overrides that decide them.
    """
    for left, right in group_by_shared_ids(list(overrides)):
        for one, other in product(left, right):
            both = tuple(a if a is not None else b for a, b in zip(one, other, strict=True))
            if both not in overrides:
                yield one, other


def group_by_shared_ids(overrides: Sequence[Ids]) -> list[tuple[list[Ids], list[Ids]]]:
    """Two lists of overrides at a time: each of the first is compatible with each of the second."""
    by_names: dict[tuple[bool, ...], list[Ids]] = defaultdict(list)
    for ids in overrides:
        by_names[tuple(id_ is not None for id_ in ids)].append(ids)
    groups: list[tuple[list[Ids], list[Ids]]] = []
    for left, right in combinations(by_names, 2):
        if sum(left) == sum(right):
            shared: dict[Ids, tuple[list[Ids], list[Ids]]] = defaultdict(lambda: ([], []))
            for side, names in enumerate((left, right)):
                other = (right, left)[side]
                for ids in by_names[names]:
                    shared[keep_ids(ids, other)][side].append(ids)
            groups += shared.values()
    return groups


def keep_ids(ids: Ids, chosen: Sequence[bool]) -> Ids:
    """The ids that are chosen, and None for the others."""
    return tuple(id_ if used else None for id_, used in zip(ids, chosen, strict=True))


def describe_tie(first: int, second: int, cure: str) -> str:
    """One problem, by the indices of two overrides."""
    return (
        f"override[{first}], override[{second}]: both match the same events with equal "
        f"specificity{cure}"
    )
