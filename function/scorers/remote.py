"""Scores a matrix over gRPC, in any server that speaks the Open Inference Protocol. Takes settings, gives scores or a ScorerError in time.

Rule 1: every call has a deadline, the smaller of its cap and the time handed down; retries happen inside it, by service config.
Rule 2: no channel before the first call (a fork or a snapshot would break it), none kept beyond idleness or a missed deadline.
Rule 3: a service that has just missed a deadline is not asked again until the breaker's pause is over.
Not for two threads at once.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Callable
from typing import cast

import grpc
import numpy as np

from function.errors import (
    ScorerError,
    ScorerRejected,
    ScorerTimeout,
    ScorerUnavailable,
    SettingsError,
)
from function.records import Scores
from function.scorers.tensors import build_request, read_scores
from function.settings import RemoteSettings
from model.features import Matrix
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub

# Every gRPC status but OK, and whose turn it is. INTERNAL includes an answer that is no message of the protocol, UNKNOWN a server whose
# own code failed: the same batch would meet the same end.
STATUSES: dict[grpc.StatusCode, tuple[type[ScorerError], str]] = {
    grpc.StatusCode.CANCELLED: (ScorerUnavailable, "the call to the scoring service was cancelled"),
    grpc.StatusCode.UNKNOWN: (ScorerRejected, "the scoring service failed without saying how"),
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
    grpc.StatusCode.ABORTED: (ScorerUnavailable, "the scoring service gave the call up"),
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

SERVICE = "inference.GRPCInferenceService"
# Retried inside the call's deadline, and only what did not get as far as the model. When more than half of the last calls failed so,
# gRPC stops retrying: a service in trouble is not asked three times for everything.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": SERVICE}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}
OPTIONS: dict[str, int | str] = {
    "grpc.service_config": json.dumps(SERVICE_CONFIG),
    # A new channel gets a connection of its own. From the process's pool it would now and then be given the dead one it is to replace:
    # closing a channel returns before its connection is gone.
    "grpc.use_local_subchannel_pool": 1,
    # A connection that went silent while a call is under way: ping it, and give it up when no answer comes. All three are needed: in
    # grpcio 1.85 keepalive_timeout_ms alone does nothing.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
    "grpc.http2.ping_timeout_ms": 3_000,
    # A service that comes back is found again within seconds; gRPC's own default grows to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 2_000,
}
LOOPBACK = re.compile(r"(.*/)?(localhost|127(\.\d+){3}|\[::1\]):\d+", re.ASCII)


def read_clock() -> float:
    """Seconds that never go backwards and, where the system says so, go on while it is suspended."""
    return (
        time.clock_gettime(time.CLOCK_BOOTTIME)
        if hasattr(time, "CLOCK_BOOTTIME")
        else time.monotonic()
    )


class RemoteScorer:
    """A records.Scorer over gRPC."""

    def __init__(
        self, settings: RemoteSettings, *, clock: Callable[[], float] = read_clock
    ) -> None:
        """Read the TLS files; connect to nothing. Raises SettingsError for a file that cannot be used."""
        self.label = name_label(settings.dialect.model, settings.dialect.version)
        self._settings = settings
        self._clock = clock
        self._credentials = load_credentials(settings)
        self._channel: grpc.Channel | None = None
        self._stub: GRPCInferenceServiceStub | None = None
        self._last_call = 0.0
        self._closed_until = -1.0
        # A sidecar may be starting beside us: until it has answered once, a call waits for its socket, within its deadline.
        self._wait = settings.target.startswith("unix:")

    def score_batch(self, matrix: Matrix, timeout: float) -> Scores:
        """Score float32 [n, f] within `timeout` seconds: float64 [n]. Raises ScorerUnavailable, ScorerTimeout or ScorerRejected."""
        if not len(matrix):
            return np.empty(0)
        if timeout <= 0:
            raise ScorerTimeout("no time is left to ask the scoring service")
        if self._clock() < self._closed_until:
            raise ScorerUnavailable(
                "the scoring service missed a deadline a moment ago and is not asked again yet"
            )
        dialect = self._settings.dialect
        try:
            response = self._get_stub().ModelInfer(
                build_request(matrix, dialect),
                timeout=min(timeout, self._settings.call_cap),
                metadata=self._settings.metadata or None,
                wait_for_ready=self._wait,
            )
        except grpc.RpcError as error:
            raise self._translate(error) from error
        finally:
            self._last_call = self._clock()
        self._wait = False
        self.label = name_label(dialect.model, response.model_version or dialect.version)
        return read_scores(response, len(matrix), dialect)

    def close(self) -> None:
        """Give the connection up; the next call makes another."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._stub = None

    def _get_stub(self) -> GRPCInferenceServiceStub:
        if self._clock() - self._last_call > self._settings.idle:
            self.close()  # before the next is made: an open old channel would share its dead connection with it
        if self._stub is None:
            self._channel = open_channel(self._settings, self._credentials)
            self._stub = GRPCInferenceServiceStub(self._channel)
        return self._stub

    def _translate(self, error: grpc.RpcError) -> ScorerError:
        status = cast(
            "grpc.Call", error
        ).code()  # what a blocking call raises is both, which RpcError's type does not say
        kind, sentence = STATUSES[status]
        if kind is ScorerTimeout:
            # A dead connection times out for ever, so it goes; a hung service is left alone for a while.
            self.close()
            self._closed_until = self._clock() + self._settings.breaker
        return kind(f"{sentence} (gRPC {status.name})")


def name_label(model: str, version: str) -> str:
    """`name@version`; the name alone where a server tells no version."""
    return f"{model}@{version[:64]}" if version else model


def open_channel(
    settings: RemoteSettings, credentials: grpc.ChannelCredentials | None
) -> grpc.Channel:
    """A channel that connects when it is first used."""
    options = dict(OPTIONS)
    if is_local(settings.target):
        options["grpc.enable_http_proxy"] = 0
    if settings.authority:
        options["grpc.default_authority"] = (
            settings.authority
        )  # under TLS also the name that the certificate must carry
    if credentials:
        return grpc.secure_channel(settings.target, credentials, list(options.items()))
    return grpc.insecure_channel(settings.target, list(options.items()))


def is_local(target: str) -> bool:
    """Whether a target is on this machine, where no proxy belongs in between."""
    return target.startswith("unix:") or LOOPBACK.fullmatch(target) is not None


def load_credentials(settings: RemoteSettings) -> grpc.ChannelCredentials | None:
    """Read the TLS files; None without TLS. Checked here, since gRPC itself would only say that it cannot connect."""
    if not (settings.tls or settings.tls_ca or settings.tls_cert):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.tls_ca:
            context.load_verify_locations(settings.tls_ca)
        if settings.tls_cert:
            context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: b"")
        root, key, chain = (
            path.read_bytes() if path else None
            for path in (settings.tls_ca, settings.tls_key, settings.tls_cert)
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SettingsError(
            "expected the scoring service's TLS files to be readable PEM, the key unencrypted and the certificate's own"
        ) from error
    return grpc.ssl_channel_credentials(root, key, chain)
