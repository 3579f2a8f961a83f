"""`segment-scorer bundle`: a model file, people and outcomes in, a bundle out. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from model.people.outcome_columns import ColumnNames
from model.training.foreign.bundle import BundleResult, bundle_model
from model.training.foreign.config import MEDIAN, BundleConfig
from model.training.foreign.original import ModelRefused
from model.training.foreign.readers import READERS
from model.training.gate import MARGIN, IfUnclear
from segment_scorer.cli.figures import describe_ages, describe_figures, describe_join, lay_out
from segment_scorer.cli.outcome_options import IdColumn, OutcomeColumn
from segment_scorer.cli.progress import show_progress
from segment_scorer.cli.train import (
    REJECTED,
    explain_rejection,
    read_margin,
    read_name,
    tell_status,
)
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

FORMATS = "; ".join(reader.help for reader in READERS.values())


def read_fill(text: str) -> str:
    """How missing values are filled."""
    if text not in {"", MEDIAN}:
        raise typer.BadParameter(f"expected {MEDIAN}")
    return text


def command(
    *,
    model: Annotated[Path, typer.Option(metavar="FILE", help=f"The model: {FORMATS}.")],
    features: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Feature spec (TOML) of the model's columns, in its order."
        ),
    ],
    endpoints: Endpoints,
    outcomes: Outcomes,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Write the bundle there, replacing an older bundle."),
    ],
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
    id_column: IdColumn = "",
    outcome_column: OutcomeColumn = "",
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV Id,score: the original's own scores. Needed for an ONNX file.",
        ),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="The label of a scikit-learn model that means that a person responded.",
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            metavar=MEDIAN,
            callback=read_fill,
            show_default="left to the model",
            help="Fill missing values with the median of these people before the model.",
        ),
    ] = "",
    float32: Annotated[
        bool,
        typer.Option(
            "--float32", help="The model was trained on numbers rounded to float32, and reads them."
        ),
    ] = False,
    as_of: AsOf = None,
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
            help="Compare with this bundle, and with the best one before it; keep it if the model "
            "is worse.",
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            metavar="X",
            callback=read_margin,
            help="How much worse is allowed, in ROC AUC and in Brier score.",
        ),
    ] = MARGIN,
    if_unclear: Annotated[
        IfUnclear,
        typer.Option(
            metavar="keep|replace", help="keep or replace the old bundle if no comparison can tell."
        ),
    ] = IfUnclear.KEEP,
    name: Annotated[
        str, typer.Option(metavar="NAME", callback=read_name, help="Name of the model.")
    ] = "segment-scorer",
    external: External = None,
    external_key: ExternalKey = "user_id",
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of the intervals.")
    ] = 0,
) -> None:
    """Make a bundle of your own model: ONNX, scikit-learn, LightGBM or XGBoost.

    The model is converted to ONNX and judged on these people. Use people that it was not trained
    on. It is refused unless ONNX scores each of them as the original does, within 1e-5.

    Exit status: 0 done; 1 an error, nothing written; 2 wrong usage; 3 nothing written, because the
    model cannot be converted faithfully, or is worse than the bundle of --against; 4 nothing
    written, because no comparison can tell and --if-unclear is keep.

    Example: segment-scorer bundle --model model.txt --features features.toml --endpoints people.csv
    --outcomes outcomes.csv --out bundle
    """
    config = BundleConfig(
        model=model,
        features=features,
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        columns=ColumnNames(id=id_column, outcome=outcome_column),
        plain_columns=plain_columns,
        out=out,
        predictions=predictions,
        positive=positive,
        fill=missing,
        float32=float32,
        as_of=read_as_of(as_of),
        name=name,
        seed=seed,
        goal=read_goal(value, cost, reach, precision),
        against=against,
        margin=margin,
        if_unclear=if_unclear,
        enrich=open_external(external, external_key),
    )
    try:
        with show_progress() as progress:
            result = bundle_model(config, progress)
    except ModelRefused as error:
        print(
            f"segment-scorer bundle: model refused, nothing was written: {error}", file=sys.stderr
        )
        raise SystemExit(REJECTED) from error
    print(summarise(result))
    verdict = result.verdict
    if verdict is not None and not verdict.passed:
        print(f"segment-scorer bundle: {explain_rejection(verdict)}", file=sys.stderr)
        raise SystemExit(tell_status(verdict))


def summarise(result: BundleResult) -> str:
    """The closing lines: the data, the figures, where the bundle is, and the notices."""
    facts, verdict, bundle = result.manifest, result.verdict, result.bundle
    rows = [*describe_join(facts["data"]), *describe_ages(facts), *describe_figures(facts)]
    if verdict is not None and verdict.passed:
        finding = f"{verdict.finding}, passed against {verdict.against}"
        rows.append(("comparison", f"{finding}: {verdict.sentence}"))
    rows.append(("ONNX", f"scores differ from the original's by at most {facts['parity']:g}"))
    if bundle is not None:
        rows.append(("bundle", f"{bundle.label} in {bundle.directory}; see its MODEL_CARD.md"))
    rows += [("unreadable", refusal) for refusal in result.join.refusals]
    rows += [("files", reading) for reading in result.join.readings]
    rows += [("notice", notice) for notice in result.notices]
    return lay_out(rows)
