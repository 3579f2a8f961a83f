"""`segment-scorer evaluate`: a bundle, people and outcomes in, how good its scores are out. No logic of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model.bundle import SHIPPED
from model.training.assess import EvaluationConfig, assess_bundle
from model.training.phrases import say_share
from segment_scorer.cli.figures import describe_figures, describe_join, lay_out
from segment_scorer.cli.progress import show_progress
from segment_scorer.cli.train import open_external, read_as_of, read_goal


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
    bundle: Annotated[Path, typer.Option(metavar="DIR", help="The bundle to judge.")] = SHIPPED,
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Further endpoints, so that --endpoints *.gz works."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time that ages are measured against, ISO 8601, UTC. Default: the outcomes' dates.",
        ),
    ] = None,
    value: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="What a response is worth, to draw profit."),
    ] = None,
    cost: Annotated[
        float | None, typer.Option(metavar="MONEY", help="What a message costs, to draw profit.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write EVALUATION.md and its pictures there.")
    ] = None,
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
        int, typer.Option(metavar="N", min=0, max=2**32 - 1, help="Seed of the intervals.")
    ] = 0,
) -> None:
    """Say how good a bundle's scores are on people whose outcomes are known; best on people it was not trained on."""
    config = EvaluationConfig(
        bundle=bundle,
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        out=out,
        as_of=read_as_of(as_of),
        seed=seed,
        goal=read_goal(value, cost, None, None),
        enrich=None if external is None else open_external(external, external_key),
    )
    with show_progress() as progress:
        assessment = assess_bundle(config, progress)
    facts = assessment.facts
    rows = [
        ("bundle", f"{facts['name']}@{facts['version']}"),
        *describe_join(facts["data"]),
        *describe_figures(facts),
    ]
    deciles = [
        (
            f"tenth {row['decile']}",
            f"{say_share(row['rate']):>6} respond, lift {row['lift']:5.2f}, {row['gain']:6.1%} of all who respond so far",
        )
        for row in facts["evaluation"]["deciles"]
    ]
    apart = [
        (
            f"{label} {row['value']}",
            f"{row['people']:,} people, {say_share(row['rate'])} responded, ROC AUC {row['roc_auc']:.4f}",
        )
        for label, table in facts["evaluation"]["by"].items()
        for row in table
    ]
    notes = [("refused", refusal) for refusal in assessment.join.refusals] + [
        ("notice", remark) for remark in facts["data"]["remarks"]
    ]
    where = [] if out is None else [("written", f"EVALUATION.md and pictures in {out}")]
    print(lay_out(rows + deciles + apart + notes + where))
