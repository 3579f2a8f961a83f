"""Typer's parser of a verb, made from the signatures of its commands."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperArgument

from segment_scorer.cli.endings import end_in_a_sentence
from segment_scorer.cli.verbs import VERBS


def make_parser(verb: str, module: ModuleType) -> Callable[..., Any]:
    """A callable that takes arguments and ends in SystemExit.

    `module` has a function `command`, or a table `COMMANDS`: sub-verb -> function.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    if hasattr(module, "COMMANDS"):
        summary = VERBS[verb].summary
        # Without a callback, Typer drops the name of an only sub-verb.
        app.callback(help=f"{summary[:1].upper()}{summary[1:]}.")(take_no_options)
        for name, command in module.COMMANDS.items():
            app.command(name)(refuse_nan(end_in_a_sentence(f"{verb} {name}")(command)))
    else:
        app.command()(refuse_nan(end_in_a_sentence(verb)(module.command)))
    parser = typer.main.get_command(app)
    for command in [parser, *getattr(parser, "commands", {}).values()]:
        hide_types(command.params)
    return parser


def refuse_nan(command: Callable[..., None]) -> Callable[..., None]:
    """Refuse numbers that are not finite. NaN is outside no range, so Typer lets it pass."""

    @functools.wraps(command)
    def checked(**given: Any) -> None:
        for name, value in given.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise typer.BadParameter(
                    "expected a finite number", param_hint=f"--{name.replace('_', '-')}"
                )
        command(**given)

    return checked


def hide_types(parameters: Iterable[object]) -> None:
    """Leave Python's types, such as list[Path], out of the help of arguments."""
    for parameter in parameters:
        if isinstance(parameter, TyperArgument):
            parameter.display_type_rich = lambda **_: None  # type: ignore[method-assign]


def take_no_options() -> None:
    """Hold the place of the options that a verb with sub-verbs does not have."""
