"""Measure an uplift bundle's scores on people of whom chance messaged a part. Fits no effect."""

from __future__ import annotations

from typing import Any

from model.bundle import Bundle
from model.errors import DataError
from model.training.config import UpliftConfig
from model.training.datasets import OutcomeTable
from model.training.people import People
from model.training.uplift.judge import judge_effects
from model.training.uplift.lot import check_lot, leave_out_mixed, make_campaign
from model.training.uplift.measures import Floats
from model.training.uplift.phrases import describe_doubt


def check_kind(bundle: Bundle, uplift: UpliftConfig | None) -> None:
    """Raise DataError unless what is known about the people fits the bundle's scores."""
    if bundle.score.is_uplift and uplift is None:
        raise DataError(
            f"{bundle.directory}: expected --treated COLUMN or --run DIR, because its scores are "
            "effects of a message: only people of whom chance messaged a part can judge them"
        )
    if uplift is not None and not bundle.score.is_uplift:
        raise DataError(
            f"{bundle.directory}: expected an uplift bundle with --treated and --run, found one of "
            f"{bundle.score.kind} scores"
        )


def measure_effects(
    bundle: Bundle,
    people: People,
    table: OutcomeTable,
    scores: Floats,
    *,
    seed: int,
    money: tuple[float, float] | None,
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """`metrics`, `evaluation`, and what the user should know. Raises DataError without a lot."""
    treatment = table.treatment
    if treatment is None:
        raise ValueError("outcomes were read without a treatment")
    _, mixed = leave_out_mixed(people)
    if mixed:
        raise DataError(
            "expected users of whom either every endpoint was messaged or none, found others; "
            "leave them out of the outcomes"
        )
    campaign, notices = make_campaign(people, treatment.share)
    notices = [*treatment.notices, *notices, *check_lot(campaign, seed)]
    metrics, evaluation = judge_effects(scores, campaign, bundle.threshold, seed, money=money)
    return metrics, evaluation, [*describe_doubt(metrics), *notices]
