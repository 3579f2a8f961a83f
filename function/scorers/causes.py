"""Why a gRPC call failed, as an error with a sentence for the person on call.

Takes a status and gRPC's own details. The details hold addresses, and the server's words may hold
anything, so they choose a sentence and are never repeated.
"""

from __future__ import annotations

import grpc

from function.errors import ScorerError, ScorerRejected, ScorerTimeout, ScorerUnavailable

# Every gRPC status but OK -> the error to raise, and its sentence. INTERNAL includes an answer that
# is not a message of the protocol, UNKNOWN a failure of the server's own code: the same batch would
# fail again.
STATUSES: dict[grpc.StatusCode, tuple[type[ScorerError], str]] = {
    grpc.StatusCode.CANCELLED: (ScorerUnavailable, "the call to the scoring service was cancelled"),
    grpc.StatusCode.UNKNOWN: (ScorerRejected, "the scoring service failed for an unknown reason"),
    grpc.StatusCode.INVALID_ARGUMENT: (
        ScorerRejected,
        "the scoring service refused the batch as malformed; check columns, names and datatype",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        ScorerTimeout,
        "the scoring service did not answer in time",
    ),
    grpc.StatusCode.NOT_FOUND: (
        ScorerRejected,
        "the scoring service does not serve the model or version asked for",
    ),
    grpc.StatusCode.ALREADY_EXISTS: (ScorerRejected, "the scoring service refused the call"),
    grpc.StatusCode.PERMISSION_DENIED: (
        ScorerRejected,
        "the scoring service does not permit the call",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        ScorerUnavailable,
        "the scoring service has no room for the batch",
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (
        ScorerRejected,
        "the scoring service is not in a state to score",
    ),
    grpc.StatusCode.ABORTED: (ScorerUnavailable, "the scoring service aborted the call"),
    grpc.StatusCode.OUT_OF_RANGE: (
        ScorerRejected,
        "the scoring service refused the batch as out of range",
    ),
    grpc.StatusCode.UNIMPLEMENTED: (ScorerRejected, "the target is no Open Inference service"),
    grpc.StatusCode.INTERNAL: (
        ScorerRejected,
        "the scoring service failed, or its answer cannot be read",
    ),
    grpc.StatusCode.UNAVAILABLE: (ScorerUnavailable, "the scoring service cannot be reached"),
    grpc.StatusCode.DATA_LOSS: (ScorerRejected, "the scoring service's answer was damaged"),
    grpc.StatusCode.UNAUTHENTICATED: (
        ScorerRejected,
        "the scoring service does not accept our credentials",
    ),
}

CLOSED = "socket closed"
NOT_CONNECTED = "last error"  # no connection came about, to any of the target's addresses
PLAIN = (
    "the server closed the connection before any answer; it may expect TLS (SCORER_TLS, "
    "SCORER_TLS_CA)"
)
SECURE = (
    "the server closed the TLS connection before any answer; it may expect a client certificate "
    "of an authority it trusts (SCORER_TLS_CERT, SCORER_TLS_KEY)"
)
# Words of gRPC 1.85 and BoringSSL, in lower case, that tell why there is no connection. The first
# that occurs counts, so the more exact ones come first. tests/integration/test_remote_causes.py
# meets each of them with a real server.
DETAILS: tuple[tuple[str, str], ...] = (
    ("connection refused", "nothing listens at the target's port or socket"),
    ("lookup error", "the target's host is unknown: its name cannot be resolved"),
    ("dns resolution failed", "the target's host is unknown: its name cannot be resolved"),
    ("no such file or directory", "the target's socket does not exist"),
    ("permission denied", "the function may not open the target's socket"),
    ("certificate has expired", "the server's certificate has expired"),
    ("certificate is not yet valid", "the server's certificate is not yet valid"),
    (
        "certificate_verify_failed",
        (
            "the server's certificate is signed by an authority that the function does not trust "
            "(SCORER_TLS_CA)"
        ),
    ),
    (
        "hostname verification check failed",
        "the server's certificate is for another name than the target's host (SCORER_AUTHORITY)",
    ),
    ("wrong_version_number", "the server does not speak TLS, and the function does (SCORER_TLS)"),
    ("protocol_version", "server and function share no version of TLS; gRPC needs TLS 1.2 or 1.3"),
    ("unsupported_protocol", "server and function share no version of TLS; gRPC needs 1.2 or 1.3"),
    ("alpn", "the server speaks TLS but offers no HTTP/2, which gRPC needs; is it a proxy?"),
    ("http1.x server", "the server speaks HTTP/1.1, and gRPC needs HTTP/2; is it another port?"),
    ("failed parsing http/2", "the server does not speak HTTP/2, which gRPC needs"),
    ("handshake failed", "the TLS handshake with the server failed"),
    ("unreachable", "no network route leads to the target"),
    ("no route to host", "no network route leads to the target"),
)
# Words of our own service, for statuses that the server chose.
VERSION = "no such version"
NO_VERSION = (
    "the scoring service serves another version of the model than the one asked for "
    "(SCORER_MODEL_VERSION)"
)


def explain(status: grpc.StatusCode, details: str, *, secure: bool) -> ScorerError:
    """The error for a call that ended with `status`. `secure`: whether the call used TLS.

    Its sentence ends with the status. It never holds a part of `details`.
    """
    kind, sentence = STATUSES[status]
    if cause := find_cause(status, details[:2_000].lower(), secure=secure):
        sentence = f"{sentence}: {cause}"
    return kind(f"{sentence} (gRPC {status.name})")


def find_cause(status: grpc.StatusCode, details: str, *, secure: bool) -> str:
    """What gRPC's details (in lower case) say about a failure; "" if it is nothing known."""
    if status is grpc.StatusCode.NOT_FOUND:
        return NO_VERSION if VERSION in details else ""
    if status is not grpc.StatusCode.UNAVAILABLE:
        return ""
    for words, cause in DETAILS:
        if words in details:
            return cause
    if CLOSED in details and NOT_CONNECTED in details:
        return SECURE if secure else PLAIN
    return ""
