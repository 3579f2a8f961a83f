"""Errors of deployment. A message says what to change; it never holds a value, an id or an address.

SegmentScorerError          (model.errors) anything this project raises on purpose
└── DeployError             the person who deploys must act
    └── MissingResource     the named resource does not exist in this account and region
"""

from __future__ import annotations

from model.errors import SegmentScorerError

__all__ = ["DeployError", "MissingResource"]


class DeployError(SegmentScorerError):
    """A step of the deployment failed. The message says what to change and what was changed."""


class MissingResource(DeployError):
    """The named resource does not exist in this account and region."""
