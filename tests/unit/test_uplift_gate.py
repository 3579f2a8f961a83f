"""The gate of uplift models: better, worse, or how many responders it takes to tell."""

from __future__ import annotations

import numpy as np
import pytest

from model.bundle import Bundle, load_bundle
from model.training.gate import IfUnclear, Verdict
from model.training.uplift.campaign import UpliftPeople
from model.training.uplift.gate import pass_uplift_gate
from model.training.verdict import Finding
from tests.bundles import expected_effects, make_rows, make_uplift_bundle

ROWS = make_rows(3_000)
TRUE = expected_effects(ROWS)  # what the incumbent says, too


@pytest.fixture(scope="module")
def incumbent(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_uplift_bundle(tmp_path_factory.mktemp("old") / "bundle"))


def draw_people(count: int) -> UpliftPeople:
    """People whom the message moves, or puts off, twice as much as the incumbent says."""
    random = np.random.default_rng(0)
    treated = (random.random(count) < 0.5).astype(np.int64)
    outcomes = (random.random(count) < 0.45 + 2 * treated * TRUE[:count]).astype(np.int64)
    return UpliftPeople(
        matrix=ROWS[:count],
        outcomes=outcomes,
        treated=treated,
        groups=np.arange(count),
        share=0.5,
    )


def judge(
    incumbent: Bundle,
    effects: np.ndarray,
    *,
    unseen: bool = True,
    if_unclear: IfUnclear = IfUnclear.KEEP,
) -> Verdict:
    count = len(effects)
    return pass_uplift_gate(
        incumbent,
        effects,
        draw_people(count),
        ROWS[:count],
        margin=0.005,
        seed=0,
        unseen=unseen,
        if_unclear=if_unclear,
    )


def test_the_same_scores_pass(incumbent: Bundle) -> None:
    verdict = judge(incumbent, TRUE)
    assert verdict.passed
    assert verdict.finding is Finding.EQUAL
    assert verdict.behind == pytest.approx(0, abs=1e-9)
    assert "responders to tell" not in verdict.sentence


def test_the_reverse_order_is_worse(incumbent: Bundle) -> None:
    verdict = judge(incumbent, -TRUE)
    assert not verdict.passed
    assert verdict.finding is Finding.WORSE
    assert verdict.sentence.startswith("its Qini coefficient is lower by ")
    assert verdict.figures["finding"] == "worse"


def test_only_people_new_to_both_models_can_say_worse(incumbent: Bundle) -> None:
    verdict = judge(incumbent, -TRUE, unseen=False)
    assert verdict.finding is Finding.UNCLEAR
    assert "the old bundle may have learnt from" in verdict.sentence
    assert "responders to tell" not in verdict.sentence, "more of these people would not help"


def test_where_people_cannot_tell_it_says_how_many_responders_could(incumbent: Bundle) -> None:
    few = np.random.default_rng(1).normal(size=300) + 5 * TRUE[:300]
    verdict = judge(incumbent, few)
    assert verdict.finding is Finding.UNCLEAR
    assert not verdict.passed
    responders = int(draw_people(300).outcomes.sum())
    assert verdict.figures["responders"] == responders
    assert f"responders to tell, and these people have {responders}" in verdict.sentence
    assert judge(incumbent, few, if_unclear=IfUnclear.REPLACE).passed
