"""Errors of `segment_scorer.lift`. A message says what was expected and where, never an id.

SegmentScorerError      (model.errors) anything this project raises on purpose
├── DataError           (model.errors) a file that cannot be read or used
└── LiftRefused         the figures would mislead: no comparison is printed
"""

from model.errors import DataError, SegmentScorerError

__all__ = ["DataError", "LiftRefused", "SegmentScorerError"]


class LiftRefused(SegmentScorerError):
    """The data does not allow the comparison. Each sentence of the message is one reason."""
