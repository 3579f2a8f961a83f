"""The service's command line: options in, a running server. Needs only the service's own packages.

Used by `python -m segment_scorer.service` (the image) and by `segment-scorer serve`. Exit status:
0 stopped by a signal; 1 an error, in one sentence; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.bundle import SHIPPED
from model.errors import SegmentScorerError

if TYPE_CHECKING:
    from segment_scorer.service.server import ServiceSettings

DEFAULT_LISTEN = "127.0.0.1:8081"
EXAMPLE = "Example: %(prog)s --listen 0.0.0.0:8081 --tls-cert server.pem --tls-key server.key"


class UsageFormatter(argparse.HelpFormatter):
    """Begins the usage line with "Usage: ", as the other verbs do."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Add the usage line."""
        super().add_usage(usage, actions, groups, prefix or "Usage: ")


def make_parser(program: str) -> argparse.ArgumentParser:
    """The parser of the service's options. `program` is the name in usage and errors."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=(
            "Serve a bundle over gRPC (Open Inference Protocol), with health checks. SIGTERM "
            "drains the service; a new model needs a new process. The log is JSON lines on "
            'stderr; the line with the message "listening" has the addresses.'
        ),
        epilog=EXAMPLE,
        allow_abbrev=False,
        formatter_class=UsageFormatter,
    )
    add = parser.add_argument
    add(
        "--bundle",
        type=read_path,
        default=SHIPPED,
        metavar="DIR",
        help="directory with model.onnx and manifest.json (default: the shipped bundle)",
    )
    add(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help=(
            "host:port, [host]:port or unix:/path; can be repeated "
            f"(default: $SERVE_LISTEN, else {DEFAULT_LISTEN})"
        ),
    )
    add(
        "--probe",
        metavar="ADDRESS",
        help=(
            "further address, unix:/path, for python -m segment_scorer.service.probe "
            "(default: $SERVE_PROBE)"
        ),
    )
    add(
        "--tls-cert",
        type=read_path,
        metavar="FILE",
        help="certificate chain (PEM): turns TLS on for every TCP address",
    )
    add("--tls-key", type=read_path, metavar="FILE", help="the certificate's key (PEM)")
    add(
        "--tls-client-ca",
        type=read_path,
        metavar="FILE",
        help="mutual TLS: clients must show a certificate signed by this authority (PEM)",
    )
    add(
        "--max-rows",
        type=number_in(int, 1, 1_000_000, "a whole number"),
        default=5_000,
        metavar="N",
        help="rows in one request; larger requests are refused (default: 5000)",
    )
    add(
        "--max-calls",
        type=number_in(int, 1, 1_000, "a whole number"),
        default=16,
        metavar="N",
        help="inferences at once; further calls are refused (default: 16)",
    )
    add(
        "--max-connections",
        type=number_in(int, 1, 60_000, "a whole number"),
        default=2_000,
        metavar="N",
        help=(
            "connections at each address, or as many as the process may open files; further ones "
            "are closed (default: 2000)"
        ),
    )
    add(
        "--call-timeout",
        type=number_in(float, 0.1, 3_600, "seconds"),
        default=10.0,
        metavar="SECONDS",
        help="time for a request to arrive whole, and for a connection's handshake (default: 10)",
    )
    add(
        "--idle-timeout",
        type=number_in(float, 0, 86_400, "seconds"),
        default=120.0,
        metavar="SECONDS",
        help="a connection without a call is closed after this time; 0: never (default: 120)",
    )
    add(
        "--grace",
        type=number_in(float, 0, 3_600, "seconds"),
        default=10.0,
        metavar="SECONDS",
        help="time that calls in progress get after SIGTERM (default: 10)",
    )
    add(
        "--reflection",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let grpcurl and similar tools read the service's description (default: yes)",
    )
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="debug writes a line for each call (default: info)",
    )
    return parser


def read_path(text: str) -> Path:
    """An argparse type: a path. Empty text, such as an unset variable's, would be the folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found nothing")
    return Path(text)


def number_in(
    kind: Callable[[str], float], low: float, high: float, noun: str
) -> Callable[[str], float]:
    """An argparse type: a number of this kind (int or float) from `low` to `high`."""
    expected = f"expected {noun} from {low:,} to {high:,}"

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError as error:
            found = "nothing" if not text else "something else"
            raise argparse.ArgumentTypeError(f"{expected}, found {found}") from error
        if not low <= number <= high:  # NaN is not in the range either
            raise argparse.ArgumentTypeError(f"{expected}, found a number outside it")
        return number

    return read


def main(
    arguments: Sequence[str] | None = None,
    program: str = "python -m segment_scorer.service",
    *,
    serve: Callable[[ServiceSettings], None] | None = None,
) -> int:
    """Serve until a signal stops it; give the exit status.

    arguments  default: the process's
    serve      default: `segment_scorer.service.server.serve`
    """
    try:
        options = make_parser(program).parse_args(arguments)
    except SystemExit as stop:  # argparse: 0 after --help, 2 for wrong usage
        return stop.code if isinstance(stop.code, int) else 2
    try:
        run(options, os.environ, serve)
    except SegmentScorerError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
    return 0


def run(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    serve: Callable[[ServiceSettings], None] | None = None,
) -> None:
    """Serve with parsed options. Raises SegmentScorerError when the service cannot start."""
    # Imported here, so that --help and wrong usage do not load gRPC and ONNX Runtime.
    from protos.tls import TlsFiles  # noqa: PLC0415
    from segment_scorer.service import server  # noqa: PLC0415
    from segment_scorer.service.log import start_log  # noqa: PLC0415

    certificate, key, authority = options.tls_cert, options.tls_key, options.tls_client_ca
    if (certificate is None) != (key is None):
        raise SegmentScorerError("expected --tls-cert and --tls-key together, found one of them")
    if authority and not certificate:
        raise SegmentScorerError("--tls-client-ca: expected --tls-cert and --tls-key with it")
    tls = TlsFiles(authority=authority, certificate=certificate, key=key) if certificate else None
    addresses = choose_addresses(options, environ)
    start_log(options.log_level)
    (serve or server.serve)(
        server.ServiceSettings(
            bundle=options.bundle,
            listen=addresses,
            tls=tls,
            max_rows=options.max_rows,
            max_calls=options.max_calls,
            max_connections=options.max_connections,
            call_timeout=options.call_timeout,
            idle_timeout=options.idle_timeout,
            grace=options.grace,
            reflection=options.reflection,
        )
    )


def choose_addresses(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses to listen on; the probe's is last.

    Options win over the environment (SERVE_LISTEN, SERVE_PROBE). Empty means no probe.
    """
    listen = options.listen or environ.get("SERVE_LISTEN", "").split() or [DEFAULT_LISTEN]
    name, probe = "--probe", options.probe
    if probe is None:
        name, probe = "SERVE_PROBE", environ.get("SERVE_PROBE", "")
    if probe and not probe.startswith("unix:/"):
        raise SegmentScorerError(
            f"{name}: expected unix:/path; the probe speaks no TLS, which a TCP address may need"
        )
    return (*listen, *([probe] if probe else []))
