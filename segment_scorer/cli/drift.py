"""`segment-scorer drift`: compares the people in the function's logs with the training data."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import rich.progress
import typer
from rich.console import Console
from rich.table import Table

from model.bundle import SHIPPED, load_bundle
from model.errors import DataError, name_failure
from segment_scorer.monitoring.drift import Comparison, compare_logs


def command(
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOGFILE",
            help="Logs of the function, or OUT/batches.jsonl of a run; gzip or not.",
        ),
    ],
    *,
    bundle: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            show_default="the shipped bundle",
            help="The model's bundle, for logs without the line that a starting function writes.",
        ),
    ] = SHIPPED,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare the people in the logs with the people the model was trained on.

    Prints the population stability index (PSI) of each feature and of the score. Below 0.1 a
    column is stable, from 0.25 it is different. The column "by chance" is the index up to which a
    difference means nothing; "visible" is the smallest one that would be found 4 times in 5. The
    logs hold counts only, nothing about a person.

    Exit status: 0 a comparison; 1 an error; 2 wrong usage.

    Example: segment-scorer drift out/demo/batches.jsonl
    """
    loaded = load_bundle(bundle)
    described = loaded.manifest.get("drift")
    comparisons = compare_logs(
        read_lines(logs), {loaded.label: described} if isinstance(described, dict) else {}
    )
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(comparisons)).decode() + "\n")
        return
    for comparison in comparisons:
        print_comparison(comparison)


def read_lines(paths: Sequence[Path]) -> Iterator[str]:
    """The lines of all files, with a progress bar on stderr. Raises DataError."""
    for path in paths:
        try:
            bar = Console(stderr=True)
            with rich.progress.open(
                path,
                "rb",
                console=bar,
                transient=True,
                description=path.name,
                disable=not bar.is_terminal,
            ) as raw:
                unpacked = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
                yield from io.TextIOWrapper(unpacked, "utf-8", errors="replace")
        except FileNotFoundError as error:
            raise DataError(f"{path}: expected a log file, found no file") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: expected a log file, found damaged gzip") from error
        except OSError as error:
            raise DataError(
                f"{path}: expected a readable log file, found: {name_failure(error)}"
            ) from error


def print_comparison(comparison: Comparison) -> None:
    """Print one model's table and its verdict."""
    table = Table(box=None, pad_edge=False)
    for heading in ("column", "PSI", "by chance", "visible", "missing", "in training", "verdict"):
        table.add_column(
            heading,
            justify="left" if heading in {"column", "verdict"} else "right",
            no_wrap=heading != "column",
        )
    for column in comparison.columns:
        indices = (f"{index:.4f}" for index in (column.index, column.noise, column.visible))
        shares = (f"{column.missing:.1%}", f"{column.missing_then:.1%}")
        table.add_row(column.name, *indices, *shares, column.verdict)
    console = Console()
    console.print(
        f"{comparison.model}: {comparison.people:,} people in {comparison.batches:,} batches",
        soft_wrap=True,
    )
    console.print(table)
    console.print(comparison.verdict, soft_wrap=True)
