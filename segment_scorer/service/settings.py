"""How to serve. Reads nothing, and loads neither the model's runtime nor a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protos.tls import TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How to serve.

    bundle           directory of the model
    listen           addresses: `host:port` (port 0: any free one), `[::1]:port`, `unix:/path`
    tls              files for TLS on every TCP address; Unix sockets do not use it
    max_rows         rows in one request
    max_calls        inferences at once
    max_connections  connections at each address
    call_timeout     seconds until a request must have arrived whole, and for a new connection's
                     handshake
    idle_timeout     seconds until a connection without a call is closed; 0: never
    max_age          seconds until a connection is asked to end; its calls go on
    grace            seconds that calls in progress get after a stop signal
    reflection       whether clients may ask for the service's description
    metrics          `host:port` where Prometheus reads /metrics; None: nowhere
    workers          processes that serve the same addresses
    """

    bundle: Path
    listen: tuple[str, ...] = ("127.0.0.1:8081",)
    tls: TlsFiles | None = None
    max_rows: int = 5_000
    max_calls: int = 16
    max_connections: int = 2_000
    call_timeout: float = 10.0
    idle_timeout: float = 120.0
    max_age: float = 3_600.0
    grace: float = 10.0
    reflection: bool = True
    metrics: str | None = None
    workers: int = 1
