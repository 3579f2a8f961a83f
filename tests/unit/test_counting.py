"""segment_scorer/runner/counting.py: users of a run and of rows, recounted another way."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pytest

from function.records import Reason
from segment_scorer.runner import counting
from segment_scorer.runner.chunks import ChunkSize
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.counting import BestScores, RowFigures, UserCounts, count_users
from segment_scorer.runner.reporting.statistics import Group
from segment_scorer.runner.summary import Status, UnsentReason
from segment_scorer.runner.writing.parts import Part
from segment_scorer.runner.writing.people import (
    HELD,
    KEPT,
    ONE_PER_USER,
    OVER_BUDGET,
    RECORD,
    SELECTED,
    STAYS,
    hash_endpoint,
    hash_user,
    pack_people,
)

THRESHOLD = 0.5


class Someone(NamedTuple):
    user: str
    id: str
    channel: str
    score: float | None
    verdict: int = STAYS
    is_held: bool = False

    @property
    def is_selected(self) -> bool:
        return self.score is None or self.score >= THRESHOLD

    @property
    def is_kept(self) -> bool:
        return self.is_selected and not self.is_held and self.verdict == STAYS

    @property
    def group(self) -> Group:
        is_sent = self.is_selected and not self.is_held
        scored = Reason.SPARSE if self.score is None else Reason.SCORE
        reason = Reason.HOLDOUT if self.is_held else scored
        status = Status.KEPT if is_sent else Status.FILTERED
        return Group(self.channel, "DE", "", reason, status, self.is_selected)


def make_part(people: list[Someone]) -> Part:
    groups = list(dict.fromkeys(each.group for each in people))
    content = pack_people(
        [hash_user(each.user, each.id) for each in people],
        [hash_endpoint(each.id) for each in people],
        [each.score for each in people],
        [groups.index(each.group) for each in people],
        ranks=bytes(len(people)),
        flags=bytes(
            SELECTED * each.is_selected
            | KEPT * (each.is_selected and not each.is_held)
            | HELD * each.is_held
            for each in people
        ),
        treatments=bytes(1 + index % 2 for index in range(len(people))),
    )
    size = ChunkSize(people=len(people), segment=0, decisions=0, groups=[list(g) for g in groups])
    verdicts = np.array([each.verdict for each in people], np.uint8)
    return Part(size, np.frombuffer(content, RECORD), verdicts)


def name_rows(group: Group, treatment: str) -> dict[str, str]:
    outcome = "kept" if group.status == Status.KEPT else str(group.reason)
    return {"channel": group.channel, "outcome": outcome, "treatment": treatment}


def count(people: list[Someone], keep: str = "at_least") -> UserCounts:
    parts = [make_part(people[first : first + 50]) for first in range(0, len(people), 50)]
    config = RunConfig(
        scheduled_time="t",
        activity_id="a",
        threshold=THRESHOLD,
        keep=keep,
        treatments=(("a", 0.5), ("b", 1.0)),
    )
    return count_users(lambda: parts, len(people), name_rows, config)


def draw_people(number: int) -> list[Someone]:
    draw = random.Random(9)
    people = []
    for index in range(number):
        user = draw.randrange(number // 3)
        score = None if draw.random() < 0.05 else round(draw.random(), 2)
        is_held = user % 7 == 0
        verdict = STAYS
        if score is None or score >= THRESHOLD:
            verdict = draw.choice([STAYS, STAYS, ONE_PER_USER, OVER_BUDGET])
        channel = draw.choice(["SMS", "EMAIL", "GCM"])
        people.append(Someone(f"u{user}", f"e{index}", channel, score, verdict, is_held))
    return people


def test_users_of_each_row_are_counted_once_and_their_best_score_counts() -> None:
    people = draw_people(700)
    counts = count(people)
    assert counts.users == len({each.user for each in people})
    assert counts.kept == len({each.user for each in people if each.is_kept})
    for channel in ("SMS", "EMAIL", "GCM"):
        mine = [each for each in people if each.channel == channel]
        kept = [each for each in mine if each.is_kept]
        best: dict[str, float] = defaultdict(float)
        for each in kept:
            best[each.user] = max(best[each.user], each.score or 0.0)
        assert counts.rows["channel"][channel] == RowFigures(
            people=len(mine),
            kept=len(kept),
            scored=sum(each.score is not None for each in kept),
            expected=pytest.approx(sum(each.score or 0.0 for each in kept)),
            users=len({each.user for each in mine}),
            users_kept=len({each.user for each in kept}),
            users_expected=pytest.approx(sum(best.values())),
        )
    outcomes = counts.rows["outcome"]
    assert sum(row.people for row in outcomes.values()) == len(people)
    assert outcomes["kept"].users == counts.kept
    over = [e for e in people if e.verdict == OVER_BUDGET and not e.is_held]
    assert outcomes[UnsentReason.BUDGET].users == len({each.user for each in over})
    assert {name: row.people for name, row in counts.rows["treatment"].items()} == {
        "a": 350,
        "b": 350,
    }


def test_memory_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    people = draw_people(400)
    whole = count(people)
    monkeypatch.setattr(counting, "MOST_RECORDS", 60)
    parted = count(people)
    assert parted.rows["channel"].keys() == whole.rows["channel"].keys()
    for table, rows in whole.rows.items():
        for name, row in rows.items():
            assert parted.rows[table][name] == pytest.approx(row)
    assert {b: each[:2] for b, each in parted.best.items()} == {
        b: each[:2] for b, each in whole.best.items()
    }
    assert parted[:4] == whole[:4]


@pytest.mark.parametrize("keep", ["at_least", "below"])
def test_each_user_is_at_the_best_score_and_brings_the_endpoints_that_the_rules_select(
    keep: str,
) -> None:
    low = keep == "below"
    scores = [0.2, 0.4, 0.3] if low else [0.8, 0.6, 0.7]
    people = [
        Someone("ann", "1", "SMS", scores[0]),
        Someone("ann", "2", "EMAIL", scores[1]),
        Someone("ann", "3", "GCM", 0.9 if low else 0.1),
        Someone("bob", "4", "SMS", scores[2], is_held=True),
        Someone("cat", "5", "SMS", 0.95 if low else 0.05),
        Someone("dan", "6", "SMS", None),
    ]
    counts = count(people, keep)
    assert counts.best == {
        2000 if low else 8000: BestScores(1, 2, pytest.approx(scores[0] + scores[1])),
        3000 if low else 7000: BestScores(1, 0, 0.0),
        9500 if low else 500: BestScores(1, 1, pytest.approx(0.95 if low else 0.05)),
    }
    assert counts.unscored == 1
