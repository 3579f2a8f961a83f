"""`segment-scorer train`: options in, one training run, a summary out. No logic of its own."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from model.training.fit import AUTO, MODELS, ModelSettings
from model.training.gate import MARGIN
from model.training.people import Enrich
from model.training.threshold import ThresholdGoal
from model.training.train import TrainingConfig, TrainingResult, train_bundle
from model.values import parse_time
from segment_scorer.cli.figures import describe_figures, describe_join, lay_out
from segment_scorer.cli.progress import show_progress

KEPT_BACK = 3
MODEL_HELP = f"{', '.join(MODELS)}; {AUTO} is boosting, unless a blend or larger trees rank these people better."


def read_name(text: str) -> str:
    """A name fit for a log line, a metric and a model server."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise typer.BadParameter(
            "expected 1 to 100 letters, digits, dots, dashes and underscores, a letter or digit first"
        )
    return text


def read_as_of(text: str | None) -> float | None:
    """Seconds since 1970 UTC."""
    if text is None:
        return None
    reference = parse_time(text)
    if math.isnan(reference):
        raise typer.BadParameter(
            "expected ISO 8601, such as 2026-01-31 or 2026-01-31T19:00:00Z", param_hint="--as-of"
        )
    return reference


def read_goal(
    value: float | None, cost: float | None, reach: float | None, precision: float | None
) -> ThresholdGoal:
    """What the threshold is for: one thing at most."""
    if (value is None) != (cost is None):
        raise typer.BadParameter(
            "expected both, what a response is worth and what a message costs",
            param_hint="--value, --cost",
        )
    if sum(number is not None for number in (value, reach, precision)) > 1:
        raise typer.BadParameter(
            "expected one of them at most: the threshold has one goal",
            param_hint="--value, --reach, --precision",
        )
    if (value is not None and not 0 < value < math.inf) or (
        cost is not None and not 0 <= cost < math.inf
    ):
        raise typer.BadParameter(
            "expected a value above 0 and a cost of 0 or more", param_hint="--value, --cost"
        )
    return ThresholdGoal(value=value, cost=cost, reach=reach, precision=precision)


def read_model(text: str) -> str:
    """One of the models known."""
    if text not in {AUTO, *MODELS}:
        raise typer.BadParameter(f"expected one of {', '.join((AUTO, *MODELS))}")
    return text


def read_margin(number: float) -> float:
    """A difference of figures that are from 0 to 1."""
    if not 0 <= number <= 1:
        raise typer.BadParameter("expected a number from 0 to 1")
    return number


def command(
    *,
    endpoints: Annotated[
        list[Path],
        typer.Option(
            "--endpoints",
            metavar="FILE...",
            help="Endpoints or profiles: JSON lines or CSV, gzip or not, or Parquet.",
        ),
    ],
    outcomes: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="CSV: Id,outcome[,date]; 1 = responded, 0 = did not. Id may be UserId or ProfileId.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where the bundle goes; an older one there is replaced."),
    ],
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Further endpoints, so that --endpoints *.gz works."),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Feature spec in TOML; without one it is inferred and written as DIR/features.toml.",
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time that ages are measured against, ISO 8601, UTC. Default: the outcomes' dates.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", callback=read_model, help=MODEL_HELP)
    ] = AUTO,
    search: Annotated[
        bool, typer.Option("--search", help="Try ten settings of the model on up to 20,000 people.")
    ] = False,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Let both outcomes weigh the same in fitting.")
    ] = False,
    value: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="Threshold for profit: what a response is worth."),
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="Threshold for profit: what a message costs."),
    ] = None,
    reach: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Threshold for a share of people to keep."
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Threshold for a share of those kept who respond."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The bundle in use: keep a new one back that is worse, and exit with 3.",
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            metavar="X",
            callback=read_margin,
            help="How much worse it may be, in ROC AUC and Brier score.",
        ),
    ] = MARGIN,
    reserve: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=0.5,
            help="Never learn from this share of users: the gate judges by them.",
        ),
    ] = 0.0,
    name: Annotated[
        str, typer.Option(metavar="NAME", callback=read_name, help="The model's name.")
    ] = "segment-scorer",
    external: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="SQLite file that `external build` made: what External features are read from.",
        ),
    ] = None,
    external_key: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="As SCORER_EXTERNAL_KEY: user_id, endpoint_id or a path in the endpoint.",
        ),
    ] = "user_id",
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=2**32 - 1, help="The same files and seed give the same bundle."
        ),
    ] = 0,
) -> None:
    """Make a bundle (model, manifest, model card) from exported endpoints and a list of who responded.

    Exit status 3: the new model is worse than the one of --against by more than the margin; nothing was written.
    """
    config = TrainingConfig(
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        out=out,
        features=features,
        as_of=read_as_of(as_of),
        name=name,
        seed=seed,
        settings=ModelSettings(model=model, balanced=balanced, search=search),
        goal=read_goal(value, cost, reach, precision),
        against=against,
        margin=margin,
        reserve=reserve,
        enrich=None if external is None else open_external(external, external_key),
    )
    with show_progress() as progress:
        result = train_bundle(config, progress)
    print(summarise(result))
    if result.verdict is not None and not result.verdict.passed:
        print(
            f"segment-scorer train: kept back, {result.verdict.against} stays: {result.verdict.sentence}",
            file=sys.stderr,
        )
        raise typer.Exit(KEPT_BACK)


def open_external(file: Path, key: str) -> Enrich:
    """What adds the external attributes of `file` to documents, as the function does."""
    from function.external.lookup import ExternalSource, enrich_documents  # noqa: PLC0415  # only where asked for
    from function.external.sqlite import SqliteStore  # noqa: PLC0415
    from function.settings import read_external_key  # noqa: PLC0415

    try:
        steps = read_external_key(key)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--external-key") from error
    source = ExternalSource(store=SqliteStore(file), key=steps, patience=60.0, scored=True)
    return lambda documents: enrich_documents(documents, source)


def summarise(result: TrainingResult) -> str:
    """The closing lines: what was read, how good the model is on people held out, where it is."""
    facts = result.manifest
    rows = [*describe_join(facts["data"]), *describe_figures(facts)]
    if result.verdict is not None and result.verdict.passed:
        rows.append(("gate", f"passed against {result.verdict.against}: {result.verdict.sentence}"))
    if result.bundle is not None:
        rows += [
            ("model", f"{facts['model']['kind']}, calibration: {facts['calibration']}"),
            ("ONNX", f"scores as scikit-learn does within {facts['parity']:g}"),
            (
                "bundle",
                f"{result.bundle.label} in {result.bundle.directory}; see its MODEL_CARD.md",
            ),
        ]
    notes = [("refused", refusal) for refusal in result.join.refusals]
    notes += [("left out", feature) for feature in result.left_out] + [
        ("notice", remark) for remark in result.remarks
    ]
    return lay_out(rows + notes)
