"""The room between parse and features: a batch's endpoints in, the same endpoints with the person's external attributes under `External` out.

One look-up a batch, each key once. Never changes a document: an enriched one is a new dict, for features and policy, never for the reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from function.errors import ExternalError
from function.records import Endpoint, ExternalStore
from model.features import read_texts

GROUP = "External"


class ExternalSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where profiles come from.

    key       the steps through an endpoint document to the key of the person's external attributes; no steps mean the endpoint's own id
    patience  the longest look-up in seconds, however much time is left
    scored    whether the model reads external attributes; where only the policy does, a failed look-up keeps nobody from being scored
    """

    store: ExternalStore
    key: tuple[str, ...]
    patience: float
    scored: bool

    def find_key(self, endpoint: Endpoint) -> str | None:
        """The key of a readable endpoint's profile: the first text at its place. None when there is none."""
        value: Any = endpoint.document if self.key else endpoint.id
        for step in self.key:
            value = value.get(step) if isinstance(value, dict) else None
        texts = read_texts(value)
        return texts[0] if texts and endpoint.problem is None else None


class LookupResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch's look-up came to.

    endpoints   row for row those of the batch; the readable ones have `External`, empty where there is no profile
    found       readable endpoints with a profile, `missing` without one or without a key, `unreadable` with one that is no JSON object
    error       why nobody's was looked up; None when everybody's was
    """

    endpoints: tuple[Endpoint, ...]
    found: int = 0
    missing: int = 0
    unreadable: int = 0
    error: ExternalError | None = None


def look_up_external(
    endpoints: Sequence[Endpoint], source: ExternalSource, timeout: float
) -> LookupResult:
    """Enrich every readable endpoint, within `timeout` seconds or the source's patience. Raises ExternalError."""
    keys = [source.find_key(endpoint) for endpoint in endpoints]
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    profiles = source.store.fetch(wanted, min(timeout, source.patience)) if wanted else {}
    enriched, found, unreadable = [], 0, 0
    for endpoint, key in zip(endpoints, keys, strict=True):
        known = key is not None and key in profiles
        profile = profiles[key] if key is not None and known else None
        found += profile is not None
        unreadable += known and profile is None
        enriched.append(enrich_endpoint(endpoint, profile or {}))
    readable = sum(endpoint.problem is None for endpoint in endpoints)
    return LookupResult(
        endpoints=tuple(enriched),
        found=found,
        missing=readable - found - unreadable,
        unreadable=unreadable,
    )


def enrich_documents(
    documents: Sequence[dict[str, Any]], source: ExternalSource
) -> list[dict[str, Any]]:
    """Exported endpoint documents with the profiles that the function would see: what a model learns from.

    One without an Id, which outcomes by user allow, has no profile where the key is the endpoint's id.
    """
    endpoints = [Endpoint(id=document.get("Id") or "", document=document) for document in documents]
    return [
        endpoint.document or {}
        for endpoint in look_up_external(endpoints, source, source.patience).endpoints
    ]


def do_without_external(endpoints: Sequence[Endpoint], error: ExternalError) -> LookupResult:
    """What is left when the look-up fails: everybody, with an empty profile."""
    return LookupResult(
        endpoints=tuple(enrich_endpoint(endpoint, {}) for endpoint in endpoints), error=error
    )


def enrich_endpoint(endpoint: Endpoint, profile: Mapping[str, Any]) -> Endpoint:
    """A readable endpoint with its profile, in place of an `External` it may have come with; an unreadable one as it is."""
    if endpoint.problem is not None:
        return endpoint
    return Endpoint(id=endpoint.id, document={**(endpoint.document or {}), GROUP: profile})


def describe_lookup(result: LookupResult, seconds: float, dropped: int) -> dict[str, float]:
    """The counts for log line and metrics; `dropped` values of profiles could not be written as attributes."""
    return {
        "external_found": result.found,
        "external_missing": result.missing,
        "external_unreadable": result.unreadable,
        "external_failed": int(result.error is not None),
        "external_ms": round(seconds * 1000, 3),
        "external_dropped": dropped,
    }
