"""Measure an uplift bundle's scores on people of whom chance messaged a part. Fits no effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model.bundle import Bundle, load_bundle
from model.errors import DataError
from model.training.config import UpliftConfig
from model.training.datasets import OutcomeTable
from model.training.export import score_onnx
from model.training.gate import check_bundle, describe_coverage
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


def load_response(bundle: Bundle, directory: Path | None) -> Bundle | None:
    """The response bundle that an uplift bundle is compared with, checked.

    Raises DataError unless their scores are of these kinds, and BundleError.
    """
    if directory is None:
        return None
    if not bundle.score.is_uplift:
        raise DataError(
            "--against: expected an uplift bundle to evaluate; `segment-scorer compare` measures "
            "two response bundles"
        )
    response = load_bundle(directory)
    if response.score.is_uplift:
        raise DataError(
            f"{directory}: expected a bundle of response scores, found {response.score.kind}"
        )
    check_bundle(response)
    return response


def measure_effects(
    bundle: Bundle,
    people: People,
    table: OutcomeTable,
    scores: Floats,
    *,
    response: Bundle | None = None,
    seed: int,
    money: tuple[float, float] | None,
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """`metrics`, `evaluation`, and what the user should know. Raises DataError without a lot.

    `response`: a response bundle, whose scores of the same people are measured beside.
    """
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
    responses = None
    if response is not None:
        (matrix,) = people.others
        responses = score_onnx(response.model, matrix, response.score)
        notices += describe_coverage(response, matrix)
    metrics, evaluation = judge_effects(
        scores, campaign, bundle.threshold, seed, responses=responses, money=money
    )
    return metrics, evaluation, [*describe_doubt(metrics), *notices]
