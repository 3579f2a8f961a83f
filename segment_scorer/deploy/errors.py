"""The errors that deployment raises on purpose. A message says what to change; it never holds a value, an id or an address.

SegmentScorerError          (model.errors) anything this project raises on purpose
└── DeployError             whoever deploys must act
    └── MissingResource     what was named does not exist in this account and region
"""

from __future__ import annotations

from model.errors import SegmentScorerError

__all__ = ["DeployError", "MissingResource"]


class DeployError(SegmentScorerError):
    """A step of the deployment cannot be done; the message says what to change and what stands."""


class MissingResource(DeployError):
    """What was named does not exist in this account and region."""
