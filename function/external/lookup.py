"""Looks up external attributes: a batch's endpoints in, the same endpoints with `External` out.

One look-up per batch, each key once. A document is never changed: an enriched document is a new
dict, which features and policy read. The reply never holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from function.errors import ExternalError
from function.records import Endpoint, ExternalStore
from model.document_types import OBJECTS, add_group
from model.values import read_texts

GROUP = "External"


class ExternalSource(msgspec.Struct, frozen=True, kw_only=True):
    """A store, and how to find each person in it.

    key       steps through an endpoint document to the person's key; empty: the endpoint's own id
    patience  longest look-up in seconds, however much time the batch has left
    scored    whether the model reads external attributes; if only the policy does, people are
              scored even when the look-up fails
    """

    store: ExternalStore
    key: tuple[str, ...]
    patience: float
    scored: bool

    def find_key(self, endpoint: Endpoint) -> str | None:
        """The first text at the key's path. None for an unreadable endpoint, or without text."""
        value: Any = endpoint.document if self.key else endpoint.id
        for step in self.key:
            value = value.get(step) if isinstance(value, OBJECTS) else None
        texts = read_texts(value)
        return texts[0] if texts and endpoint.problem is None else None


class LookupResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one batch's look-up.

    endpoints   in the batch's order; readable ones have `External`, empty where nothing is stored
    found       readable endpoints with external attributes
    missing     readable endpoints without a key, or whose key is not in the store
    unreadable  readable endpoints whose stored attributes are not a JSON object
    error       why the look-up failed; None when it succeeded
    """

    endpoints: tuple[Endpoint, ...]
    found: int = 0
    missing: int = 0
    unreadable: int = 0
    error: ExternalError | None = None


def look_up_external(
    endpoints: Sequence[Endpoint], source: ExternalSource, timeout: float
) -> LookupResult:
    """Enrich every readable endpoint, within `timeout` seconds or the source's patience.

    Raises ExternalError.
    """
    keys = [source.find_key(endpoint) for endpoint in endpoints]
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    stored = source.store.fetch(wanted, min(timeout, source.patience)) if wanted else {}
    enriched, found, unreadable = [], 0, 0
    for endpoint, key in zip(endpoints, keys, strict=True):
        is_stored = key is not None and key in stored
        attributes = stored[key] if key is not None and is_stored else None
        found += attributes is not None
        unreadable += is_stored and attributes is None
        enriched.append(enrich_endpoint(endpoint, attributes or {}))
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
    """Add to exported documents the external attributes that the function would see. For training.

    A document may lack an Id if outcomes go by user. Where the endpoint's id is the key, such a
    document gets no external attributes.
    """
    endpoints = [Endpoint(id=document.get("Id") or "", document=document) for document in documents]
    enriched = look_up_external(endpoints, source, source.patience).endpoints
    return [each.document if isinstance(each.document, dict) else {} for each in enriched]


def do_without_external(endpoints: Sequence[Endpoint], error: ExternalError) -> LookupResult:
    """The result of a failed look-up: every endpoint, without external attributes."""
    return LookupResult(
        endpoints=tuple(enrich_endpoint(endpoint, {}) for endpoint in endpoints), error=error
    )


def enrich_endpoint(endpoint: Endpoint, attributes: Mapping[str, Any]) -> Endpoint:
    """Replace `External` of a readable endpoint. An unreadable endpoint is given back unchanged."""
    if endpoint.problem is not None:
        return endpoint
    return Endpoint(id=endpoint.id, document=add_group(endpoint.document or {}, GROUP, attributes))


def describe_lookup(result: LookupResult, seconds: float, dropped: int) -> dict[str, float]:
    """The counts for log line and metrics.

    dropped  external attributes that the policy copies and that could not be made text
    """
    return {
        "external_found": result.found,
        "external_missing": result.missing,
        "external_unreadable": result.unreadable,
        "external_failed": int(result.error is not None),
        "external_ms": round(seconds * 1000, 3),
        "external_dropped": dropped,
    }
