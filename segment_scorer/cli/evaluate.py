"""`segment-scorer evaluate`: a bundle, people and outcomes in, figures out. No logic of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model.bundle import SHIPPED
from model.people.outcome_columns import ColumnNames
from model.training.evaluation import EVALUATION_FILE, EvaluationConfig, evaluate_bundle
from segment_scorer.cli.figures import (
    describe_ages,
    describe_deciles,
    describe_figures,
    describe_join,
    describe_subgroups,
    lay_out,
)
from segment_scorer.cli.outcome_options import IdColumn, OutcomeColumn
from segment_scorer.cli.progress import show_progress
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


def command(
    *,
    endpoints: Endpoints,
    outcomes: Outcomes,
    bundle: Annotated[
        Path, typer.Option(metavar="DIR", help="The bundle to evaluate.", show_default="shipped")
    ] = SHIPPED,
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
    id_column: IdColumn = "",
    outcome_column: OutcomeColumn = "",
    as_of: AsOf = None,
    value: Annotated[
        float | None,
        typer.Option(
            metavar="MONEY", help="The value of a response, to show a bound of the profit."
        ),
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="The cost of a message, to show a bound of the profit."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Write {EVALUATION_FILE} and its pictures there."),
    ] = None,
    external: External = None,
    external_key: ExternalKey = "user_id",
    seed: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of the intervals."),
    ] = 0,
) -> None:
    """Measure a bundle's scores on people whose outcomes are known.

    Use people that the bundle was not trained on; otherwise it looks better than it is.

    Example: segment-scorer evaluate --bundle bundle --endpoints later.jsonl --outcomes later.csv
    """
    config = EvaluationConfig(
        bundle=bundle,
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        out=out,
        as_of=read_as_of(as_of),
        seed=seed,
        goal=read_goal(value, cost, None, None),
        enrich=open_external(external, external_key),
        columns=ColumnNames(id=id_column, outcome=outcome_column),
        plain_columns=plain_columns,
    )
    with show_progress() as progress:
        result = evaluate_bundle(config, progress)
    facts = result.facts
    rows = [
        ("bundle", f"{facts['name']}@{facts['version']}"),
        *describe_join(facts["data"]),
        *describe_ages(facts),
        *describe_figures(facts),
        *describe_deciles(facts["evaluation"]["deciles"]),
        *describe_subgroups(facts["evaluation"]["by"]),
        *(("unreadable", refusal) for refusal in result.join.refusals),
        *(("files", reading) for reading in result.join.readings),
        *(("notice", notice) for notice in facts["data"]["remarks"]),
    ]
    if out is not None:
        rows.append(("written", f"{EVALUATION_FILE} and pictures in {out}"))
    print(lay_out(rows))
