"""`segment-scorer invoke`: one event through the hook; the reply on stdout and, in process, each decision with its reason on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from function.records import Account
from model.errors import DataError, SegmentScorerError


def command(
    event: Annotated[
        Path, typer.Argument(help="A file with one hook event (JSON); - for standard input.")
    ],
    *,
    hook: Annotated[
        str,
        typer.Option(
            help="local: the function in this process. http://host:port: a runtime interface emulator."
        ),
    ] = "local",
) -> None:
    """Send one event to the hook and print its reply.

    In this process (--hook local) each decision and its reason follow on standard error, under the settings of this shell (SCORER_*).

    Exit status: 0 a reply; 1 an error; 2 wrong usage.

    Example: segment-scorer invoke examples/events/cdnow-five-customers.json
    """
    document = read_event(event)
    reply = ask_locally(document) if hook == "local" else ask_over_http(document, hook)
    json.dump(reply, sys.stdout, indent=2, ensure_ascii=False)
    print()


def read_event(path: Path) -> Any:
    """The event in a file, or on standard input. Raises DataError."""
    try:
        return json.loads(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: expected a readable file") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected one event, JSON in UTF-8") from error


def ask_locally(event: Any) -> Any:
    """The reply of the function in this process; its decisions are printed on the way."""
    from function.bootstrap import build_handler  # noqa: PLC0415
    from segment_scorer.runner.asking.hooks import LocalContext  # noqa: PLC0415  # here and below: only the chosen hook is loaded
    from segment_scorer.runner.asking.host_rules import LIMIT_SECONDS  # noqa: PLC0415

    handle = build_handler(os.environ, observer=print_decisions, stream=io.StringIO())
    return handle(event, LocalContext(time.monotonic() + LIMIT_SECONDS))


def ask_over_http(event: Any, address: str) -> Any:
    """The reply of the function behind an emulator. Raises SegmentScorerError for whatever a host would not take as a reply."""
    from segment_scorer.runner.asking.hooks import HttpHook  # noqa: PLC0415
    from segment_scorer.runner.asking.host_rules import find_error  # noqa: PLC0415

    attempt = HttpHook(address).call(event)
    problem = attempt.problem or find_error(attempt.reply)
    if problem:
        raise SegmentScorerError(f"--hook: expected a reply; the function {problem}")
    return attempt.reply


def print_decisions(account: Account) -> None:
    """One line an endpoint: its id, what becomes of it, why, its score and band."""
    table = Table(box=None, pad_edge=False)
    for column in ("endpoint", "decision", "reason", "score", "band"):
        table.add_column(column, justify="right" if column == "score" else "left", overflow="fold")
    for endpoint, decision in zip(account.batch.endpoints, account.decisions, strict=True):
        score = "" if decision.score is None else f"{decision.score:g}"
        verdict = ("keep" if decision.keep else "drop") + (
            "" if decision.keep == decision.stays else " (stays)"
        )
        why = (
            decision.reason
            if endpoint.problem is None
            else f"{decision.reason}: {endpoint.problem}"
        )
        table.add_row(endpoint.id, verdict, why, score, decision.band.name if decision.band else "")
    Console(stderr=True, markup=False, highlight=False).print(table)
