"""The options that name the columns of an outcomes file, for every verb that reads one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

IdColumn: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Column of ids in the outcomes file. Default: Id, ProfileId or UserId. "
        "UserId=NAME: the column holds UserIds.",
    ),
]
OutcomeColumn: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME", help="Column of outcomes in the outcomes file. Default: outcome."),
]
