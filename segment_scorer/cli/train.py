"""`segment-scorer train`: options in, one training run, a summary out. No logic of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from model.people.outcome_columns import ColumnNames
from model.training.config import TrainingConfig
from model.training.gate import MARGIN, IfUnclear, Verdict
from model.training.models import AUTO, ModelSettings
from model.training.train import TrainingResult, train_bundle
from model.training.verdict import Finding
from segment_scorer.cli.effect_figures import describe_effects
from segment_scorer.cli.figures import describe_ages, describe_figures, describe_join, lay_out
from segment_scorer.cli.outcome_options import IdColumn, OutcomeColumn
from segment_scorer.cli.progress import show_progress
from segment_scorer.cli.training_options import (
    LARGEST_SEED,
    AsOf,
    Endpoints,
    External,
    ExternalKey,
    MoreEndpoints,
    Outcomes,
    PlainColumns,
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

REJECTED, UNCLEAR = 3, 4


def read_name(text: str) -> str:
    """A name that fits a log line, a metric and a model server."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise typer.BadParameter(
            "expected 1 to 100 letters, digits, dots, dashes and underscores, starting with a "
            "letter or digit"
        )
    return text


def read_margin(number: float) -> float:
    """A difference between figures that range from 0 to 1."""
    if not 0 <= number <= 1:
        raise typer.BadParameter("expected a number from 0 to 1")
    return number


def command(
    *,
    endpoints: Endpoints,
    outcomes: Outcomes,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Write the bundle there, replacing an older bundle."),
    ],
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
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
    value: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="Threshold cost / value: the value of a response."),
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="Threshold cost / value: the cost of a message."),
    ] = None,
    reach: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Threshold that keeps this share of people."
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Threshold at which this share of the people kept respond.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Compare with this bundle, and with the best one before it; keep it if the new "
            "model is worse.",
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            metavar="X",
            callback=read_margin,
            help="How much worse is allowed, in ROC AUC and in Brier score, or in the Qini "
            "coefficient.",
        ),
    ] = MARGIN,
    if_unclear: Annotated[
        IfUnclear,
        typer.Option(
            metavar="keep|replace", help="keep or replace the old bundle if no comparison can tell."
        ),
    ] = IfUnclear.KEEP,
    reserve: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=0.5,
            help="Never learn from this share of users; --against compares on them.",
        ),
    ] = 0.0,
    name: Annotated[
        str, typer.Option(metavar="NAME", callback=read_name, help="Name of the model.")
    ] = "segment-scorer",
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
        uplift=uplift,
    )
    with show_progress() as progress:
        result = train_bundle(config, progress)
    print(summarise(result))
    verdict = result.verdict
    if verdict is not None and not verdict.passed:
        print(f"segment-scorer train: {explain_rejection(verdict)}", file=sys.stderr)
        raise SystemExit(tell_status(verdict))


def tell_status(verdict: Verdict) -> int:
    """The exit status of a gate that keeps the bundle in use."""
    return REJECTED if verdict.finding is Finding.WORSE else UNCLEAR


def explain_rejection(verdict: Verdict) -> str:
    """Why the bundle in use stays."""
    kept = f"{verdict.against} is not replaced: {verdict.sentence}"
    if verdict.finding is Finding.WORSE:
        return f"new model rejected, {kept}"
    return (
        f"cannot tell whether the new model is as good, so {kept}; --if-unclear replace takes the "
        "new model all the same"
    )


def summarise(result: TrainingResult) -> str:
    """The closing lines: the data, the figures, where the bundle is, and the notices."""
    facts, verdict, bundle = result.manifest, result.verdict, result.bundle
    rows = [
        *(("notice", notice) for notice in result.undated),
        *describe_join(facts["data"]),
        *describe_ages(facts),
        *(describe_effects(facts) if result.is_uplift else describe_figures(facts)),
    ]
    if verdict is not None and verdict.passed:
        finding = f"{verdict.finding}, passed against {verdict.against}"
        rows.append(("comparison", f"{finding}: {verdict.sentence}"))
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
