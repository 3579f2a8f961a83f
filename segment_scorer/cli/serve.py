"""`segment-scorer serve`: a bundle as an Open Inference gRPC service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from model.bundle import SHIPPED
from model.errors import SegmentScorerError


def command(
    *,
    bundle: Annotated[Path, typer.Option(help="directory with model.onnx and manifest.json", show_default="the shipped one")] = SHIPPED,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SERVE_LISTEN", help="host:port, [host]:port or unix:/path; may be given several times", show_default="127.0.0.1:8081"
        ),
    ] = None,
    probe: Annotated[
        str | None, typer.Option(envvar="SERVE_PROBE", help="unix:/path to listen on as well, for python -m segment_scorer.service.probe")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="certificate chain (PEM): TLS on every TCP address")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="the certificate's key (PEM)")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="mutual TLS: callers show a certificate that this authority signed")] = None,
    max_rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="rows of one request; more are refused")] = 5_000,
    max_calls: Annotated[int, typer.Option(min=1, max=1_000, help="inferences at once; more are refused at once")] = 16,
    grace: Annotated[float, typer.Option(min=0, max=3_600, help="seconds that calls under way have after SIGTERM")] = 10.0,
    reflection: Annotated[bool, typer.Option(help="let grpcurl and the like ask what is served")] = True,
    log_level: Annotated[Literal["debug", "info", "warning", "error"], typer.Option(help="debug: a line for each call")] = "info",
) -> None:
    """Serve a bundle over gRPC (Open Inference Protocol), with health checks. SIGTERM drains it; a new model is a new process.

    The log is JSON lines on stderr; the first that says "listening" names the addresses.
    """
    from segment_scorer.service.log import start_log  # noqa: PLC0415  # --help needs no gRPC
    from segment_scorer.service.server import ServiceSettings, serve  # noqa: PLC0415
    from segment_scorer.service.tls import TlsFiles  # noqa: PLC0415

    if (tls_cert is None) != (tls_key is None) or (tls_client_ca and not tls_cert):
        raise SegmentScorerError("expected --tls-cert and --tls-key together, and --tls-client-ca only with them")
    if probe and not probe.startswith("unix:/"):
        raise SegmentScorerError("--probe: expected unix:/path, which needs no TLS whatever the other addresses need")
    start_log(log_level)
    serve(
        ServiceSettings(
            bundle=bundle,
            listen=(*(listen or ("127.0.0.1:8081",)), *([probe] if probe else [])),
            tls=TlsFiles(certificate=tls_cert, key=tls_key, client_ca=tls_client_ca) if tls_cert and tls_key else None,
            most_rows=max_rows,
            most_calls=max_calls,
            grace=grace,
            reflection=reflection,
        )
    )
