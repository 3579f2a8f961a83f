"""gRPC's options: what one client can take of a server. Settings and the system's limits in."""

from __future__ import annotations

import resource

from segment_scorer.service.session import Model
from segment_scorer.service.settings import ServiceSettings

AGE_GRACE = 60  # seconds that the calls of a connection that ends get
MAX_CALLS_OF_A_CONNECTION = 1_000
MAX_MESSAGE_BYTES = 2_147_483_647  # gRPC's own limit
MAX_DESCRIPTORS = 65_536
OWN_DESCRIPTORS = 64  # for the process itself, beside its connections


def list_options(
    model: Model, settings: ServiceSettings, *, shared: bool = False
) -> list[tuple[str, int]]:
    """gRPC's options: what one client can take of the server. Milliseconds, bytes and counts."""
    idle = settings.idle_timeout
    limits = {
        "grpc.so_reuseport": int(shared),
        "grpc.max_receive_message_length": limit_message(model, settings.max_rows),
        "grpc.max_concurrent_streams": MAX_CALLS_OF_A_CONNECTION,
        "grpc.max_allowed_incoming_connections": limit_connections(settings),
        "grpc.server_handshake_timeout_ms": round(settings.call_timeout * 1000),
    }
    if idle:
        limits["grpc.max_connection_idle_ms"] = round(idle * 1000)
    if idle or shared:
        limits |= {
            "grpc.max_connection_age_ms": round(settings.max_age * 1000),
            "grpc.max_connection_age_grace_ms": AGE_GRACE * 1000,
        }
    return list(limits.items())


def limit_message(model: Model, max_rows: int) -> int:
    """The largest request in bytes, so that gRPC refuses a larger one before it is read.

    A request is at most 9 bytes a number and 64 KiB of names.
    """
    return min(max_rows * model.facts.width * 9 + 65_536, MAX_MESSAGE_BYTES)


def limit_connections(settings: ServiceSettings) -> int:
    """Connections at each address: as set, or fewer, if the process may not open as many files.

    gRPC closes a further connection at once. Without a limit it would use up the descriptors, and
    nobody could connect to any address, the probe's included.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return settings.max_connections
    share = (descriptors - OWN_DESCRIPTORS) // len(settings.listen)
    return max(1, min(settings.max_connections, share))


def raise_descriptor_limit() -> None:
    """Let this process open as many files as it is allowed to, up to 65,536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
