"""segment_scorer/runner/choosing.py: exact numbers of users, recounted another way."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from segment_scorer.runner import choosing
from segment_scorer.runner.budget import Budget, read_budget
from segment_scorer.runner.choosing import (
    VERDICTS,
    choose_people,
    make_keys,
    score_of,
)
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.writing.people import (
    HELD,
    KEPT,
    NOT_SELECTED,
    ONE_PER_USER,
    OVER_BUDGET,
    SELECTED,
    STAYS,
    hash_endpoint,
    hash_user,
    pack_people,
)


class Someone(NamedTuple):
    user: str
    id: str
    score: float | None
    rank: int = 0
    flags: int = SELECTED | KEPT


def write(path: Path, people: list[Someone]) -> Path:
    path.write_bytes(
        pack_people(
            [hash_user(each.user, each.id) for each in people],
            [hash_endpoint(each.id) for each in people],
            [each.score for each in people],
            [0] * len(people),
            ranks=bytes(each.rank for each in people),
            flags=bytes(each.flags for each in people),
            treatments=bytes(len(people)),
        )
    )
    return path


def choose(
    folder: Path,
    people: list[Someone],
    budget: str = "",
    *,
    one_per_user: bool = False,
    below: bool = False,
    acts: bool = False,
) -> tuple[list[int], choosing.Choice]:
    choice = choose_people(
        write(folder / "people.bin", people),
        budget=read_budget(budget) if budget else None,
        one_per_user=one_per_user,
        below=below,
        acts=acts,
    )
    return np.fromfile(folder / VERDICTS, np.uint8).tolist(), choice


def draw_people(count: int, seed: int) -> list[Someone]:
    draw = random.Random(seed)
    return [
        Someone(
            user=f"u{draw.randrange(count // 3)}" if draw.random() < 0.9 else "",
            id=f"e{index}",
            score=None if draw.random() < 0.02 else round(draw.uniform(-1, 1), 2),
            rank=draw.randrange(3),
            flags=draw.choice([SELECTED | KEPT, SELECTED | KEPT, SELECTED | HELD, 0]),
        )
        for index in range(count)
    ]


def recount(people: list[Someone], *, below: bool) -> dict[bytes, tuple[float, bytes]]:
    """The best score of each user with a selected endpoint, in plain Python."""
    best: dict[bytes, tuple[float, bytes]] = {}
    for each in people:
        if each.flags & SELECTED:
            user = hash_user(each.user, each.id)
            score = math.inf if each.score is None else each.score if below else -each.score
            best[user] = min(best.get(user, (math.inf, user[::-1])), (score, user[::-1]))
    return best


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("budget", ["1", "100", "33.3%", "100%", "100000"])
def test_a_budget_leaves_exactly_the_best_users(tmp_path: Path, budget: str, below: bool) -> None:
    people = draw_people(1500, seed=7)
    verdicts, choice = choose(tmp_path, people, budget, below=below)
    best = recount(people, below=below)
    wanted = read_budget(budget).count(len(best))
    expected = set(sorted(best, key=lambda user: best[user])[:wanted])
    chosen = {
        hash_user(each.user, each.id)
        for each, verdict in zip(people, verdicts, strict=True)
        if each.flags & SELECTED and verdict == STAYS
    }
    assert chosen == expected
    assert (choice.users, choice.chosen) == (len(best), wanted)


def test_one_per_user_keeps_the_best_endpoint_of_each_and_memory_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = draw_people(900, seed=3)
    verdicts, _ = choose(tmp_path, people, "150", one_per_user=True)
    users = [
        hash_user(each.user, each.id)
        for each, verdict in zip(people, verdicts, strict=True)
        if each.flags & SELECTED and verdict == STAYS
    ]
    assert len(users) == len(set(users)) == 150
    monkeypatch.setattr(choosing, "MOST_RECORDS", 100)
    assert choose(tmp_path, people, "150", one_per_user=True)[0] == verdicts


def test_the_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    people = draw_people(600, seed=5)
    verdicts, _ = choose(tmp_path, people, "77", one_per_user=True)
    backwards, _ = choose(tmp_path, people[::-1], "77", one_per_user=True)
    assert backwards == verdicts[::-1]


def test_the_best_score_wins_then_the_channels_rank(tmp_path: Path) -> None:
    people = [
        Someone("u", "mail", 0.5, rank=1),
        Someone("u", "push", 0.5, rank=0),
        Someone("v", "mail", 0.6, rank=2),
        Someone("v", "push", 0.5, rank=0),
    ]
    verdicts, _ = choose(tmp_path, people, one_per_user=True)
    assert verdicts == [ONE_PER_USER, STAYS, STAYS, ONE_PER_USER]


def test_only_selected_people_are_chosen_and_the_control_group_comes_out_of_the_budget(
    tmp_path: Path,
) -> None:
    people = [
        Someone("a", "a", 0.9, flags=SELECTED | HELD),
        Someone("b", "b", 0.8),
        Someone("c", "c", 0.7),
        Someone("d", "d", 0.95, flags=0),
        Someone("e", "e", None),
    ]
    verdicts, choice = choose(tmp_path, people, "2")
    assert verdicts == [STAYS, STAYS, OVER_BUDGET, STAYS, OVER_BUDGET]
    assert (choice.score, choice.at_score) == (0.8, 2)


def test_people_with_the_last_score_are_told_and_mode_annotate_is_acted_on(tmp_path: Path) -> None:
    people = [Someone(name, name, 0.5) for name in "abc"] + [
        Someone("d", "d", 0.1, flags=KEPT),
        Someone("e", "e", 0.9, flags=SELECTED | KEPT | HELD),
    ]
    verdicts, choice = choose(tmp_path, people, "2", acts=True)
    assert sorted(verdicts[:3]) == [STAYS, OVER_BUDGET, OVER_BUDGET]
    assert verdicts[3:] == [NOT_SELECTED, NOT_SELECTED]
    assert (choice.score, choice.at_score) == (0.5, 4)


def test_keys_order_scores_and_give_them_back() -> None:
    scores = np.array([1.0, 0.25, 0.0, -0.0, -0.25, -1.0, np.nan])
    keys = make_keys(scores, below=False)
    assert (np.diff(keys.astype(object)) >= 0).all()
    assert keys[2] == keys[3]
    assert [score_of(int(key), below=False) for key in keys[:6]] == [1, 0.25, 0, 0, -0.25, -1]
    low = make_keys(scores[:6], below=True)
    assert [score_of(int(key), below=True) for key in low] == [1, 0.25, 0, 0, -0.25, -1]
    assert math.isnan(score_of(int(keys[6]), below=False))


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("10000", Budget(users=10_000)),
        ("10,000", Budget(users=10_000)),
        ("30%", Budget(percent="30")),
    ],
)
def test_a_budget_is_a_number_or_a_share(text: str, budget: Budget) -> None:
    assert read_budget(text) == budget


def test_a_share_is_exact_and_rounded_half_up() -> None:
    assert read_budget("12.5%").count(100) == 13
    assert read_budget("0.1%").count(10_000_000) == 10_000


@pytest.mark.parametrize("text", ["0", "-1", "0%", "101%", "many", "", "1/0%", "1.5", "9" * 40])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--budget: expected a whole number of users"):
        read_budget(text)
