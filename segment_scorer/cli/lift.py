"""`segment-scorer lift`: runs or decisions, and outcomes, in; what the message changed out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from model.people.outcome_columns import ColumnNames
from segment_scorer.cli.outcome_options import IdColumn, OutcomeColumn
from segment_scorer.cli.progress import show_progress
from segment_scorer.lift.checks import Check
from segment_scorer.lift.measure import LiftRequest, LiftResult, measure_lift
from segment_scorer.lift.phrases import say_rate
from segment_scorer.lift.plan import describe_plan, plan_run
from segment_scorer.lift.users import Missing
from segment_scorer.lift.write import FILES, write_lift

STATES = {True: "passed", False: "WARNING", None: "unknown"}
MISSING: tuple[Missing, ...] = ("auto", "zero", "exclude")


def command(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN...", help="Folders that `segment-scorer run` wrote, of one control group."
        ),
    ] = None,
    *,
    outcomes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV: Id,outcome or UserId,outcome; 0/1, yes/no or an amount; gzip or not.",
        ),
    ] = None,
    id_column: IdColumn = "",
    outcome_column: OutcomeColumn = "",
    decisions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Instead of RUN: a CSV Id,UserId,selected,holdout of a campaign sent elsewhere.",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Say what the run's control group can show. No outcomes."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the results. Default, with one RUN: RUN/lift."
        ),
    ] = None,
    value: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="What one response, or one unit of the amount, earns."),
    ] = None,
    cost: Annotated[
        float | None, typer.Option(metavar="MONEY", min=0.0, help="What one message costs.")
    ] = None,
    outcome_name: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="What a response is called: visits, orders, dollars."),
    ] = None,
    holdout_percent: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            min=0.0,
            max=100.0,
            help="The control group's planned share, where no summary.json says it.",
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="People without an outcome: zero (count as 0), exclude, or auto: zero if the "
            "file lists no outcome of 0, else exclude.",
        ),
    ] = "auto",
    effect: Annotated[
        float | None,
        typer.Option(
            metavar="N", min=0.0, help="With --plan: N more responses per 1,000 are worth seeing."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            min=0.0,
            max=1.0,
            help="With --plan: share that responds without a message. Default: the mean score.",
        ),
    ] = None,
) -> None:
    """Measure what a campaign changed: the people messaged against the control group.

    Compares the users whom the rules selected: those messaged with those held out. The result
    has a 95 % interval. Refuses where the figures would mislead.

    \b
    Writes into --out:
      lift.json  the figures
      lift.html  a page to look at, to print or to send

    Exit status: 0 the effect was measured; 1 refused, or an error, in one sentence; 2 wrong usage.

    Example: segment-scorer lift out/run --outcomes orders.csv --value 10 --cost 0.1
    """
    if plan is not None:
        if runs or decisions or outcomes or out:
            raise typer.BadParameter("expected --plan without RUN, --decisions, --outcomes, --out")
        print("\n".join(describe_plan(plan_run(plan, rate, effect))))
        return
    folders = tuple(runs or ())
    if bool(folders) == (decisions is not None):
        raise typer.BadParameter("expected RUN folders, or --decisions FILE, or --plan RUN")
    if outcomes is None:
        raise typer.BadParameter("expected --outcomes FILE")
    if effect is not None or rate is not None:
        raise typer.BadParameter("expected --effect and --rate only with --plan")
    if cost is not None and value is None:
        raise typer.BadParameter("expected --value beside --cost")
    rule = next((each for each in MISSING if each == missing), None)
    if rule is None:
        raise typer.BadParameter(f"expected --missing to be one of {', '.join(MISSING)}")
    if out is None and len(folders) != 1:
        raise typer.BadParameter("expected --out DIR: it has a default only with one RUN")
    folder = out or folders[0] / "lift"
    request = LiftRequest(
        runs=folders,
        decisions=decisions,
        outcomes=outcomes,
        value=value,
        cost=cost,
        outcome_name=outcome_name,
        holdout_percent=holdout_percent,
        missing=rule,
        columns=ColumnNames(id=id_column, outcome=outcome_column),
    )
    with contextlib.ExitStack() as stack:
        result = measure_lift(request, stack.enter_context(show_progress()))
    write_lift(result, folder)
    print(describe_result(result))
    print(f"\nWritten: {' and '.join(FILES)} in {folder}")


def describe_result(result: LiftResult) -> str:
    """The result for a terminal."""
    effect = result.effect
    groups = [
        ("messaged", effect.messaged, effect.messaged_rate),
        ("control group", effect.control, effect.control_rate),
    ]
    verb = "responded" if result.binary else f"{result.name} each"
    lines = [
        *result.sentences,
        "",
        *(
            f"{name:<13} {people:>11,} people, {say_rate(r, binary=result.binary)} {verb}"
            for name, people, r in groups
        ),
        "",
        *map(describe_check, result.checks),
    ]
    return "\n".join(lines)


def describe_check(check: Check) -> str:
    """One line a check."""
    return f"{STATES[check.passed]:<8} {check.text}"
