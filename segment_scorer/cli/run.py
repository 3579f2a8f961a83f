"""`segment-scorer run`: options in, one run by `segment_scorer.runner.run`, a progress bar and a closing table on stderr, an exit status out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import EngineError, HookUnreachable, OutputError, OutputTaken
from segment_scorer.runner.run import RunResult, run_segment
from segment_scorer.runner.writing.checkpoint import FILE as CHECKPOINT
from segment_scorer.runner.writing.outputs import UNFINISHED
from segment_scorer.runner.writing.remote_folder import find_folder

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
        list[str],
        typer.Argument(
            help="Files of people: paths, globs in quotes, s3:// addresses. JSON lines or CSV (gzip or not) or Parquet, as Pinpoint "
            "exported or imported them, or as Customer Profiles exports them."
        ),
    ],
    *,
    out: Annotated[
        str, typer.Option(help="Folder for the outputs, made if absent; or s3://bucket/prefix.")
    ],
    hook: Annotated[
        str,
        typer.Option(
            help="local: the function in this process. lambda:NAME: deployed, by name, name:alias or ARN. "
            "http://host:port: a runtime interface emulator, one call at a time."
        ),
    ] = "local",
    host: Annotated[
        str, typer.Option(help="Whose events and rules to use: pinpoint or connect.")
    ] = "pinpoint",
    engine: Annotated[
        str,
        typer.Option(
            help="What walks the segment: local, or ray (a Ray cluster; needs the extra ray)."
        ),
    ] = "local",
    processes: Annotated[
        int | None, typer.Option(help="With --hook local: how many processes. Default: one a core.")
    ] = None,
    concurrency: Annotated[int, typer.Option(help="With --hook lambda: most calls at once.")] = 10,
    scheduled_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The campaign's time (ISO 8601; UTC without a zone). Ages are measured against it. Default: now.",
        ),
    ] = None,
    include_opted_out: Annotated[
        bool,
        typer.Option(
            "--include-opted-out",
            help="Send endpoints with OptOut ALL or EndpointStatus INACTIVE to the hook as well.",
        ),
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Policy file. local: what decides (default: SCORER_POLICY, else the shipped one). Else: which attribute holds scores."
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the model, with --hook local (default: SCORER_BUNDLE, else the shipped one)."
        ),
    ] = None,
    application_id: Annotated[
        str,
        typer.Option(help="ApplicationId of the events, which the policy's overrides may match."),
    ] = "segment-scorer",
    campaign_id: Annotated[
        str, typer.Option(help="CampaignId of the events, likewise.")
    ] = "segment-scorer",
    treatment_id: Annotated[str, typer.Option(help="TreatmentId of the events, likewise.")] = "0",
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Write the kept in a further form: csv (import-ready), parquet, profiles. May be repeated."
        ),
    ] = None,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Write nothing but report.html: what this policy would do."
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run in the folder that was stopped; begin one where there is none.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace the outputs of an earlier run in the folder; without it they stop this one.",
        ),
    ] = False,
) -> None:
    """Walk a segment through the hook as a campaign's host does, and write who is kept.

    Sends events of up to 50 people. The host's rules hold: 15 seconds a call (Connect: 30), 3 attempts, then the whole batch gets
    nothing.

    \b
    Writes into the folder, when the run is complete and not before:
      segment.jsonl.gz  the kept endpoints as the hook returned them
      scores.csv        scores, ready to import as a metric
      decisions.csv     everybody: decision, reason, score, band (local, or Connect)
      rejected.jsonl    lines that are no endpoint, with their numbers
      batches.jsonl     the function's own log (local only)
      report.html       what the policy did, to look at and to try other thresholds in
      summary.json      the books: received = kept + filtered + failed

    Over http and lambda only the hook's answer is known: who was kept, and their scores. What cannot be known is null in summary.json.
    A run that was stopped, however, goes on with --resume: nobody is lost, nobody twice.

    Exit status: 0 clean; 4 complete, but with failed endpoints or rejected lines; 1 an error, nothing written; 2 wrong usage.

    Example: segment-scorer run examples/cdnow/endpoints.jsonl.gz --out out/run
    """
    request = RunOptions(
        segment=segment,
        out=out,
        hook=hook,
        host=host,
        engine=engine,
        processes=processes,
        concurrency=concurrency,
        scheduled_time=scheduled_time,
        application_id=application_id,
        campaign_id=campaign_id,
        treatment_id=treatment_id,
        include_opted_out=include_opted_out,
        policy=policy,
        bundle=bundle,
        also=tuple(dict.fromkeys(also or ())),
        rehearse=rehearse,
        resume=resume,
        force=force,
        environ=os.environ,
    )
    console = Console(stderr=True)
    try:
        report = run_with_bar(request, console)
    except OutputTaken:
        raise
    except (KeyboardInterrupt, HookUnreachable, EngineError, OutputError):
        if (find_folder(out) / UNFINISHED / CHECKPOINT).exists():
            console.print(
                "what is done so far is kept: the same command with --resume goes on",
                highlight=False,
                soft_wrap=True,
            )
        raise
    print_report(report, out, console)
    raise typer.Exit(report.summary.status)


def run_with_bar(request: RunOptions, console: Console) -> RunResult:
    """Run with a bar that follows the bytes read and vanishes at the end; where stderr is no terminal there is none."""
    columns = (TextColumn("scoring"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("scoring", total=None)
        return run_segment(
            request,
            lambda done, total: bar.update(task, completed=done, total=total),
            lambda sentence: console.print(sentence, highlight=False, soft_wrap=True, markup=False),
        )


def print_report(report: RunResult, out: str, console: Console) -> None:
    """What spoils the figures, then the closing table with every outcome, then what went wrong, then where the outputs are."""
    summary = report.summary
    for warning in report.warnings:
        console.print(warning, highlight=False, soft_wrap=True, markup=False, style="yellow")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, line in LINES.items():
        count: int | None = getattr(summary, name)
        if count or name in {"received", "kept", "filtered", "batches"}:
            table.add_row(f"{count:,}", line)
    console.print(table)
    if report.expected:
        console.print(report.expected, highlight=False, soft_wrap=True, markup=False)
    known = (
        f"model {summary.model}, mode {summary.mode}"
        if summary.model
        else "model and reasons unknown, as they are to a host"
    )
    console.print(
        f"{summary.seconds:,.1f} s; {known}; campaign time {summary.scheduled_time}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    for problem, times in sorted(report.problems.items(), key=lambda pair: -pair[1])[:5]:
        console.print(
            f"{times:,} x the hook {problem}", highlight=False, soft_wrap=True, markup=False
        )
    for complaint in report.complaints:
        console.print(complaint, highlight=False, soft_wrap=True, markup=False)
    if summary.rejected > len(report.complaints):
        console.print("... and more of these in rejected.jsonl", highlight=False)
    console.print(f"written to {out}", highlight=False, soft_wrap=True, markup=False)
