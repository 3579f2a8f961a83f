"""`segment-scorer external build`: options in, one external store out. No logic of its own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from segment_scorer.cli.progress import show_progress


def build(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="One person per row: CSV or JSON lines (gzip or not), Parquet or ORC.",
        ),
    ],
    *,
    key: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column with the person's key.")
    ] = "id",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="SQLite file to write, for SCORER_EXTERNAL=sqlite:FILE."),
    ] = None,
    dynamodb: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="DynamoDB table to fill. It must exist. Items of other keys stay.",
        ),
    ] = None,
    partition_key: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Partition key of the table (SCORER_EXTERNAL_PARTITION_KEY): text, no sort key.",
        ),
    ] = "id",
    region: Annotated[
        str | None,
        typer.Option(metavar="REGION", help="Region of the table. Default: as for every AWS tool."),
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of a compatible DynamoDB.")
    ] = None,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Give the file the permissions that the umask allows. Without it, only you can "
            "read it, because it holds ids.",
        ),
    ] = False,
) -> None:
    """Make an external store from files: one row per person, with a key column and attributes.

    The whole input is checked first. If a key repeats or a row is unusable, nothing is written.

    Example: segment-scorer external build people.parquet --key customer_id --out external.sqlite
    """
    from segment_scorer.external_store.rows import read_rows  # noqa: PLC0415
    from segment_scorer.external_store.sqlite import write_file  # noqa: PLC0415

    if out is None and dynamodb is None:
        raise typer.BadParameter(
            "expected a store: --out FILE, --dynamodb TABLE, or both", param_hint="--out"
        )
    with TemporaryDirectory() as folder, show_progress() as progress:
        file = out or Path(folder, "external.sqlite")
        warnings: list[str] = []
        count = write_file(read_rows(files, key, progress, warnings.append), file, shared=shared)
        if dynamodb is not None:
            from segment_scorer.external_store.dynamodb import load_table  # noqa: PLC0415

            load_table(
                file, dynamodb, partition_key, progress, region=region, endpoint_url=endpoint_url
            )
    for warning in warnings:
        typer.echo(f"segment-scorer external build: warning: {warning}", err=True)
    where = [str(out)] * (out is not None) + [f"the table {dynamodb}"] * (dynamodb is not None)
    print(f"{count:,} people in {' and in '.join(where)}")


COMMANDS = {"build": build}
