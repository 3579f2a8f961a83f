"""The service's command line: options in, a running server. Needs only the service's own packages.

Used by `python -m segment_scorer.service` (the image) and by `segment-scorer serve`. Exit status:
0 stopped by a signal; 1 an error, in one line of the log; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import SegmentScorerError
from segment_scorer.service.log import start_log, write_log
from segment_scorer.service.options import DEFAULT_LISTEN, make_parser

if TYPE_CHECKING:
    from segment_scorer.service.settings import ServiceSettings


def main(
    arguments: Sequence[str] | None = None,
    program: str = "python -m segment_scorer.service",
    *,
    serve: Callable[[ServiceSettings], None] | None = None,
) -> int:
    """Serve until a signal stops it; give the exit status.

    arguments  default: the process's
    serve      default: as many processes as `--workers` says
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = make_parser(program).parse_args(arguments)
    except SystemExit as stop:  # argparse: 0 after --help, 2 for wrong usage
        return stop.code if isinstance(stop.code, int) else 2
    start_log(options.log_level)
    try:
        settings = read_options(options, os.environ)
        if serve is not None:
            serve(settings)
        else:
            run(settings, arguments, options.log_level, os.environ)
    except SegmentScorerError as error:
        write_log(logging.ERROR, str(error))
        return 1
    except KeyboardInterrupt:
        write_log(logging.ERROR, "interrupted")
        return 130
    except ImportError:
        raise  # of `segment-scorer serve`, which names the missing extra
    except Exception as error:  # noqa: BLE001  # a traceback would be no line of JSON
        write_log(logging.ERROR, "failed", error=error, where=find_place(error))
        return 1
    return 0


def run(
    settings: ServiceSettings,
    arguments: Sequence[str],
    log_level: str,
    environ: Mapping[str, str],
) -> None:
    """Serve in this process, as one of the workers, or with workers.

    Raises SegmentScorerError when the service cannot start.
    """
    # Imported here, so that --help and wrong usage do not load gRPC and ONNX Runtime, and so that
    # the process that only supervises loads no ONNX Runtime.
    if settings.workers > 1:
        from segment_scorer.service import worker  # noqa: PLC0415

        if order := worker.read_order(environ):
            start_log(log_level, worker=order.index)
            worker.serve(settings, order)
        else:
            from segment_scorer.service.supervisor import supervise  # noqa: PLC0415

            supervise(settings, arguments)
    else:
        from segment_scorer.service import server  # noqa: PLC0415

        server.serve(settings)


def read_options(options: argparse.Namespace, environ: Mapping[str, str]) -> ServiceSettings:
    """The settings that options and environment say. Raises SegmentScorerError."""
    from protos.tls import TlsFiles  # noqa: PLC0415
    from segment_scorer.service.settings import ServiceSettings  # noqa: PLC0415

    certificate, key, authority = options.tls_cert, options.tls_key, options.tls_client_ca
    if (certificate is None) != (key is None):
        raise SegmentScorerError("expected --tls-cert and --tls-key together, found one of them")
    if authority and not certificate:
        raise SegmentScorerError("--tls-client-ca: expected --tls-cert and --tls-key with it")
    tls = TlsFiles(authority=authority, certificate=certificate, key=key) if certificate else None
    listen, probe = choose_addresses(options, environ)
    if options.workers > 1 and any(address.startswith("unix:") for address in listen):
        raise SegmentScorerError(
            "--workers: a Unix socket belongs to one process; expected --workers 1 with unix:/path "
            "or host:port in --listen"
        )
    return ServiceSettings(
        bundle=options.bundle,
        listen=(*listen, *probe),
        tls=tls,
        max_rows=options.max_rows,
        max_calls=options.max_calls,
        max_connections=options.max_connections,
        call_timeout=options.call_timeout,
        idle_timeout=options.idle_timeout,
        grace=options.grace,
        reflection=options.reflection,
        metrics=options.metrics or None,
        workers=options.workers,
    )


def choose_addresses(
    options: argparse.Namespace, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses to listen on, and the probe's, if there is one.

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
    return tuple(listen), ((probe,) if probe else ())


def find_place(error: BaseException) -> str:
    """The line of code that raised an unexpected error: file and number."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
