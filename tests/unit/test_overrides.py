"""function/overrides.py: which override applies, and at what cost."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.errors import SettingsError
from function.overrides import MATCHED, MOST_TIES, find_override, find_ties, list_ids
from function.policy import Policy
from function.policy_file import load_policy, read_policy
from function.records import Context

IDS = st.dictionaries(st.sampled_from(MATCHED), st.sampled_from(["a", "b"]), min_size=1, max_size=3)


def find_slowly(overrides: list[dict[str, str]], event: dict[str, str]) -> int | None:
    """The rule as documented: all ids given must match, and most ids win."""
    matching = [index for index, ids in enumerate(overrides) if ids.items() <= event.items()]
    return max(matching, key=lambda index: len(overrides[index]), default=None)


def find_ties_slowly(overrides: list[dict[str, str]]) -> set[tuple[int, int]]:
    """Every pair that is compatible, equally specific, and decided by no third override."""
    tied = set()
    for (first, one), (second, other) in combinations(enumerate(overrides), 2):
        union = {**one, **other}
        compatible = all(union[key] == value for key, value in [*one.items(), *other.items()])
        decided = any(
            len(third) > len(one) and third.items() <= union.items() for third in overrides
        )
        if len(one) == len(other) and compatible and not decided:
            tied.add((first, second))
    return tied


@given(
    overrides=st.lists(IDS, max_size=6, unique_by=lambda ids: tuple(sorted(ids.items()))),
    event=st.fixed_dictionaries(dict.fromkeys(MATCHED, st.sampled_from(["a", "a", "b", "c"]))),
)
def test_the_override_with_most_ids_of_those_that_match_applies(
    overrides: list[dict[str, str]], event: dict[str, str]
) -> None:
    table = {list_ids(ids): index for index, ids in enumerate(overrides)}
    found = find_override(table, tuple(event.get(key) for key in MATCHED))
    if not find_ties_slowly(overrides):
        assert found == find_slowly(overrides, event)


def test_each_further_id_of_an_override_wins_over_fewer() -> None:
    chain = [
        {"campaign_id": "c"},
        {"application_id": "a", "campaign_id": "c"},
        {"application_id": "a", "campaign_id": "c", "treatment_id": "t"},
    ]
    for length in (1, 2, 3):
        table = {list_ids(ids): index for index, ids in enumerate(chain[:length])}
        assert find_override(table, ("a", "c", "t")) == length - 1
        assert find_override(table, ("a", "other", "t")) is None
        assert find_override(table, (None, "c", None)) == 0


@given(overrides=st.lists(IDS, max_size=7))
def test_ties_are_found_exactly_where_two_overrides_match_the_same_event(
    overrides: list[dict[str, str]],
) -> None:
    expected = find_ties_slowly(overrides)
    problems = find_ties(dict(enumerate(overrides)))
    assert bool(problems) == bool(expected)
    if len(expected) <= MOST_TIES and len(
        {tuple(sorted(each.items())) for each in overrides}
    ) == len(overrides):
        assert {problem.partition(":")[0] for problem in problems} == {
            f"override[{first}], override[{second}]" for first, second in expected
        }


class CountedText(str):
    """An id that counts how often it is compared or hashed."""

    counts: int = 0
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        CountedText.counts += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        CountedText.counts += 1
        return super().__hash__()


def count_comparisons(act: Callable[[], object]) -> int:
    CountedText.counts = 0
    act()
    return CountedText.counts


SHAPES: list[Callable[[int], Mapping[str, str]]] = [
    lambda index: {"campaign_id": CountedText(f"c{index}")},
    lambda index: {
        "application_id": CountedText("a"),
        "campaign_id": CountedText(f"c{index}"),
    },
    lambda index: {key: CountedText(f"{key}{index}") for key in MATCHED},
    # Every second pair is decided by a third override.
    lambda index: (
        {
            "application_id": CountedText("a"),
            "campaign_id": CountedText("c"),
            "treatment_id": CountedText(f"t{index}"),
        }
        if index % 2
        else {"application_id": CountedText("a"), "treatment_id": CountedText(f"t{index}")}
    ),
    # Nearly every pair is a tie.
    lambda index: {MATCHED[index % 3]: CountedText(f"x{index}")},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_comparisons_for_ties_grow_linearly_with_the_overrides(
    shape: Callable[[int], Mapping[str, str]],
) -> None:
    def count(number: int) -> int:
        overrides = {index: shape(index) for index in range(number)}
        return count_comparisons(lambda: find_ties(overrides))

    assert count(4_000) < 8.8 * count(500)


def test_comparisons_for_an_event_do_not_grow_with_the_overrides() -> None:
    table = {list_ids({"campaign_id": CountedText(f"c{index}")}): index for index in range(5_000)}
    event = (CountedText("a"), CountedText("c4999"), CountedText("t"))
    assert count_comparisons(lambda: find_override(table, event)) < 60
    assert find_override(table, event) == 4_999


def write_overrides(head: str, own: str, number: int) -> str:
    """A policy of many overrides, each with `own` lines."""
    tables = (
        f'[[override]]\ncampaign_id = "campaign-{index}"\ndecimals = 3\n{own}'
        for index in range(number)
    )
    return head + "\n".join(tables)


def measure(act: Callable[[], object]) -> float:
    """The least processor time of three tries, in seconds."""
    times = []
    for _ in range(3):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return min(times)


COSTS = {
    "thresholds": ("", "threshold = 0.1\n"),
    "a reach that all inherit": ("threshold = { reach = 0.3 }\n", ""),
    "bands": ("", '[[override.band]]\nname = "high"\nat_least = 0.2\n'),
}


@pytest.mark.parametrize("what", COSTS)
def test_loading_5000_overrides_costs_at_most_twice_the_reading_of_their_toml(
    tmp_path: Path, what: str
) -> None:
    text, path = write_overrides(*COSTS[what], 5_000), tmp_path / "policy.toml"
    path.write_text(text, "utf-8")
    quantiles = [index / 100 for index in range(101)]

    def load() -> Policy:
        return load_policy(path, threshold=0.5, quantiles=quantiles)

    assert load().rules_for(Context(campaign_id="campaign-4321")).decimals == 3
    ratios: list[float] = []
    while len(ratios) < 4 and min(ratios, default=9.0) > 2:
        ratios.append(measure(load) / measure(lambda: tomllib.loads(text)))
    assert min(ratios) <= 2, ratios


def test_of_many_ties_some_are_named_and_the_others_said_to_exist() -> None:
    table: dict[str, Any] = {
        "override": [{MATCHED[index % 2]: f"x{index}"} for index in range(2_000)]
    }
    with pytest.raises(SettingsError, match="more pairs match the same events") as raised:
        read_policy(table, threshold=0.5, quantiles=(0.0, 1.0))
    assert str(raised.value).count("equal specificity") == MOST_TIES
