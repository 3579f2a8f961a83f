"""The service's command line: options in, a running server. Needs no package beyond the service's own set.

Used by `python -m segment_scorer.service` (the image) and by `segment-scorer serve`.
Exit status: 0 stopped by a signal; 1 an error, in one sentence; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from model.bundle import SHIPPED
from model.errors import SegmentScorerError

DEFAULT_LISTEN = "127.0.0.1:8081"
EXAMPLE = "example: %(prog)s --listen 0.0.0.0:8081 --tls-cert server.pem --tls-key server.key"


class UsageFormatter(argparse.HelpFormatter):
    """Starts the usage line as the other verbs do."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Add the usage line, beginning "Usage: "."""
        super().add_usage(usage, actions, groups, prefix or "Usage: ")


def make_parser(program: str) -> argparse.ArgumentParser:
    """Build the parser of the service's options. `program` is the name shown in usage and errors."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=(
            "Serve a bundle over gRPC (Open Inference Protocol), with health checks. SIGTERM drains "
            "it; a new model is a new process. The log is JSON lines on stderr; the line that says "
            '"listening" names the addresses.'
        ),
        epilog=EXAMPLE,
        allow_abbrev=False,
        formatter_class=UsageFormatter,
    )
    add = parser.add_argument
    add(
        "--bundle",
        type=Path,
        default=SHIPPED,
        metavar="DIR",
        help="directory with model.onnx and manifest.json (default: the shipped one)",
    )
    add(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help=(
            f"host:port, [host]:port or unix:/path; can be repeated (default: $SERVE_LISTEN, else {DEFAULT_LISTEN})"
        ),
    )
    add(
        "--probe",
        default=os.environ.get("SERVE_PROBE") or None,
        metavar="ADDRESS",
        help=(
            "unix:/path to listen on as well, for python -m segment_scorer.service.probe (default: $SERVE_PROBE)"
        ),
    )
    add(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="certificate chain (PEM): TLS on every TCP address",
    )
    add("--tls-key", type=Path, metavar="FILE", help="the certificate's key (PEM)")
    add(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="mutual TLS: callers must show a certificate signed by this authority (PEM)",
    )
    add(
        "--max-rows",
        type=number_in(1, 1_000_000),
        default=5_000,
        metavar="N",
        help="most rows in one request; larger requests are refused (default: 5000)",
    )
    add(
        "--max-calls",
        type=number_in(1, 1_000),
        default=16,
        metavar="N",
        help="most inferences at once; further calls are refused (default: 16)",
    )
    add(
        "--grace",
        type=seconds_in(0, 3_600),
        default=10.0,
        metavar="SECONDS",
        help="time that calls in progress get after SIGTERM (default: 10)",
    )
    add(
        "--reflection",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let grpcurl and similar tools ask what is served (default: yes)",
    )
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="debug writes a line for each call (default: info)",
    )
    return parser


def number_in(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}")
        return number

    return read


def seconds_in(low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a number of seconds from `low` to `high`."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"expected seconds from {low:g} to {high:g}")
        return number

    return read


def main(
    arguments: Sequence[str] | None = None, program: str = "python -m segment_scorer.service"
) -> int:
    """Serve until told to stop; give the exit status. `arguments` default to the process's own."""
    try:
        options = make_parser(program).parse_args(arguments)
    except SystemExit as stop:  # argparse's own: 0 after --help, 2 for wrong usage
        return stop.code if isinstance(stop.code, int) else 2
    try:
        run(options)
    except SegmentScorerError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 0


def run(options: argparse.Namespace) -> None:
    """Serve with parsed options. Raises SegmentScorerError when the service cannot start."""
    from segment_scorer.service.log import start_log  # noqa: PLC0415  # --help needs no gRPC
    from segment_scorer.service.server import ServiceSettings, serve  # noqa: PLC0415
    from segment_scorer.service.tls import TlsFiles  # noqa: PLC0415

    certificate, key, client_ca = options.tls_cert, options.tls_key, options.tls_client_ca
    if (certificate is None) != (key is None) or (client_ca and not certificate):
        raise SegmentScorerError(
            "expected --tls-cert and --tls-key together, and --tls-client-ca only with them"
        )
    if options.probe and not options.probe.startswith("unix:/"):
        raise SegmentScorerError(
            "--probe: expected unix:/path, which needs no TLS whatever the other addresses need"
        )
    listen = tuple(options.listen or os.environ.get("SERVE_LISTEN", "").split() or [DEFAULT_LISTEN])
    tls = TlsFiles(certificate=certificate, key=key, client_ca=client_ca) if certificate else None
    start_log(options.log_level)
    serve(
        ServiceSettings(
            bundle=options.bundle,
            listen=(*listen, *([options.probe] if options.probe else [])),
            tls=tls,
            most_rows=options.max_rows,
            most_calls=options.max_calls,
            grace=options.grace,
            reflection=options.reflection,
        )
    )
