"""The frozen values that pass between rooms. A value that exists is valid; row i is endpoint i."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec
import numpy as np

from function.correlation import NO_CORRELATION, Correlation
from function.errors import ExternalError, ScorerError
from model.document_types import AnyDocument
from model.features import Matrix

if TYPE_CHECKING:
    import numpy.typing as npt

HostName: TypeAlias = Literal["pinpoint", "connect", "web"]
Scores: TypeAlias = "npt.NDArray[np.float64]"
# What kind of scorer answered, whatever its model's label.
BUNDLE_SOURCE, SERVICE_SOURCE = "bundle", "service"


class Reason(StrEnum):
    """Why the policy decided as it did: the first of the first six that applies."""

    HOLDOUT = "holdout"
    EXCLUDED = "excluded"
    UNREADABLE = "unreadable"
    NO_SCORES = "no_scores"
    SPARSE = "sparse"
    SCORE = "score"
    SHADOW = "shadow"  # only in replies of decisions: mode shadow does not tell the reason
    UNKNOWN = ""  # only where a deployed function's reply is read: it does not tell the reason


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a batch.

    id        as the host sent it (Pinpoint: the key in `Endpoints`; Connect: `ProfileId`; web:
              `Id`), or "" if it sent none
    document  the endpoint document, which is never changed: the part that can be sent back. Read
              it by `get`. None if the host sent no JSON object
    user      its UserId, if `document` may lack it; else None
    typed     whether every field has its documented type: every path of it can then be read
    problem   why the endpoint cannot be scored: a sentence with a path and no value. None if it can
    """

    id: str
    document: AnyDocument | None
    user: str | None = None
    typed: bool = False
    problem: str | None = None


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The campaign that an event belongs to.

    reference  the time that ages are measured against, in seconds since 1970 UTC
    """

    application_id: str | None = None
    campaign_id: str | None = None
    treatment_id: str | None = None
    reference: float | None = None


class RefusedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Why a host over HTTP refuses a request as a whole.

    status  of the answer, 400 to 499
    detail  a sentence that holds no value of the request
    """

    status: int
    detail: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed event.

    unencodable  values left out of documents because no JSON text can carry them
    ambiguous    customer profiles whose attributes have names of two migrations, or of either
    size         bytes of JSON that the endpoints take when they are sent back, or more
    patience     seconds that the caller waits, if it says so; never more than the host waits
    refusal      why nobody of the event is scored or decided on; None for every accepted event
    """

    host: HostName
    context: Context
    endpoints: tuple[Endpoint, ...]
    unencodable: int = 0
    ambiguous: int = 0
    size: int = 0
    patience: float | None = None
    refusal: RefusedRequest | None = None


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The campaign that the runner names in the events it sends.

    scheduled_time  ISO 8601 with milliseconds and Z
    """

    application_id: str
    campaign_id: str
    treatment_id: str
    activity_id: str
    scheduled_time: str


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """A named range of scores, from `at_least` (inclusive) up to the next band.

    title_override, body_override  texts for the message; "" leaves the message as it is
    """

    name: str
    at_least: float
    title_override: str = ""
    body_override: str = ""


class NothingCopied(dict[str, list[str]]):
    """No attributes, one for all decisions: of a plain dict, msgspec would make each a new one."""


NOTHING_COPIED: Mapping[str, list[str]] = NothingCopied()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The policy's decision on one endpoint.

    selected          whether the rules would message the endpoint, the holdout aside. None only
                      where the reply of a deployed function is read that does not tell it
    holdout           whether the endpoint's user is in the control group. None as for `selected`
    sent              whether the reply holds it (Connect, web: says keep). In mode filter:
                      selected and not in the holdout
    score             rounded to the policy's decimals; None if the endpoint was not scored
    external          attributes that `[external]` copies from the store: name -> texts
    external_dropped  how many values of the store `[external]` could not turn into text
    excluded_by       the `[[exclude]]` rule that applies; "" if none does
    """

    selected: bool | None
    holdout: bool | None = False
    sent: bool
    reason: Reason
    score: float | None = None
    band: Band | None = None
    external: Mapping[str, list[str]] = NOTHING_COPIED
    external_dropped: int = 0
    excluded_by: str = ""

    @property
    def dropped(self) -> bool:
        """Whether mode filter leaves the endpoint out. Modes annotate and shadow send it."""
        return bool(self.holdout) or self.selected is False


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to the host.

    decisions            one per endpoint of the batch, in order; changed only if a size limit left
                         an endpoint out
    overrides_skipped    endpoints whose channel does not honour the message override of their band
    annotations_dropped  whether the annotations were left out so that the reply fits the size limit
    status               of the answer, if the host speaks HTTP
    """

    body: dict[str, Any]
    decisions: Sequence[Decision]
    overrides_skipped: int = 0
    annotations_dropped: bool = False
    status: int | None = None


