"""Errors of the scoring service.

ServiceError  the person who starts the service must act
Refusal       the client that made the call must act
"""

from __future__ import annotations

import grpc

from model.errors import SegmentScorerError


class ServiceError(SegmentScorerError):
    """The service cannot start with the options or settings it was given."""


# Why calls are refused, for the metrics, if a refusal does not say it more exactly.
REASONS = {
    grpc.StatusCode.NOT_FOUND: "unknown",
    grpc.StatusCode.INVALID_ARGUMENT: "malformed",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "too_large",
    grpc.StatusCode.DEADLINE_EXCEEDED: "late",
    grpc.StatusCode.INTERNAL: "failed",
}


class Refusal(Exception):
    """A call is answered with this gRPC status and message. The message never holds a value.

    reason  one of meter.REASONS; default: what the status says
    """

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason or REASONS[code]
