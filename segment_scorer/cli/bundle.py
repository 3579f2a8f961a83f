"""`segment-scorer bundle`: a model file, people and outcomes in, a bundle out. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from model.people.outcome_columns import ColumnNames
from model.profile_names import NAMINGS
from model.training.foreign.bundle import BundleResult, bundle_model
from model.training.foreign.config import MEDIAN, BundleConfig
from model.training.foreign.original import ModelRefused
from model.training.foreign.readers import READERS
from model.training.verdict import MARGIN, IfUnclear
from segment_scorer.cli.figures import describe_ages, describe_figures, describe_join, lay_out
from segment_scorer.cli.gate_options import (
    REJECTED,
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
    AsOf,
    Cost,
    Endpoints,
    External,
    ExternalKey,
    IntervalSeed,
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
    out: Out,
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
    profile_names: ProfileNames = Migration.AUTO,
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
    value: Value = None,
    cost: Cost = None,
    reach: Reach = None,
    precision: Precision = None,
    against: Against = None,
    margin: Margin = MARGIN,
    if_unclear: Unclear = IfUnclear.KEEP,
    name: Name = "segment-scorer",
    external: External = None,
    external_key: ExternalKey = "user_id",
    seed: IntervalSeed = 0,
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
        naming=NAMINGS.get(profile_names),
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
    end_by_verdict("bundle", result.verdict)


def summarise(result: BundleResult) -> str:
    """The closing lines: the data, the figures, where the bundle is, and the notices."""
    facts, bundle = result.manifest, result.bundle
    rows = [*describe_join(facts["data"]), *describe_ages(facts), *describe_figures(facts)]
    rows += describe_verdict(result.verdict)
    rows.append(("ONNX", f"scores differ from the original's by at most {facts['parity']:g}"))
    if bundle is not None:
        rows.append(("bundle", f"{bundle.label} in {bundle.directory}; see its MODEL_CARD.md"))
    rows += [("unreadable", refusal) for refusal in result.join.refusals]
    rows += [("files", reading) for reading in result.join.readings]
    rows += [("notice", notice) for notice in result.notices]
    return lay_out(rows)
