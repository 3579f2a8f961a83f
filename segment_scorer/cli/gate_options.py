"""The options of a gate between a new bundle and the one in use, and what its verdict ends with."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from model.training.verdict import Finding, IfUnclear, Verdict
from segment_scorer.cli.figures import FigureRow

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


Out: TypeAlias = Annotated[
    Path, typer.Option(metavar="DIR", help="Write the bundle there, replacing an older bundle.")
]
Against: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Compare with this bundle, and with the best one before it; keep it if the new "
        "model is worse.",
    ),
]
Margin: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="X",
        callback=read_margin,
        help="How much worse is allowed, in ROC AUC and in Brier score, or in the Qini "
        "coefficient of an uplift model.",
    ),
]
Unclear: TypeAlias = Annotated[
    IfUnclear,
    typer.Option(
        metavar="keep|replace", help="keep or replace the old bundle if no comparison can tell."
    ),
]
Name: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", callback=read_name, help="Name of the model.")
]


def describe_verdict(verdict: Verdict | None) -> list[FigureRow]:
    """The line of a gate that the new model passed."""
    if verdict is None or not verdict.passed:
        return []
    finding = f"{verdict.finding}, passed against {verdict.against}"
    return [("comparison", f"{finding}: {verdict.sentence}")]


def end_by_verdict(verb: str, verdict: Verdict | None) -> None:
    """Say why the bundle in use stays, and exit with the status of it; nothing if it does not."""
    if verdict is None or verdict.passed:
        return
    print(f"segment-scorer {verb}: {explain_rejection(verdict)}", file=sys.stderr)
    raise SystemExit(REJECTED if verdict.finding is Finding.WORSE else UNCLEAR)


def explain_rejection(verdict: Verdict) -> str:
    """Why the bundle in use stays."""
    kept = f"{verdict.against} is not replaced: {verdict.sentence}"
    if verdict.finding is Finding.WORSE:
        return f"new model rejected, {kept}"
    return (
        f"cannot tell whether the new model is as good, so {kept}; --if-unclear replace takes the "
        "new model all the same"
    )
