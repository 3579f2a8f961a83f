"""Errors of the scoring service.

ServiceError  the person who starts the service must act
Refusal       the client that made the call must act
"""

from __future__ import annotations

import grpc

from model.errors import SegmentScorerError


class ServiceError(SegmentScorerError):
    """The service cannot start with the options or settings it was given."""


class Refusal(Exception):
    """A call is answered with this gRPC status and message. The message never holds a value."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
