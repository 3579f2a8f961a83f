"""Every error that the function raises on purpose. The class names who must act.

    SegmentScorerError          (model.errors) any error that this project raises on purpose
    ├── BundleError             (model.errors) the bundle's author
    ├── SettingsError           the deployer: environment, policy file
    ├── EventError              the caller: the event is not a hook event
    ├── ReplyError              the hook's author: the host does not accept the reply
    ├── ExternalError           the pipeline applies the policy's `on_missing_external`
    │   ├── ExternalUnavailable the store cannot be reached, refuses work, or answers unreadably
    │   ├── ExternalTimeout     no complete answer within the time budget
    │   └── ExternalRejected    the store refuses the request: retrying will not help
    └── ScorerError             the pipeline applies the policy's `on_error`
        ├── ScorerUnavailable   the scoring service cannot be reached, or refuses work
        ├── ScorerTimeout       no scores within the time budget
        ├── ScorerRejected      the request or the answer is not acceptable: retrying will not help
        └── EventTimeMissing    the event has no readable time, and the policy wants one

A message says what was expected, where, and what was found. It never holds a value, an id or an
address: Lambda shows it to the caller and writes it to the log.
"""

from model.errors import BundleError, SegmentScorerError

__all__ = [
    "BundleError",
    "EventError",
    "EventTimeMissing",
    "ExternalError",
    "ExternalRejected",
    "ExternalTimeout",
    "ExternalUnavailable",
    "ReplyError",
    "ScorerError",
    "ScorerRejected",
    "ScorerTimeout",
    "ScorerUnavailable",
    "SegmentScorerError",
    "SettingsError",
]


class SettingsError(SegmentScorerError):
    """The environment or the policy cannot be used. The message lists every problem."""


class EventError(SegmentScorerError):
    """The event is not a hook event of any host that this function serves."""


class ReplyError(SegmentScorerError):
    """The host does not accept the reply."""


class ExternalError(SegmentScorerError):
    """A batch has no external attributes."""


class ExternalUnavailable(ExternalError):
    """The store cannot be reached, refuses work for now, or gives an unreadable answer."""


class ExternalTimeout(ExternalError):
    """The store gave no complete answer within the time budget."""


class ExternalRejected(ExternalError):
    """The store refuses the request: no such table, no permission, another key."""


class ScorerError(SegmentScorerError):
    """A batch has no scores."""


class ScorerUnavailable(ScorerError):
    """The scoring service cannot be reached, or refuses work for now."""


class ScorerTimeout(ScorerError):
    """No scores within the time budget."""


class ScorerRejected(ScorerError):
    """The request or the answer is not acceptable. The same call will fail again."""


class EventTimeMissing(ScorerError):
    """The event has no readable time to measure ages against; `on_missing_time = "no_scores"`."""
