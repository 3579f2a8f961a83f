"""Train an uplift bundle from files: read, check the lot, cross-validate, fit, export, write.

Holds the order of the steps; each step is a module of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.bundle import Bundle, check_destination
from model.errors import DataError
from model.people.progress import Progress
from model.score_kind import UPLIFT
from model.training.audit import describe_leaks
from model.training.config import TrainingConfig, UpliftConfig
from model.training.export import make_parity_rows, score_onnx
from model.training.gate import Verdict, combine_verdicts, find_best, load_checked
from model.training.lineage import Incumbents
from model.training.manifest import describe_data
from model.training.models import read_directions
from model.training.options import describe_options
from model.training.people import LEAST_OF_EACH, People, keep_features
from model.training.reference import record_reference
from model.training.target_rates import lacks_rates
from model.training.threshold import describe_rounding
from model.training.train import (
    Material,
    TrainingResult,
    prepare_people,
    write_trained,
)
from model.training.uplift.campaign import UpliftPeople
from model.training.uplift.card import make_card
from model.training.uplift.cross_validation import UpliftValidation, cross_validate
from model.training.uplift.export import check_parity, convert_effect
from model.training.uplift.gate import pass_uplift_gate
from model.training.uplift.lot import check_lot, leave_out_mixed, make_campaign
from model.training.uplift.manifest import describe_model, describe_validation
from model.training.uplift.measures import Floats
from model.training.uplift.people import read_campaign
from model.training.uplift.phrases import describe_doubt
from model.training.uplift.selection import fit_effect
from model.training.uplift.threshold import check_goal
from model.training.writing import record_descent


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The people of a campaign to learn from, and those set aside; each as `People`, too."""

    people: People
    campaign: UpliftPeople
    reserved: tuple[People, UpliftPeople] | None
    notices: tuple[str, ...]


def train_uplift(
    config: TrainingConfig, uplift: UpliftConfig, progress: Progress
) -> TrainingResult:
    """Train and write an uplift bundle. The same files and seed give the same bundle.

    Raises SegmentScorerError and then writes nothing. Writes nothing either if the new model does
    not pass against `config.against`.
    """
    check_destination(config.out)
    check_goal(config.goal)
    incumbents = load_checked(config.against, UPLIFT)
    campaign_table = read_campaign(config.outcomes, config.columns, uplift)
    table = replace(campaign_table, plain=config.plain_columns, naming=config.naming)
    treatment = table.treatment
    if treatment is not None and config.as_of is None and table.dates is None:
        config = replace(config, as_of=treatment.moment)
    material = leave_out_rates(prepare_people(config, table, incumbents, progress))
    progress("checking the lot", 0, 1)
    lot = draw_lot(material, None if treatment is None else treatment.share, config.seed)
    progress("checking the lot", 1, 1)
    people, campaign = lot.people, lot.campaign
    directions = read_directions(people.spec)
    validation = cross_validate(
        campaign,
        people.spec,
        progress,
        directions=directions,
        asked=uplift.learner,
        seed=config.seed,
    )
    notices = (*(() if treatment is None else treatment.notices), *lot.notices)
    result = describe_run(config, material, lot, validation, notices)
    verdict, best = None, None
    if incumbents is not None and lot.reserved is None:
        verdict, best = compare(config, incumbents, validation.effects, (people, campaign))
        if not verdict.passed:
            return replace(result, verdict=verdict)
    progress("fitting on all people", 0, 1)
    model = fit_effect(campaign, directions, uplift.learner, config.seed)
    progress("fitting on all people", 1, 1)
    onnx = convert_effect(model, people.matrix.shape[1])
    parity = check_parity(model, onnx, make_parity_rows(people.matrix, people.spec, config.seed))
    if incumbents is not None and lot.reserved is not None:
        effects = score_onnx(onnx, lot.reserved[0].matrix, UPLIFT)
        verdict, best = compare(config, incumbents, effects, lot.reserved, aside=True)
        if not verdict.passed:
            return replace(result, verdict=verdict)
    manifest, files = record_descent(
        {
            **result.manifest,
            **describe_model(config, people, validation, onnx, model),
            "parity": float(f"{parity:.0e}"),
        },
        verdict,
        incumbents,
        best,
        outcomes=config.outcomes,
        endpoints=config.endpoints,
    )
    card = {**make_card(manifest), **files}
    bundle = write_trained(config, material, onnx, manifest, card)
    return replace(result, bundle=bundle, manifest=manifest, verdict=verdict)


