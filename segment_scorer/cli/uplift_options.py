"""The options that say who was messaged, for `train` and `evaluate`, and how they go together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from model.training.config import UpliftConfig
from model.training.models import AUTO, MODELS, ModelSettings
from model.training.uplift.learners import LEARNERS


class Goal(StrEnum):
    """What a model is to foretell."""

    RESPONSE = "response"
    UPLIFT = "uplift"


TheGoal: TypeAlias = Annotated[
    Goal | None,
    typer.Option(
        "--goal",
        help="response: who responds. uplift: whom the message moves to respond; needs --treated "
        "or --run. Default: uplift with one of them.",
    ),
]
Treated: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="COLUMN",
        help="Column of the outcomes file that says who was messaged, by lot: 1 or 0.",
    ),
]
TreatedShare: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="The share of users whom chance should message. Default: that of the run, or as "
        "found.",
    ),
]
Run: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="A run with a control group: its people, and whom it messaged.",
    ),
]
Model: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"{', '.join((AUTO, *MODELS))}; {AUTO} compares boosting, blend and larger trees on "
        f"these people. For uplift: {', '.join((AUTO, *LEARNERS))}.",
    ),
]


def read_uplift(
    goal: Goal | None, treated: str, share: float | None, run: Path | None, model: str
) -> UpliftConfig | None:
    """How to learn what a message changes; None to learn who responds."""
    if treated and run is not None:
        raise typer.BadParameter(
            "expected one of the two: both say who was messaged", param_hint="--treated, --run"
        )
    named = bool(treated) or run is not None
    if goal is Goal.UPLIFT and not named:
        raise typer.BadParameter(
            "expected --treated COLUMN or --run DIR: an effect can only be learnt from a campaign "
            "that messaged by lot",
            param_hint="--goal",
        )
    if not named and share is None:
        return None
    if goal is Goal.RESPONSE or not named:
        raise typer.BadParameter(
            "expected them with an uplift model alone",
            param_hint="--treated, --treated-share, --run",
        )
    if share is not None and not 0 < share < 1:
        raise typer.BadParameter("expected a number between 0 and 1", param_hint="--treated-share")
    return UpliftConfig(run=run, share=share, learner=model)


def check_model(settings: ModelSettings, uplift: UpliftConfig | None, *, quick: bool) -> None:
    """Refuse a model, and options of fitting, that the goal does not have."""
    known = (AUTO, *(MODELS if uplift is None else LEARNERS))
    if settings.model not in known:
        raise typer.BadParameter(f"expected one of {', '.join(known)}", param_hint="--model")
    if uplift is not None and (settings.balanced or settings.search):
        raise typer.BadParameter(
            "expected neither for an uplift model", param_hint="--balanced, --search"
        )
    if uplift is not None and quick:
        raise typer.BadParameter(
            "expected it with a response model alone: an uplift model has two candidates, chosen "
            "inside each fold; --model NAME fits one of them",
            param_hint="--quick",
        )
