"""`segment-scorer compare`: two bundles, people and outcomes in, figures of both out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from model.errors import DataError
from model.manifest import MANIFEST_FILE
from model.people.outcome_columns import ColumnNames
from model.profile_names import NAMINGS
from model.training.comparing import ComparingConfig, compare_bundles
from model.training.comparison_page import (
    FACTS,
    PAGE,
    PICTURE,
    list_figures,
    list_gains,
    list_sides,
    make_page,
)
from model.training.evaluation import write_evaluation
from segment_scorer.cli.figures import describe_join, lay_out
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
)


def command(
    *,
    a: Annotated[Path, typer.Argument(metavar="A", help="A bundle, such as the one in use.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The bundle to compare it with.")],
    endpoints: Endpoints,
    outcomes: Outcomes,
    more: MoreEndpoints = None,
    plain_columns: PlainColumns = False,
    profile_names: ProfileNames = Migration.AUTO,
    id_column: IdColumn = "",
    outcome_column: OutcomeColumn = "",
    as_of: AsOf = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Write {PAGE}, {PICTURE} and {FACTS} there."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help=f"Print what {FACTS} holds, instead of text.")
    ] = False,
    external: External = None,
    external_key: ExternalKey = "user_id",
    seed: IntervalSeed = 0,
) -> None:
    """Compare two bundles on the same people: figures, gains, and who changes sides.

    Use people that neither bundle was trained on; otherwise a bundle looks better than it is.

    Example: segment-scorer compare old new --endpoints later.jsonl --outcomes later.csv --out page
    """
    if out is not None and (out / MANIFEST_FILE).exists():
        raise DataError(f"{out}: expected a directory for the comparison alone, found a bundle")
    config = ComparingConfig(
        a=a,
        b=b,
        endpoints=(*endpoints, *(more or ())),
        outcomes=outcomes,
        as_of=read_as_of(as_of),
        seed=seed,
        enrich=open_external(external, external_key),
        columns=ColumnNames(id=id_column, outcome=outcome_column),
        plain_columns=plain_columns,
        naming=NAMINGS.get(profile_names),
    )
    with show_progress() as progress:
        result = compare_bundles(config, progress)
    facts = result.facts
    if out is not None:
        write_evaluation(out, make_page(facts))
    if as_json:
        print(json.dumps(facts, indent=1, allow_nan=False))
        return
    rows = [
        ("A", f"{facts['a']['bundle']}, threshold {facts['a']['threshold']:.4f}"),
        ("B", f"{facts['b']['bundle']}, threshold {facts['b']['threshold']:.4f}"),
        *describe_join(facts["data"]),
        *(
            (name.partition(" (")[0], f"A {old}, B {new}; B minus A {difference} ({interval})")
            for name, old, new, difference, interval in list_figures(facts)
        ),
        *(
            (f"best {share}", f"responders reached: A {old}, B {new}")
            for share, old, new in list_gains(facts)[:7]
        ),
        *(
            (side, f"{people} people, {share}; {responders} responded{f', {rate}' if rate else ''}")
            for side, people, share, responders, rate in list_sides(facts)
        ),
        *(("unreadable", refusal) for refusal in result.join.refusals),
        *(("files", reading) for reading in result.join.readings),
        *(("notice", notice) for notice in facts["data"]["remarks"]),
    ]
    if out is not None:
        rows.append(("written", f"{PAGE}, {PICTURE} and {FACTS} in {out}"))
    print(lay_out(rows))
