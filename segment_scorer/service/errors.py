"""Errors of the scoring service. Its own: whoever starts it must act. The protocol's: whoever calls it must."""

from __future__ import annotations

import grpc

from model.errors import SegmentScorerError


class ServiceError(SegmentScorerError):
    """The service cannot start with what it was given; one sentence for the person who starts it."""


class Refusal(Exception):
    """A call that is answered with a gRPC status and a sentence: what was expected and where, never a value."""

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
