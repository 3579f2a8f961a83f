"""The frozen values that pass through the doorways between rooms. A value that exists is valid; row i is endpoint i everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from model.features import Matrix

HostName: TypeAlias = Literal["pinpoint", "connect"]
Scores: TypeAlias = npt.NDArray[np.float64]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a batch.

    id        as the host sent it (Pinpoint: the key in `Endpoints`; Connect: `ProfileId`)
    document  the endpoint document (a plain dict, never changed), or for an unreadable one what of it can be sent back;
              None when what came is no JSON object
    problem   why it cannot be scored, as a sentence naming the place and no value; None when it can
    """

    id: str
    document: dict[str, Any] | None
    problem: str | None = None


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the host says about the campaign. `reference` is the time ages are measured against, in seconds since 1970 UTC."""

    application_id: str | None = None
    campaign_id: str | None = None
    treatment_id: str | None = None
    reference: float | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed event.

    unencodable  how many things were left out of unreadable endpoints so that a reply can carry them
    size         bytes of compact UTF-8 JSON that the endpoints take, from which a bound on the reply follows
    """

    host: HostName
    context: Context
    endpoints: tuple[Endpoint, ...]
    unencodable: int = 0
    size: int = 0


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """A named range of scores, from `at_least` (inclusive) up to the next band; overrides are texts for the message."""

    name: str
    at_least: float
    title_override: str = ""
    body_override: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy says of one endpoint.

    keep      what the rules say; stays is what the reply does, which differs in modes annotate and shadow
    reason    unreadable, holdout, no_scores, sparse or score: the first that applies
    score     rounded as the policy says; None when there is none
    external  attributes to write that `[external]` copies from the person's external attributes: name -> texts
    external_dropped  how many values of the profile `[external]` could not make text of
    """

    keep: bool
    stays: bool
    reason: str
    score: float | None = None
    band: Band | None = None
    holdout: bool = False
    external: Mapping[str, list[str]] = {}
    external_dropped: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back to the host, and what became of the decisions on the way.

    decisions            row for row, changed only where a limit of the host left an endpoint out
    overrides_skipped    endpoints whose channel does not honour the message override their band has
    annotations_dropped  whether the reply had to be sent without annotations to fit the host's limit
    """

    body: dict[str, Any]
    decisions: Sequence[Decision]
    overrides_skipped: int = 0
    annotations_dropped: bool = False


class Scorer(Protocol):
    """Scores a matrix. Implementations: `scorers.bundled` (in process), `scorers.remote` (gRPC)."""

    label: str

    def score_batch(self, matrix: Matrix, timeout: float) -> Scores:
        """Score float32 [n, f] (NaN = missing) within `timeout` seconds: float64 [n], each from 0 to 1.

        Raises ScorerUnavailable, ScorerTimeout or ScorerRejected, and nothing else.
        """
        ...


class ExternalStore(Protocol):
    """Looks up what is known about people elsewhere. Implementations: `external.sqlite` (a file), `external.dynamodb`."""

    def fetch(self, keys: Sequence[str], timeout: float) -> Mapping[str, Mapping[str, Any] | None]:
        """The profiles of `keys`, each given once, within `timeout` seconds: key -> attributes, plain JSON values.

        A key without a profile is not in the result; a profile that cannot be read is None. All of them are looked up or none:
        raises ExternalUnavailable, ExternalTimeout or ExternalRejected, and nothing else.
        """
        ...


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """Scores float64 [n] and the label of the model that gave them. `resorted` names the error that led past the first scorer, or ""."""

    scores: Scores
    label: str
    resorted: str = ""


# Called by the pipeline with each batch and its decisions, row for row: how the runner learns what a bare map does not say.
Observer: TypeAlias = Callable[[Batch, Sequence[Decision]], None]
