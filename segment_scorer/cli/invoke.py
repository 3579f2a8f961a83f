"""`segment-scorer invoke`: sends one event through the hook; prints the reply and each decision."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from function.hosts import find_host
from function.hosts.pinpoint import PINPOINT
from function.hosts.web import WEB
from function.records import Account
from model.errors import DataError, SegmentScorerError, name_failure

YES_NO = {True: "yes", False: "no"}


def command(
    event: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="One hook event (JSON); - reads standard input."),
    ],
    *,
    hook: Annotated[
        str,
        typer.Option(
            metavar="local|URL",
            help="local: the function in this process. http://host:port: a runtime interface "
            "emulator. https://host/path: a URL that speaks the host web.",
        ),
    ] = "local",
) -> None:
    """Send one event through the hook and print its reply as JSON.

    With --hook local, the function runs in this process under the settings of this shell
    (SCORER_*), and a table on standard error shows each decision and its reason. The function has
    as long as the event's host waits: 15 s for Pinpoint, 30 s for Amazon Connect and web.

    Exit status: 0 a reply; 1 an error; 2 wrong usage.

    Example: segment-scorer invoke examples/events/cdnow-five-customers.json
    """
    document = read_event(event)
    limit = find_limit(document)
    if hook == "local":
        reply = ask_locally(document, limit)
    else:
        reply = ask_over_http(document, hook, limit)
    json.dump(reply, sys.stdout, indent=2, ensure_ascii=False)
    print()


def read_event(path: Path) -> Any:
    """Read the event from a file or from standard input. Raises DataError."""
    try:
        return json.loads(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable file, found: {name_failure(error)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected one event, JSON in UTF-8; found other text") from error


def find_limit(event: object) -> float:
    """Seconds that the event's host waits; Pinpoint's for an event of no host."""
    host = find_host(event) if isinstance(event, Mapping) else None
    return (host or PINPOINT).limit_seconds


def ask_locally(event: Any, limit: float) -> Any:
    """The reply of the function in this process. Prints its decisions."""
    # Each hook loads its own packages.
    from function.bootstrap import build_handler  # noqa: PLC0415
    from function.concerns import find_concerns  # noqa: PLC0415
    from segment_scorer.monitoring.overrides import find_unmatched  # noqa: PLC0415
    from segment_scorer.runner.asking.local_hook import LocalContext  # noqa: PLC0415

    accounts: list[Account] = []
    handler = build_handler(os.environ, observer=accounts.append, stream=io.StringIO())
    reply = handler(event, LocalContext(time.monotonic() + limit))
    for account in accounts:
        unmatched = find_unmatched(handler.policy, account.batch.context)
        print_decisions(account, [*unmatched, *find_concerns(account)])
    return reply


def ask_over_http(event: Any, address: str, limit: float) -> Any:
    """The reply of the function behind an emulator or a URL. Raises SegmentScorerError."""
    from segment_scorer.runner.asking.hooks import HTTPS, open_hook  # noqa: PLC0415
    from segment_scorer.runner.asking.host_rules import find_error  # noqa: PLC0415

    if address.startswith(HTTPS) and find_host(event) is not WEB:
        raise DataError("--hook https://...: expected an event of the host web, found another one")
    attempt = open_hook(address, os.environ, limit).call(event)
    problem = attempt.problem or find_error(attempt.reply)
    if problem:
        raise SegmentScorerError(f"--hook: expected a reply; the function {problem}")
    return attempt.reply


def print_decisions(account: Account, warnings: Sequence[str]) -> None:
    """Print one line per endpoint: its id, the decision, the reason, score and band.

    `warnings` come first.
    """
    table = Table(box=None, pad_edge=False)
    columns = ("endpoint", "selected", "holdout", "sent", "reason", "score", "band")
    for column in columns:
        table.add_column(column, justify="right" if column == "score" else "left", overflow="fold")
    for endpoint, decision in zip(account.batch.endpoints, account.decisions, strict=True):
        answers = (decision.selected, decision.holdout, decision.sent)
        problem = endpoint.problem
        reason = f"{decision.reason}: {problem}" if problem else str(decision.reason)
        score = "" if decision.score is None else f"{decision.score:zg}"
        band = decision.band.name if decision.band else ""
        table.add_row(endpoint.id, *(YES_NO[bool(it)] for it in answers), reason, score, band)
    console = Console(stderr=True, markup=False, highlight=False)
    for sentence in warnings:
        console.print(f"warning: {sentence}", soft_wrap=True)
    console.print(table)