class Scorer(Protocol):
    """Scores a matrix. Implementations: `scorers.bundled` (in process), `scorers.remote` (gRPC)."""

    label: str
    source: str  # BUNDLE_SOURCE or SERVICE_SOURCE

    def score_batch(
        self, matrix: Matrix, timeout: float, correlation: Correlation = NO_CORRELATION
    ) -> Scores:
        """Score float32 [n, f] (NaN = missing) within `timeout` seconds: float64 [n], from 0 to 1.

        A scorer outside this process gets the invocation's ids.
        Raises ScorerUnavailable, ScorerTimeout or ScorerRejected, and nothing else.
        """
        ...


class ExternalStore(Protocol):
    """Looks up external attributes. Implementations: `external.sqlite`, `external.dynamodb`."""

    def fetch(self, keys: Sequence[str], timeout: float) -> Mapping[str, Mapping[str, Any] | None]:
        """Look up `keys`, each given once, within `timeout` seconds: key -> attributes (JSON).

        An unknown key is not in the result; a record that cannot be read is None. All keys are
        looked up or none: raises ExternalUnavailable, ExternalTimeout or ExternalRejected, and
        nothing else.
        """
        ...


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """Scores float64 [n], and the label of the model that gave them.

    source       what kind of scorer that was: `bundle` or `service`; "" if none was asked
    first_error  class name of the error by which the first scorer failed; "" if it answered
    cause        the sentence of that error
    """

    scores: Scores
    label: str
    source: str = ""
    first_error: str = ""
    cause: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one answered batch, for the log and for observers. Times in seconds.

    mode, min_present, reach  of the rules for this batch
    label           `name@version` of the bundle, even if a service scored
    scored          None if the batch has no scores
    matrix          float32 [r, f]: a row for each of the r readable endpoints, in order
    present         for each row, the share of features present in it, 0 to 1
    feature_bins    column -> people in each drift bin; None if the bundle has no drift reference,
                    or if nobody would see them
    score_bins      the same for the scores; None also if the batch has no scores
    bins_drawn      whether the record shows the bins
    error           why the batch has no scores
    time_missing    whether the model or an exclude rule reads ages, and the event has no time to
                    measure them against
    exclude_seen    path of an exclude rule -> endpoints that have a value there
    excluded_by     exclude rule -> endpoints whose reason it is, every rule of the policy
    external        numbers of the look-up; empty if nothing is looked up
    external_error  why the look-up failed
    scoring         duration of scoring
    remaining       time left to the invocation; infinite outside Lambda
    cold            duration of a cold start that the host waited for; None after the first event
    correlation     the ids of the invocation
    """

    batch: Batch
    reply: Reply
    mode: str
    min_present: float = 0.0
    reach: float | None = None
    label: str
    scored: Scored | None
    matrix: Matrix
    present: Sequence[float]
    feature_bins: dict[str, list[int]] | None = None
    score_bins: list[int] | None = None
    bins_drawn: bool = True
    error: ScorerError | ExternalError | None = None
    time_missing: bool = False
    exclude_seen: Mapping[str, int] = {}
    excluded_by: Mapping[str, int] = {}
    external: Mapping[str, float] = {}
    external_error: ExternalError | None = None
    scoring: float
    remaining: float
    cold: float | None
    correlation: Correlation = NO_CORRELATION

    @property
    def decisions(self) -> Sequence[Decision]:
        """The decisions, one per endpoint of the batch."""
        return self.reply.decisions

    @property
    def error_name(self) -> str | None:
        """Class name of the first error while scoring, even if the fallback scored; else None."""
        if self.error is not None:
            return type(self.error).__name__
        return (self.scored.first_error or None) if self.scored else None

    @property
    def cause(self) -> str | None:
        """The sentence of that error."""
        if self.error is not None:
            return str(self.error)
        return (self.scored.cause or None) if self.scored else None

    @property
    def fallback_used(self) -> bool:
        """Whether the fallback scored instead of the configured target."""
        return self.scored is not None and bool(self.scored.first_error)


# Called by the pipeline with each batch's account, before it is logged.
Observer: TypeAlias = Callable[[Account], None]
