"""`segment-scorer evaluate`: a bundle, people and outcomes in, figures out. No logic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from model.bundle import SHIPPED
from model.people.outcome_columns import ColumnNames
from model.profile_names import NAMINGS
from model.score_kind import read_score_kind
from model.training.evaluation import EVALUATION_FILE, EvaluationConfig, evaluate_bundle
from model.training.models import AUTO
from segment_scorer.cli.effect_figures import describe_effect_deciles, describe_effects
from segment_scorer.cli.figures import (
    FigureRow,
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
    AsOf,
    Endpoints,
    External,
    ExternalKey,
    IntervalSeed,
    Migration,
    MoreEndpoints,
    Outcomes,
    PlainColumns,
    ProfileNames,
    open_external,
    read_as_of,
    read_goal,
)
from segment_scorer.cli.uplift_options import Run, Treated, TreatedShare, read_uplift


def command(
    *,
    endpoints: Endpoints,
    outcomes: Outcomes,
    bundle: Annotated[
        Path, typer.Option(metavar="DIR", help="The bundle to evaluate.", show_default="shipped")
    ] = SHIPPED,
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
    profile_names: ProfileNames = Migration.AUTO,
    id_column: IdColumn = "",
    outcome_column: OutcomeColumn = "",
    treated: Treated = "",
    treated_share: TreatedShare = None,
    run: Run = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A response bundle, to compare an uplift bundle with on the same people.",
        ),
    ] = None,
    as_of: AsOf = None,
    value: Annotated[
        float | None,
        typer.Option(
            metavar="MONEY", help="The value of a response, to show a bound of the profit."
        ),
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(
            metavar="MONEY", min=0.0, help="The cost of a message, to show a bound of the profit."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Write {EVALUATION_FILE} and its pictures there."),
    ] = None,
    external: External = None,
    external_key: ExternalKey = "user_id",
    seed: IntervalSeed = 0,
) -> None:
    """Measure a bundle's scores on people whose outcomes are known.

    Use people that the bundle was not trained on; otherwise it looks better than it is. An uplift
    bundle also needs to know whom chance messaged: --treated or --run.

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
        columns=ColumnNames(id=id_column, outcome=outcome_column, treated=treated),
        uplift=read_uplift(None, treated, treated_share, run, AUTO),
        against=against,
        plain_columns=plain_columns,
        naming=NAMINGS.get(profile_names),
    )
    with show_progress() as progress:
        result = evaluate_bundle(config, progress)
    facts = result.facts
    rows = [
        ("bundle", f"{facts['name']}@{facts['version']}"),
        *describe_join(facts["data"]),
        *describe_ages(facts),
        *describe_accuracy(facts),
        *(("unreadable", refusal) for refusal in result.join.refusals),
        *(("files", reading) for reading in result.join.readings),
        *(("notice", notice) for notice in facts["data"]["remarks"]),
    ]
    if out is not None:
        rows.append(("written", f"{EVALUATION_FILE} and pictures in {out}"))
    print(lay_out(rows))


def describe_accuracy(facts: Mapping[str, Any]) -> list[FigureRow]:
    """How good the scores are, by their kind."""
    evaluation = facts["evaluation"]
    if read_score_kind(facts).is_uplift:
        return [*describe_effects(facts), *describe_effect_deciles(evaluation["deciles"])]
    return [
        *describe_figures(facts),
        *describe_deciles(evaluation["deciles"]),
        *describe_subgroups(evaluation["by"]),
    ]
