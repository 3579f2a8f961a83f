"""`segment-scorer run`: options in, one run by `campaign.run`, a progress bar and a closing table on stderr, an exit status out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from campaign.errors import OptionError
from campaign.run import Report, Request, run_segment

HOSTS = ("pinpoint",)
# count in the summary -> what it says to a reader; indented ones are part of, or a note on, those above
LINES = {
    "received": "people in the segment",
    "kept": "kept: will be messaged",
    "filtered": "filtered: left out",
    "failed": "failed: no valid answer in 3 attempts, not messaged",
    "opted_out": "  opted out or inactive, not sent to the hook",
    "held_out": "  in the control group (holdout)",
    "unreadable": "  with unusable content",
    "unscored": "  without a score",
    "sparse": "  with too little data to score",
    "would_filter": "  would be left out, but the policy only annotates or watches",
    "rejected": "lines that are no endpoint, never sent",
    "batches": "batches",
    "attempts": "calls of the hook",
}


def command(
    segment: Annotated[
        list[Path], typer.Argument(help="Segment files as Pinpoint exported them: one endpoint a line (JSON), gzip or not.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the outputs; made if absent.")],
    hook: Annotated[
        str, typer.Option(help="local: the function in this process. http://host:port: a runtime interface emulator, one call at a time.")
    ] = "local",
    host: Annotated[str, typer.Option(help="Whose events and rules to use: pinpoint.")] = "pinpoint",
    scheduled_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="The campaign's time (ISO 8601; UTC without a zone). Ages are measured against it. Default: now."
        ),
    ] = None,
    include_opted_out: Annotated[
        bool, typer.Option("--include-opted-out", help="Send endpoints with OptOut ALL or EndpointStatus INACTIVE to the hook as well.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Policy file. local: what decides (default: SCORER_POLICY, else the shipped one). http: which attribute holds scores."
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Directory of the model, with --hook local (default: SCORER_BUNDLE, else the shipped one).")
    ] = None,
    application_id: Annotated[
        str, typer.Option(help="ApplicationId of the events, which the policy's overrides may match.")
    ] = "segment-scorer",
    campaign_id: Annotated[str, typer.Option(help="CampaignId of the events, likewise.")] = "segment-scorer",
    treatment_id: Annotated[str, typer.Option(help="TreatmentId of the events, likewise.")] = "0",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the outputs of an earlier run in the folder; without it they stop this one.")
    ] = False,
) -> None:
    """Walk a segment through the hook as Pinpoint's campaigns did, and write who is kept.

    Sends events of up to 50 endpoints. The host's rules hold: 15 seconds a call, 3 attempts, then the whole batch gets nothing.

    \b
    Writes into the folder, when the run is complete and not before:
      segment.jsonl.gz  the kept endpoints as the hook returned them
      scores.csv        scores, ready to import as a metric
      decisions.csv     everybody: decision, reason, score, band (local only)
      rejected.jsonl    lines that are no endpoint, with their numbers
      batches.jsonl     the function's own log (local only)
      summary.json      the books: received = kept + filtered + failed

    Over http only the hook's answer is known: who was kept, and their scores. What cannot be known is null in summary.json.

    Exit status: 0 clean; 4 complete, but with failed endpoints or rejected lines; 1 an error, nothing written; 2 wrong usage.

    Example: segment-scorer run examples/cdnow/endpoints.jsonl.gz --out out/run
    """
    if host not in HOSTS:
        raise OptionError(f"--host: expected one of {', '.join(HOSTS)}")
    request = Request(
        segment=segment,
        out=out,
        hook=hook,
        scheduled_time=scheduled_time,
        application_id=application_id,
        campaign_id=campaign_id,
        treatment_id=treatment_id,
        include_opted_out=include_opted_out,
        policy=policy,
        bundle=bundle,
        force=force,
        environ=os.environ,
    )
    console = Console(stderr=True)
    report = run_with_bar(request, console)
    print_report(report, out, console)
    raise typer.Exit(report.summary.status)


def run_with_bar(request: Request, console: Console) -> Report:
    """Run with a bar that follows the bytes read and vanishes at the end; where stderr is no terminal there is none."""
    columns = (TextColumn("scoring"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        return run_segment(request, lambda done, total: bar.update(task, completed=done, total=total))


def print_report(report: Report, out: Path, console: Console) -> None:
    """The closing table: every outcome, then what went wrong, then where the outputs are."""
    summary = report.summary
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, line in LINES.items():
        count: int | None = getattr(summary, name)
        if count or name in {"received", "kept", "filtered", "batches"}:
            table.add_row(f"{count:,}", line)
    console.print(table)
    known = f"model {summary.model}, mode {summary.mode}" if summary.model else "model and reasons unknown, as they are to a host"
    console.print(
        f"{summary.seconds:,.1f} s; {known}; campaign time {summary.scheduled_time}", highlight=False, soft_wrap=True, markup=False
    )
    for problem, times in sorted(report.problems.items(), key=lambda pair: -pair[1])[:5]:
        console.print(f"{times:,} x the hook {problem}", highlight=False, soft_wrap=True, markup=False)
    for complaint in report.complaints:
        console.print(complaint, highlight=False, soft_wrap=True, markup=False)
    if summary.rejected > len(report.complaints):
        console.print("... and more of these in rejected.jsonl", highlight=False)
    console.print(f"written to {out}", highlight=False, soft_wrap=True, markup=False)
