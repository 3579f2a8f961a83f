"""Scores a matrix over gRPC, in any server of the Open Inference Protocol.

Rule 1: every call has a deadline, the smaller of its cap and the time handed down. Retries happen
inside the deadline, by gRPC's service config.
Rule 2: no channel exists before the first call (a fork or a snapshot would break it), and none is
kept after a long idle time or a missed deadline.
Rule 3: a service that missed a deadline is not called again until the breaker's pause is over.
Not for use by two threads at once.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from typing import cast

# gRPC's core would write lines of its own about handshakes to the log, which is JSON lines. The
# cause of a failed call is in the function's own warning. gRPC reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import numpy as np

from function.correlation import NO_CORRELATION, Correlation
from function.errors import ScorerError, ScorerTimeout, ScorerUnavailable, SettingsError
from function.records import SERVICE_SOURCE, Scores
from function.scorers.causes import explain
from function.scorers.tensors import build_request, read_scores
from function.settings import RemoteSettings
from model.features import Matrix
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from protos.tls import TlsFileError, TlsFiles

SERVICE = "inference.GRPCInferenceService"
# Only calls that did not reach the model are retried, inside the call's deadline. gRPC stops
# retrying while more than half of the latest calls fail, so as not to load a failing service.
SERVICE_CONFIG = {
    # If the name has several addresses, each call goes to the next one that is connected. gRPC's
    # default stays with the first, so one server would have all the work.
    "loadBalancingConfig": [{"round_robin": {}}],
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
    # A new channel gets a connection of its own. The process's pool could hand out the dead one
    # that it replaces, since closing a channel returns before its connection is gone.
    "grpc.use_local_subchannel_pool": 1,
    # Ping a connection that is silent during a call, and drop it if no answer comes. All three are
    # needed: in grpcio 1.85 keepalive_timeout_ms alone does nothing.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
    "grpc.http2.ping_timeout_ms": 3_000,
    # Reconnect within seconds to a service that is back. gRPC's default pause grows to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 2_000,
}
# The setting that names each file of TlsFiles.
TLS_SETTINGS = {
    "authority": "SCORER_TLS_CA",
    "certificate": "SCORER_TLS_CERT",
    "key": "SCORER_TLS_KEY",
}
TRACE_HEADER = "x-amzn-trace-id"  # AWS X-Ray developer guide, "Tracing header"
LOOPBACK = re.compile(r"(.*/)?(localhost|127(\.\d+){3}|\[::1\]):\d+", re.ASCII)


def read_clock() -> float:
    """Seconds that never go backwards, and that pass during a suspension if the system can tell."""
    return (
        time.clock_gettime(time.CLOCK_BOOTTIME)
        if hasattr(time, "CLOCK_BOOTTIME")
        else time.monotonic()
    )


class RemoteScorer:
    """A records.Scorer over gRPC."""

    source = SERVICE_SOURCE

    def __init__(
        self, settings: RemoteSettings, *, clock: Callable[[], float] = read_clock
    ) -> None:
        """Read the TLS files; connect to nothing. Raises SettingsError for an unusable file."""
        self.label = name_label(settings.dialect.model, settings.dialect.version)
        self._settings = settings
        self._clock = clock
        self._credentials = load_credentials(settings)
        self._channel: grpc.Channel | None = None
        self._stub: GRPCInferenceServiceStub | None = None
        self._last_call = 0.0
        self._closed_until = -1.0
        # A sidecar may still be starting. Until it has answered once, a call waits for its socket,
        # within the call's deadline.
        self._wait = settings.target.startswith("unix:")

    def score_batch(
        self, matrix: Matrix, timeout: float, correlation: Correlation = NO_CORRELATION
    ) -> Scores:
        """Score float32 [n, f] within `timeout` seconds: float64 [n].

        The service gets the invocation's ids with the call.
        Raises ScorerUnavailable, ScorerTimeout or ScorerRejected.
        """
        if not len(matrix):
            return np.empty(0)
        if timeout <= 0:
            raise ScorerTimeout("no time is left to ask the scoring service")
        if self._clock() < self._closed_until:
            raise ScorerUnavailable(
                "the scoring service missed a deadline a moment ago and is not called again yet"
            )
        dialect = self._settings.dialect
        try:
            response = self._get_stub().ModelInfer(
                build_request(matrix, dialect, correlation.function_request_id),
                timeout=min(timeout, self._settings.call_cap),
                metadata=self._list_metadata(correlation) or None,
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
        """Close the connection. The next call opens another."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._stub = None

    def _get_stub(self) -> GRPCInferenceServiceStub:
        # The old channel is closed first: while open, it would share its dead connection.
        if self._clock() - self._last_call > self._settings.idle:
            self.close()
        if self._stub is None:
            self._channel = open_channel(self._settings, self._credentials)
            self._stub = GRPCInferenceServiceStub(self._channel)
        return self._stub

    def _list_metadata(self, correlation: Correlation) -> tuple[tuple[str, str], ...]:
        if not correlation.xray_trace_id:
            return self._settings.metadata
        trace = (TRACE_HEADER, f"Root={correlation.xray_trace_id}")
        return (*self._settings.metadata, trace)

    def _translate(self, error: grpc.RpcError) -> ScorerError:
        # A blocking call raises an RpcError that is also a Call. The stubs do not say so.
        call = cast("grpc.Call", error)
        found = explain(call.code(), call.details() or "", secure=self._credentials is not None)
        if isinstance(found, ScorerTimeout):
            # A dead connection would time out again, and a hung service needs a pause.
            self.close()
            self._closed_until = self._clock() + self._settings.breaker
        return found


def name_label(model: str, version: str) -> str:
    """`name@version`; the name alone if the server tells no version."""
    return f"{model}@{version[:64]}" if version else model


def open_channel(
    settings: RemoteSettings, credentials: grpc.ChannelCredentials | None
) -> grpc.Channel:
    """A channel that connects when it is first used."""
    options = dict(OPTIONS)
    if is_local(settings.target):
        options["grpc.enable_http_proxy"] = 0
    if settings.authority:
        options["grpc.default_authority"] = settings.authority
    if credentials:
        return grpc.secure_channel(settings.target, credentials, list(options.items()))
    return grpc.insecure_channel(settings.target, list(options.items()))


def is_local(target: str) -> bool:
    """Whether a target is on this machine, so that no proxy may be used."""
    return target.startswith("unix:") or LOOPBACK.fullmatch(target) is not None


def load_credentials(settings: RemoteSettings) -> grpc.ChannelCredentials | None:
    """Read the TLS files; None without TLS. Raises SettingsError for a file that cannot be used."""
    if not (settings.tls or settings.tls_ca or settings.tls_cert):
        return None
    files = TlsFiles(authority=settings.tls_ca, certificate=settings.tls_cert, key=settings.tls_key)
    try:
        return files.open_channel_credentials()
    except TlsFileError as error:
        raise SettingsError(f"{TLS_SETTINGS[error.part]}: {error}") from error
