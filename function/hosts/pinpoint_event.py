"""Reads Amazon Pinpoint's event: the campaign, and each endpoint as far as it can be used.

An endpoint whose definition is an `ExactDocument` is proven by its decoding. Any other one is
looked at by itself, so an unusual endpoint costs the others nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import msgspec

from function.hosts.reading import read_text
from function.records import Batch, Context, Endpoint
from model.document import inspect_document, is_encodable, measure_documents
from model.document_types import ExactDocument, are_exact
from model.errors import name_kind
from model.paths import find_user
from model.values import parse_time

# JSON that is decoded and encoded again is at most four times as long: with the comma after it,
# `1e15` takes 5 bytes and `1000000000000000.0` 19. Text never grows.
MOST_GROWTH = 4

REFUSALS = (msgspec.DecodeError, UnicodeDecodeError)


class DecodedEvent(dict[str, Any]):
    """An event from bytes. Its definitions are ExactDocuments where they can be."""

    def __init__(self, fields: Mapping[str, Any], size: int) -> None:
        """`size`: bytes of JSON."""
        super().__init__(fields)
        self.size = size


class ExactEvent(TypedDict, total=False):
    """What is read of an event of ExactDocuments."""

    ApplicationId: Any
    CampaignId: Any
    TreatmentId: Any
    ScheduledTime: Any
    Endpoints: dict[str, ExactDocument]


class RawEvent(ExactEvent, total=False):
    """The same of any other event, each definition as JSON text."""

    Endpoints: dict[str, msgspec.Raw]  # type: ignore[misc]  # in place of the documents


_decode_exact = msgspec.json.Decoder(ExactEvent).decode
_decode_raw = msgspec.json.Decoder(RawEvent).decode
_decode_document = msgspec.json.Decoder(ExactDocument).decode


def decode_event(body: bytes | str, decode: Callable[[Any], Any]) -> DecodedEvent | None:
    """Decode the JSON of an event. None if it has no `$.Endpoints`, an object, or is no JSON.

    decode  decodes a definition that is no ExactDocument, and raises what is to be raised
    """
    try:
        event: Mapping[str, Any] = _decode_exact(body)
    except REFUSALS:  # at least one definition is none
        try:
            event = _decode_raw(body)
        except REFUSALS:
            return None
        definitions = event.get("Endpoints", {})
        event = {
            **event,
            "Endpoints": {id_: decode_definition(raw, decode) for id_, raw in definitions.items()},
        }
    return DecodedEvent(event, len(body)) if "Endpoints" in event else None


def decode_definition(raw: msgspec.Raw, decode: Callable[[Any], Any]) -> Any:
    """One definition: an ExactDocument if it can be, else plain JSON."""
    try:
        return _decode_document(raw)
    except REFUSALS:
        return decode(bytes(raw))


def read_event(event: Mapping[str, Any]) -> Batch:
    """Read an event whose `$.Endpoints` is an object. A bad endpoint becomes an unreadable one."""
    definitions = event["Endpoints"]
    if isinstance(event, DecodedEvent):
        measured = MOST_GROWTH * event.size
        proven = are_exact(definitions.values())
    else:
        found = measure_documents(definitions)
        proven, measured = found is not None, found or 0
    if not proven:
        return inspect_endpoints(event)
    endpoints = [Endpoint(id=id_, document=value, typed=True) for id_, value in definitions.items()]
    return Batch(
        host="pinpoint", context=read_context(event), endpoints=tuple(endpoints), size=measured
    )


def inspect_endpoints(event: Mapping[str, Any]) -> Batch:
    """Read an event endpoint by endpoint, since at least one document is not as documented."""
    lost = size = 0
    endpoints = []
    for index, (id_, value) in enumerate(event["Endpoints"].items()):
        found, encodable = inspect_document(value), is_encodable(id_)
        lost += found.lost + (not encodable)
        size += found.size + len(id_.encode("utf-8", "surrogatepass")) + len('"":,')
        usable = found.document is not None and encodable
        endpoints.append(
            Endpoint(
                id=id_,
                document=found.document if usable else None,
                # Cleaning may cost a document its UserId.
                user=find_user(value) if found.lost or not usable else None,
                typed=found.typed and not found.lost,
                problem=None if usable else explain_endpoint(index, value),
            )
        )
    return Batch(
        host="pinpoint",
        context=read_context(event),
        endpoints=tuple(endpoints),
        unencodable=lost,
        size=size,
    )


def explain_endpoint(index: int, value: object) -> str:
    """Why an endpoint cannot be sent back."""
    if isinstance(value, dict | ExactDocument):
        return f"$.Endpoints[{index}]: expected an id that UTF-8 can encode, found other text"
    return f"$.Endpoints[{index}]: expected an object, found {name_kind(value)}"


def read_context(event: Mapping[str, Any]) -> Context:
    """Read the campaign's ids and its scheduled time."""
    reference = parse_time(read_text(event, "ScheduledTime") or "")
    return Context(
        application_id=read_text(event, "ApplicationId"),
        campaign_id=read_text(event, "CampaignId"),
        treatment_id=read_text(event, "TreatmentId"),
        reference=None if math.isnan(reference) else reference,
    )
