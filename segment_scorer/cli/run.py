"""`segment-scorer run`: options in; outputs, a closing table on stderr and an exit status out.

`segment_scorer.runner.run` does the work, and `segment_scorer.cli.run_result` prints the result.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from segment_scorer.cli.run_result import run_and_print
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.summary import FAIL_UNREADABLE


def command(
    segment: Annotated[
        list[str],
        typer.Argument(
            metavar="SEGMENT",
            help="Files of people: paths, globs in quotes, s3:// addresses. Formats: JSON lines or "
            "CSV (gzip or not), Parquet or ORC, as exported from or imported into Pinpoint, or "
            "exported from Customer Profiles.",
        ),
    ],
    *,
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder for the outputs, created if missing; or s3://bucket/prefix.",
        ),
    ],
    hook: Annotated[
        str,
        typer.Option(
            metavar="HOOK",
            help="local: the function in this process. lambda:NAME: a deployed function, by name, "
            "name:alias or ARN. http://host:port: a runtime interface emulator, one call at once. "
            "https://host/path: a URL that speaks the host web.",
        ),
    ] = "local",
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Send the events, and apply the rules, of pinpoint, connect or web.",
        ),
    ] = "pinpoint",
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE", help="local: this machine. ray: a Ray cluster (needs the extra ray)."
        ),
    ] = "local",
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="With --hook local: number of processes. Default: one per core."
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            metavar="N", help="With --hook lambda or https: maximum number of parallel calls."
        ),
    ] = 10,
    score_kind: Annotated[
        str | None,
        typer.Option(
            metavar="response|uplift",
            help="What a deployed function's scores mean (default: response). With --hook local "
            "the bundle says it.",
        ),
    ] = None,
    scheduled_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The campaign's time (ISO 8601; UTC without a zone), which ages are measured "
            "against. Default: now.",
        ),
    ] = None,
    include_opted_out: Annotated[
        bool,
        typer.Option(
            "--include-opted-out",
            help="Also send endpoints with OptOut ALL or EndpointStatus INACTIVE to the hook.",
        ),
    ] = False,
    plain_columns: Annotated[
        bool,
        typer.Option(
            "--plain-columns",
            help="Read a plain table such as Id,Age,Plan: a column that is no field of an endpoint "
            "is an attribute (Attributes.Age).",
        ),
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Policy file. With --hook local: the policy to apply (default: SCORER_POLICY, "
            "else the shipped one). With other hooks: only says which attribute holds the score.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="With --hook local: directory of the model (default: SCORER_BUNDLE, else the "
            "shipped one).",
        ),
    ] = None,
    application_id: Annotated[
        str,
        typer.Option(
            metavar="ID", help="ApplicationId of the events; the policy's overrides may match it."
        ),
    ] = "segment-scorer",
    campaign_id: Annotated[
        str,
        typer.Option(
            metavar="ID", help="CampaignId of the events; the policy's overrides may match it."
        ),
    ] = "segment-scorer",
    treatment_id: Annotated[
        str,
        typer.Option(
            metavar="ID", help="TreatmentId of the events; the policy's overrides may match it."
        ),
    ] = "0",
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N|S%",
            help="Of the users whom the rules select only the best N, or this share of them, "
            "exactly. The control group comes out of it.",
        ),
    ] = None,
    one_per: Annotated[
        str | None,
        typer.Option(metavar="user", help="Of each user only the endpoint with the best score."),
    ] = None,
    channel_order: Annotated[
        str,
        typer.Option(
            metavar="CHANNELS",
            help="With --one-per user: where a user's scores are equal, the first of these "
            "channels, such as PUSH,EMAIL,SMS.",
        ),
    ] = "",
    suppress: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="People who are not sent: a CSV file with a column Id or UserId.",
        ),
    ] = None,
    treatments: Annotated[
        str | None,
        typer.Option(
            metavar="ID:PERCENT,...",
            help="Split the users by lot, such as 0:50,1:50. The policy's overrides of each "
            "treatment_id apply to its users.",
        ),
    ] = None,
    treatment_salt: Annotated[
        str,
        typer.Option(metavar="TEXT", help="With --treatments: another text splits the users anew."),
    ] = "",
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT",
            help="Write the kept people in a further format: csv (Pinpoint's imports), parquet, "
            "profiles, connect-csv (Amazon Connect's imports). May be repeated.",
        ),
    ] = None,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Write only report.html: what this policy would do."),
    ] = False,
    value: Annotated[
        float | None,
        typer.Option(metavar="MONEY", min=0.0, help="For the report: what a response is worth."),
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(metavar="MONEY", min=0.0, help="For the report: what a message costs."),
    ] = None,
    effect: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="For the report: by how much a message raises responses, such as 0.2 or 20%. With "
            "--value and --cost the report then marks the best profit.",
        ),
    ] = None,
    lift: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="In place of --effect: the lift.json of an earlier campaign.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Continue a stopped run in the folder; start one if there is none."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace an earlier run in the folder. Without it, that is an error."
        ),
    ] = False,
    fail_unreadable: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            max=1.0,
            help="Exit status 4 from this share of unreadable people on. 0: from the first one on.",
        ),
    ] = FAIL_UNREADABLE,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Give the outputs the permissions that the umask allows. Without it, only you can "
            "read them, because they hold ids.",
        ),
    ] = False,
) -> None:
    """Send a segment to the hook as a campaign's host does, and write the people that it keeps.

    Events hold up to 50 people. The host's rules apply: 15 seconds per call (Connect, web: 30)
    and 3 attempts. A batch without a valid reply fails as a whole.

    \b
    Writes these files into the folder when the run is complete, and not before:
      segment.jsonl.gz  the kept endpoints as the hook returned them
      scores.csv        scores, ready to import as a metric
      decisions.csv     all people: selected, holdout, sent, reason, score, band, treatment
      rejected.jsonl    rejected lines, with their numbers
      batches.jsonl     the function's own log (local hook only)
      report.html       what the policy did, with a threshold to move
      summary.json      counts: received = kept + filtered + failed

    With --hook http: and lambda: on host pinpoint, only the reply is known: the kept people and
    their scores. Unknown counts are null in summary.json, and unknown cells of decisions.csv are
    empty. A stopped run continues with --resume.

    Exit status: 0 clean; 4 complete, but endpoints failed, lines were rejected, or too many people
    are unreadable (--fail-unreadable); 1 error, nothing written; 2 wrong usage.

    The report shows what a threshold is worth (--value, --cost), and what a Connect journey reads.

    Example: segment-scorer run examples/cdnow/endpoints.jsonl.gz --out out/run
    """
    options = RunOptions(
        segment=segment,
        out=out,
        hook=hook,
        host=host,
        engine=engine,
        processes=processes,
        concurrency=concurrency,
        score_kind=score_kind,
        scheduled_time=scheduled_time,
        application_id=application_id,
        campaign_id=campaign_id,
        treatment_id=treatment_id,
        include_opted_out=include_opted_out,
        plain_columns=plain_columns,
        policy=policy,
        bundle=bundle,
        budget=budget,
        one_per=one_per,
        channel_order=channel_order,
        suppress=suppress,
        treatments=treatments,
        treatment_salt=treatment_salt,
        also=tuple(dict.fromkeys(also or ())),
        rehearse=rehearse,
        resume=resume,
        force=force,
        shared=shared,
        value=value,
        cost=cost,
        effect=effect,
        lift=lift,
        environ=os.environ,
    )
    raise SystemExit(run_and_print(options, fail_unreadable))