def leave_out_rates(material: Material) -> Material:
    """Without features that are rates of responses: these say who responds, not whom it moves.

    Raises DataError if no other feature remains.
    """
    features = material.people.spec.features
    keep = [not lacks_rates(feature) for feature in features]
    if all(keep):
        return material
    if not any(keep):
        raise DataError("expected a feature besides rates of responses for an uplift model")

    def cut(people: People) -> People:
        spec, matrix = keep_features(people.spec, people.matrix, keep)
        return replace(people, spec=spec, matrix=matrix)

    reasons = (
        f"{feature.name}: a rate of responses says who responds, not whom the message moves"
        for feature, kept in zip(features, keep, strict=True)
        if not kept
    )
    return replace(
        material,
        people=cut(material.people),
        reserved=None if material.reserved is None else cut(material.reserved),
        left_out=(*material.left_out, *reasons),
    )


def draw_lot(material: Material, share: float | None, seed: int) -> Lot:
    """The campaign of the people to learn from, checked; and of those set aside.

    Raises DataError if chance did not decide who was messaged, or if too few people responded.
    """
    people, mixed = leave_out_mixed(material.people)
    campaign, notices = make_campaign(people, share)
    notices = [*mixed, *notices, *check_lot(campaign, seed)]
    reserved = None
    if material.reserved is not None:
        aside, _ = leave_out_mixed(material.reserved)
        reserved = aside, make_campaign(aside, share, LEAST_OF_EACH)[0]
    return Lot(people=people, campaign=campaign, reserved=reserved, notices=tuple(notices))


def compare(
    config: TrainingConfig,
    incumbents: Incumbents,
    effects: Floats,
    among: tuple[People, UpliftPeople],
    *,
    aside: bool = False,
) -> tuple[Verdict, Bundle | None]:
    """The gate on these people. `aside`: they were set aside, so the new model has not learnt from
    them. Gives the verdict, and the earlier bundle that is ahead of the new model, if one is.
    """
    people, campaign = among
    verdicts = []
    for old, matrix in zip(incumbents.earlier, people.others, strict=True):
        verdict = pass_uplift_gate(
            old,
            effects,
            campaign,
            matrix,
            margin=config.margin,
            seed=config.seed,
            unseen=aside and old.manifest.get("reserved", 0) >= config.reserve,
            if_unclear=config.if_unclear,
        )
        verdicts.append(verdict)
    return combine_verdicts(verdicts), find_best(incumbents.earlier, verdicts)


def describe_run(
    config: TrainingConfig,
    material: Material,
    lot: Lot,
    validation: UpliftValidation,
    known: tuple[str, ...],
) -> TrainingResult:
    """The result before a model is fitted on all people: without a bundle and a verdict."""
    people, audit = lot.people, material.audit
    manifest = describe_validation(config, people, lot.campaign, validation, audit.alone)
    notices = (
        *material.choice.undated,
        *describe_doubt(manifest["metrics"]),
        *known,
        *material.choice.doubts,
        *audit.notices,
        *describe_leaks(audit, people.spec),
        *describe_rounding(validation.effects, manifest["threshold"]),
    )
    manifest |= record_reference(config.as_of, people.spec)
    manifest["options"] = describe_options(config)
    manifest["data"] = describe_data(
        people.join,
        material.responded,
        material.left_out,
        notices,
        0 if lot.reserved is None else len(lot.reserved[0].outcomes),
    )
    return TrainingResult(
        bundle=None,
        manifest=manifest,
        join=people.join,
        left_out=material.left_out,
        notices=notices,
        undated=material.choice.undated,
    )
