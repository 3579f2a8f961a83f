"""Every error the function raises on purpose. The class name says who must act; the message says what was expected and where.

    SegmentScorerError          (model.errors) anything this project raises on purpose
    ├── BundleError             (model.errors) whoever ships the bundle
    ├── SettingsError           whoever deploys: environment, policy file
    ├── EventError              whoever calls: the event is no hook event at all
    ├── ReplyError              whoever wrote the hook: its answer is not what the host accepts (seen by the runner)
    ├── ExternalError           nobody yet: the pipeline turns it into the policy's `on_missing_external`
    │   ├── ExternalUnavailable the store cannot be reached, refuses work, or gives what is no answer
    │   ├── ExternalTimeout     no complete answer within the time budget
    │   └── ExternalRejected    the store refuses what was asked: retrying will not help
    └── ScorerError             nobody yet: the pipeline turns it into the policy's `on_error`
        ├── ScorerUnavailable   the scoring service cannot be reached, or refuses work
        ├── ScorerTimeout       no answer within the time budget
        └── ScorerRejected      the service, or we, refuse what was sent or answered: retrying will not help

A message never holds a value, an id or an address: Lambda shows it to the caller and writes it to the log.
"""

from model.errors import BundleError, SegmentScorerError

__all__ = [
    "BundleError",
    "EventError",
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
    """The environment or the policy cannot be used; one sentence a problem, all problems at once."""


class EventError(SegmentScorerError):
    """The event is no hook event of any host this function serves."""


class ReplyError(SegmentScorerError):
    """A hook's answer is not what its host accepts."""


class ExternalError(SegmentScorerError):
    """A batch has no profiles."""


class ExternalUnavailable(ExternalError):
    """The external store cannot be reached, refuses work for now, or gives what is no answer."""


class ExternalTimeout(ExternalError):
    """No complete answer of the external store within the time budget."""


class ExternalRejected(ExternalError):
    """The external store refuses what was asked: no such table, no permission, another key. The same look-up will fail again."""


class ScorerError(SegmentScorerError):
    """A batch has no scores."""


class ScorerUnavailable(ScorerError):
    """The scoring service cannot be reached, or refuses work for now."""


class ScorerTimeout(ScorerError):
    """No scores within the time budget."""


class ScorerRejected(ScorerError):
    """What was sent or answered is not acceptable; the same call will fail again."""
