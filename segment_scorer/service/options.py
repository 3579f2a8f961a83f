"""The service's options: names, ranges and help. Loads neither gRPC nor the model's runtime."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from model.bundle import SHIPPED
from segment_scorer.service.log import start_log, write_log

DEFAULT_LISTEN = "127.0.0.1:8081"
EXAMPLE = "Example: %(prog)s --listen 0.0.0.0:8081 --tls-cert server.pem --tls-key server.key"


class Parser(argparse.ArgumentParser):
    """Reports wrong usage in the log, as one line of JSON; the exit status is 2."""

    def error(self, message: str) -> NoReturn:
        """Log the message and exit."""
        start_log("info")
        message = message.removeprefix("argument ")
        write_log(logging.ERROR, f"{message}. See {self.prog} --help")
        self.exit(2)


class UsageFormatter(argparse.HelpFormatter):
    """Begins the usage line with "Usage: ", as the other verbs do."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Add the usage line."""
        super().add_usage(usage, actions, groups, prefix or "Usage: ")


def make_parser(program: str) -> argparse.ArgumentParser:
    """The parser of the service's options. `program` is the name in usage and errors."""
    parser = Parser(
        prog=program,
        description=(
            "Serve a bundle over gRPC (Open Inference Protocol), with health checks. SIGTERM "
            "and SIGHUP drain the service; a new model needs a new process. The log is JSON lines "
            'on stderr; the line with the message "listening" has the addresses.'
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
        "--workers",
        type=number_in(int, 1, 256, "a whole number"),
        default=1,
        metavar="N",
        help=(
            "processes that share the TCP addresses; each has its own model and its own limits; a "
            "dead one is started again (default: 1)"
        ),
    )
    add(
        "--metrics",
        metavar="HOST:PORT",
        help="serve Prometheus metrics at http://HOST:PORT/metrics, without TLS (default: nowhere)",
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
        help="inferences at once in a worker; further calls are refused (default: 16)",
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
