"""`segment-scorer outcomes`: event records in, an outcomes file out. No logic of its own."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from model.values import parse_time
from segment_scorer.cli.progress import show_progress
from segment_scorer.lift.outcomes import EventQuery, OutcomeCounts, write_outcomes


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Event records: JSON lines as Firehose writes them."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The outcomes file to write.")],
    event: Annotated[
        list[str],
        typer.Option(
            metavar="TYPE",
            help="Event type that is a response: _email.click, _SMS.SUCCESS, purchase, Click. "
            "May be repeated: any of them counts.",
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the campaign was sent (ISO 8601, UTC without a zone). Earlier events do "
            "not count. Default: the earliest record.",
        ),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.0, help="Count events of the first N days after --since."),
    ] = None,
    campaign: Annotated[
        str, typer.Option(metavar="ID", help="Only events that carry this campaign's id.")
    ] = "",
    run: Annotated[
        str,
        typer.Option(metavar="ID", help="Only events of this run (Pinpoint: activity id)."),
    ] = "",
    people: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV with a column Id, such as decisions.csv: all who were in the campaign, "
            "the control group too. Those without an event get 0.",
        ),
    ] = None,
    id_column: Annotated[
        str, typer.Option(metavar="NAME", help="Column of ids in --people. Default: Id.")
    ] = "",
    only_sent: Annotated[
        bool,
        typer.Option(
            "--only-sent",
            help="Of --people, only rows whose column sent is true. For training, not for lift.",
        ),
    ] = False,
) -> None:
    """Make an outcomes file (Id,outcome,date) of Pinpoint's or Amazon Connect's event records.

    A person with one of the named events gets 1. The date is --since, for everybody: the moment
    that the outcome counts from. Opens and clicks exist only for people who were messaged, so
    `lift` needs an event that the control group can have too, such as a purchase.

    Exit status: 0 written; 1 an error, in one sentence; 2 wrong usage.

    Example: segment-scorer outcomes events/*.gz --event purchase --since 2026-03-01
    --people out/run/decisions.csv --out outcomes.csv
    """
    moment = None if since is None else parse_time(since)
    if moment is not None and math.isnan(moment):
        raise typer.BadParameter("expected --since to be a time in ISO 8601")
    if days is not None and moment is None:
        raise typer.BadParameter("expected --since beside --days")
    if only_sent and people is None:
        raise typer.BadParameter("expected --people beside --only-sent")
    if id_column and people is None:
        raise typer.BadParameter("expected --people beside --id-column")
    query = EventQuery(
        files=tuple(files),
        types=frozenset(event),
        since=moment,
        days=days,
        campaign=campaign,
        run=run,
        people=people,
        id_column=id_column,
        only_sent=only_sent,
    )
    with show_progress() as progress:
        counts = write_outcomes(query, out, progress)
    print("\n".join(describe_counts(counts, out, listed=people is not None)))


def describe_counts(counts: OutcomeCounts, out: Path, *, listed: bool) -> list[str]:
    """What was done, line by line."""
    date = datetime.fromtimestamp(counts.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        f"{counts.events:,} events read; {counts.counted:,} count, of {counts.responders:,} people",
        f"{counts.written:,} people written to {out}, with date {date}",
    ]
    if not listed:
        lines.append("only people who responded are in it; lift counts everybody else as 0")
    if counts.outside:
        lines.append(f"{counts.outside:,} people responded but are not in --people: left out")
    if counts.untimed:
        lines.append(f"{counts.untimed:,} events have no time and count all the same")
    if counts.damaged:
        lines.append(f"{counts.damaged:,} records could not be read or are no events: left out")
    return lines
