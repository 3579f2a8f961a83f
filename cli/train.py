"""`segment-scorer train`: options in, one training run, a summary out. No logic of its own."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from cli.progress import show_progress
from model.features import parse_time
from model.training.people import Enrich
from model.training.train import Order, Result, train_bundle


def read_name(text: str) -> str:
    """A name fit for a log line, a metric and a model server."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise typer.BadParameter("expected 1 to 100 letters, digits, dots, dashes and underscores, a letter or digit first")
    return text


def command(
    *,
    endpoints: Annotated[
        list[Path], typer.Option("--endpoints", metavar="FILE...", help="Endpoints as exported: JSON lines, gzip or not.")
    ],
    outcomes: Annotated[Path, typer.Option(metavar="FILE", help="CSV with the header Id,outcome; 1 = responded, 0 = did not.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the bundle goes; an older one there is replaced.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Further endpoints, so that --endpoints *.gz works.")] = None,
    features: Annotated[Path | None, typer.Option(metavar="FILE", help="Feature spec in TOML: [[feature]] with name, path, kind.")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="Time that ages are measured against, ISO 8601, UTC.")] = None,
    name: Annotated[str, typer.Option(metavar="NAME", callback=read_name, help="The model's name.")] = "segment-scorer",
    profiles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="SQLite file that `profiles build` made: what External features are read from.")
    ] = None,
    profiles_key: Annotated[
        str, typer.Option(metavar="KEY", help="As SCORER_PROFILES_KEY: user_id, endpoint_id or a path in the endpoint.")
    ] = "user_id",
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=2**32 - 1, help="The same files and seed give the same bundle.")] = 0,
) -> None:
    """Make a bundle (model.onnx, manifest.json) from exported endpoints and a list of who responded."""
    reference = None
    if as_of is not None:
        reference = parse_time(as_of)
        if math.isnan(reference):
            raise typer.BadParameter("expected ISO 8601, such as 2026-01-31 or 2026-01-31T19:00:00Z", param_hint="--as-of")
    order = Order(
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        out=out,
        features=features,
        as_of=reference,
        name=name,
        seed=seed,
        enrich=None if profiles is None else open_profiles(profiles, profiles_key),
    )
    with show_progress() as report:
        result = train_bundle(order, report)
    print(summarise(result))


def open_profiles(file: Path, key: str) -> Enrich:
    """What adds the profiles of `file` to documents, as the function does."""
    from function.profiles.enrich import Source, enrich_documents  # noqa: PLC0415  # only for who has profiles
    from function.profiles.sqlite import SqliteProfiles  # noqa: PLC0415
    from function.settings import read_profile_key  # noqa: PLC0415

    try:
        steps = read_profile_key(key)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--profiles-key") from error
    source = Source(store=SqliteProfiles(file), key=steps, patience=60.0, scored=True)
    return lambda documents: enrich_documents(documents, source)


def summarise(result: Result) -> str:
    """The closing lines: what was read, how good the model is out of fold, where it is."""
    join, manifest = result.join, result.bundle.manifest
    metrics, at = manifest["metrics"], manifest["metrics"]["at_threshold"]
    precision = "nobody" if at["precision"] is None else f"{at['precision']:.1%} of them respond"
    aside = (
        f"{join.without_outcome:,} endpoints without outcome, {join.without_endpoint:,} outcomes without endpoint, "
        f"{join.repeated:,} endpoints seen before, {join.refused:,} lines refused"
    )
    alone = metrics["base_rate"] * (1 - metrics["base_rate"])
    effect = f"keeps {at['reach']:.1%} of people, {precision}, {at['recall']:.1%} of all who respond"
    lines = [
        ("people", f"{join.matched:,} with endpoint and outcome; {metrics['base_rate']:.1%} responded"),
        ("left aside", aside),
        ("ROC AUC", f"{metrics['roc_auc']:.4f} (out of fold, as all figures here)"),
        ("average precision", f"{metrics['average_precision']:.4f}"),
        ("Brier score", f"{metrics['brier']:.4f} ({alone:.4f} for the base rate alone); calibration: {manifest['calibration']}"),
        ("log loss", f"{metrics['log_loss']:.4f}"),
        ("threshold", f"{result.bundle.threshold:.4f}, the base rate: {effect}"),
        ("ONNX", f"scores as scikit-learn does within {manifest['parity']:g}"),
        ("bundle", f"{result.bundle.label} in {result.bundle.directory}"),
    ]
    notes = [*(f"refused    {refusal}" for refusal in join.refusals), *(f"left out   {feature}" for feature in result.left_out)]
    return "\n".join([*(f"{name:<18} {text}" for name, text in lines), *notes])
