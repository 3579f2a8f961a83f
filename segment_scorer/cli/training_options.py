"""The options that the verbs on people with outcomes share, and the readers of their values."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from model.profile_names import SETTING
from model.training.join import Enrich
from model.training.threshold import ThresholdGoal
from model.values import parse_time

Endpoints: TypeAlias = Annotated[
    list[Path],
    typer.Option(
        "--endpoints",
        metavar="FILE...",
        help="Endpoints or customer profiles: JSON lines or CSV, gzip or not, Parquet or ORC.",
    ),
]
MoreEndpoints: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE", help="More endpoint files, so --endpoints *.gz works."),
]
Outcomes: TypeAlias = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="CSV: Id,outcome[,date]; 1 = responded, 0 = did not. Id may be UserId or ProfileId.",
    ),
]
PlainColumns: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--plain-columns",
        help="Read a plain table such as Id,Age,Plan: a column that is no field of an endpoint "
        "is an attribute.",
    ),
]


class Migration(StrEnum):
    """Which migration named the attributes of customer profiles: see `model.profile_names`."""

    AUTO = "auto"
    AWS = "aws"
    PRONETX = "pronetx"


ProfileNames: TypeAlias = Annotated[
    Migration,
    typer.Option(
        "--profile-names",
        envvar=SETTING,
        help="Which migration from Pinpoint named the attributes of customer profiles. auto: those "
        "of each profile tell it.",
    ),
]
AsOf: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Reference time of ages, ISO 8601, UTC. Default: each outcome's date; then, in "
        "`evaluate`, what the bundle records.",
    ),
]
External: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="SQLite file of `external build`, for features with External paths.",
    ),
]
ExternalKey: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        help="As SCORER_EXTERNAL_KEY: user_id, endpoint_id, or a path in the endpoint.",
    ),
]
Value: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="MONEY", help="Threshold cost / value: the value of a response."),
]
Cost: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="MONEY", help="Threshold cost / value: the cost of a message."),
]
Reach: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="SHARE", min=0, max=1, help="Threshold that keeps this share of people."),
]
Precision: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        min=0,
        max=1,
        help="Threshold at which this share of the people kept respond.",
    ),
]
LARGEST_SEED = 2**32 - 1
IntervalSeed: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of the intervals.")
]


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
    """The goal of the threshold: one at most."""
    if (value is None) != (cost is None):
        raise typer.BadParameter(
            "expected both the value of a response and the cost of a message, found one",
            param_hint="--value, --cost",
        )
    if sum(number is not None for number in (value, reach, precision)) > 1:
        raise typer.BadParameter(
            "expected at most one goal for the threshold, found several",
            param_hint="--value, --reach, --precision",
        )
    if value is not None and cost is not None and not (0 < value < math.inf > cost >= 0):
        raise typer.BadParameter(
            "expected a value above 0 and a cost of 0 or more", param_hint="--value, --cost"
        )
    return ThresholdGoal(value=value, cost=cost, reach=reach, precision=precision)


def open_external(file: Path | None, key: str) -> Enrich | None:
    """A function that adds the external attributes in `file` to documents, as the hook does."""
    if file is None:
        return None
    # Imported here because most trainings have no external store.
    from function.external.lookup import ExternalSource, enrich_documents  # noqa: PLC0415
    from function.external.sqlite import SqliteStore  # noqa: PLC0415
    from function.settings import read_external_key  # noqa: PLC0415

    try:
        steps = read_external_key(key)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--external-key") from error
    source = ExternalSource(store=SqliteStore(file), key=steps, patience=60.0, scored=True)
    return lambda documents: enrich_documents(documents, source)
