"""`segment-scorer train`: options in, one training run, a summary out. No logic of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.people.outcome_columns import ColumnNames
from model.profile_names import NAMINGS
from model.training.config import TrainingConfig
from model.training.models import AUTO, ModelSettings
from model.training.verdict import MARGIN, IfUnclear
from segment_scorer.cli.effect_figures import describe_effects
from segment_scorer.cli.figures import describe_ages, describe_figures, describe_join, lay_out
from segment_scorer.cli.gate_options import (
    Against,
    Margin,
    Name,
    Out,
    Unclear,
    describe_verdict,
    end_by_verdict,
)
from segment_scorer.cli.outcome_options import IdColumn, OutcomeColumn
from segment_scorer.cli.progress import show_progress
from segment_scorer.cli.training_options import (
    LARGEST_SEED,
    AsOf,
    Cost,
    Endpoints,
    External,
    ExternalKey,
    Migration,
    MoreEndpoints,
    Outcomes,
    PlainColumns,
    Precision,
    ProfileNames,
    Reach,
    Value,
    open_external,
    read_as_of,
    read_goal,
)
from segment_scorer.cli.uplift_options import (
    Model,
    Run,
    TheGoal,
    Treated,
    TreatedShare,
    check_model,
    read_uplift,
)

if TYPE_CHECKING:
    from model.training.train import TrainingResult


def command(
    *,
    endpoints: Endpoints,
    outcomes: Outcomes,
    out: Out,
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
    profile_names: ProfileNames = Migration.AUTO,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Feature spec (TOML). Default: infer one and write it to DIR/features.toml.",
        ),
    ] = None,
    id_column: IdColumn = "",
    outcome_column: OutcomeColumn = "",
    as_of: AsOf = None,
    goal: TheGoal = None,
    treated: Treated = "",
    treated_share: TreatedShare = None,
    run: Run = None,
    model: Model = AUTO,
    search: Annotated[
        bool, typer.Option("--search", help="Try ten parameter sets on up to 20,000 people.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Choose the model once, on all people; figures are a little too good. Not for "
            "uplift.",
        ),
    ] = False,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Weigh both outcomes the same in fitting.")
    ] = False,
    value: Value = None,
    cost: Cost = None,
    reach: Reach = None,
    precision: Precision = None,
    against: Against = None,
    margin: Margin = MARGIN,
    if_unclear: Unclear = IfUnclear.KEEP,
    reserve: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=0.5,
            help="Never learn from this share of users; --against compares on them.",
        ),
    ] = 0.0,
    name: Name = "segment-scorer",
    external: External = None,
    external_key: ExternalKey = "user_id",
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=LARGEST_SEED,
            help="The same files and seed give the same bundle.",
        ),
    ] = 0,
) -> None:
    """Train a model on exported endpoints and their outcomes; write a bundle.

    The bundle holds the model, its manifest and a model card.

    Exit status: 0 done; 1 an error, nothing written; 2 wrong usage; 3 nothing written, because the
    new model is worse than the bundle of --against; 4 nothing written, because no comparison can
    tell and --if-unclear is keep.

    Example: segment-scorer train --endpoints people.jsonl.gz --outcomes outcomes.csv --out bundle
    """
    from model.training.train import train_bundle  # noqa: PLC0415  # loads scikit-learn, matplotlib

    uplift = read_uplift(goal, treated, treated_share, run, model)
    settings = ModelSettings(model=model, balanced=balanced, search=search)
    check_model(settings, uplift, quick=quick)
    config = TrainingConfig(
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        out=out,
        features=features,
        as_of=read_as_of(as_of),
        name=name,
        seed=seed,
        settings=settings,
        goal=read_goal(value, cost, reach, precision),
        against=against,
        margin=margin,
        if_unclear=if_unclear,
        reserve=reserve,
        quick=quick,
        enrich=open_external(external, external_key),
        columns=ColumnNames(id=id_column, outcome=outcome_column, treated=treated),
        plain_columns=plain_columns,
        naming=NAMINGS.get(profile_names),
        uplift=uplift,
    )
    with show_progress() as progress:
        result = train_bundle(config, progress)
    print(summarise(result))
    end_by_verdict("train", result.verdict)


def summarise(result: TrainingResult) -> str:
    """The closing lines: the data, the figures, where the bundle is, and the notices."""
    facts, bundle = result.manifest, result.bundle
    rows = [
        *(("notice", notice) for notice in result.undated),
        *describe_join(facts["data"]),
        *describe_ages(facts),
        *(describe_effects(facts) if result.is_uplift else describe_figures(facts)),
        *describe_verdict(result.verdict),
    ]
    if bundle is not None:
        rows += [
            ("model", f"{facts['model']['kind']}, calibration: {facts['calibration']}"),
            ("ONNX", f"scores differ from scikit-learn's by at most {facts['parity']:g}"),
            ("bundle", f"{bundle.label} in {bundle.directory}; see its MODEL_CARD.md"),
        ]
    rows += [("unreadable", refusal) for refusal in result.join.refusals]
    rows += [("files", reading) for reading in result.join.readings]
    rows += [("left out", feature) for feature in result.left_out]
    later = (notice for notice in result.notices if notice not in result.undated)
    rows += [("notice", notice) for notice in later]
    return lay_out(rows)
