"""Amazon Pinpoint's campaign hook (Mode FILTER), both sides: what the function reads and answers, what the runner sends and reads.

Never changes the event, never answers an id that was not received, never a partial definition.
Source: Amazon Pinpoint developer guide, "Customizing segments using a Lambda function"; CampaignHook in the API reference.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from function.errors import ReplyError
from function.hosts.reading import LARGEST_REPLY, read_text
from function.policy import Rules, attributes_for
from function.records import Batch, Context, Decision, Endpoint, Reply
from model.document import clean_value, inspect_document, is_encodable, measure_documents
from model.features import parse_time

NAME = "pinpoint"
# "Your function must complete within 15 seconds" (developer guide).
LIMIT_SECONDS = 15.0
LARGEST_BATCH = 50
# Channels for which the guide says TitleOverride and BodyOverride are honoured: these push services and SMS, never e-mail.
HONOURS_OVERRIDES = frozenset(
    {"ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "BAIDU", "GCM", "SMS"}
)
# JSON text in ASCII with the runtime's separators is at most six times as long as compact UTF-8: DEL takes 1 byte there and 6 here.
MOST_GROWTH = 6
# Bytes of compact UTF-8 that our additions to a definition take beside a band's texts: three names of 50 characters, a score, the rest.
LONGEST_ADDITION = 3 * 50 * 4 + 200


def is_event(event: Mapping[str, Any]) -> bool:
    """Whether the event has this host's shape."""
    return isinstance(event.get("Endpoints"), dict)


def parse_event(event: Mapping[str, Any]) -> Batch:
    """Read an event for which `is_event` holds. A bad endpoint becomes an unreadable one; nothing is raised for it."""
    measured = measure_documents(event["Endpoints"])
    if measured is not None:
        endpoints = tuple(
            [Endpoint(id=id_, document=value) for id_, value in event["Endpoints"].items()]
        )
        return Batch(
            host="pinpoint", context=read_context(event), endpoints=endpoints, size=measured
        )
    return inspect_endpoints(event)


def inspect_endpoints(event: Mapping[str, Any]) -> Batch:
    """Read an event in which something is out of the ordinary, one endpoint after another."""
    lost = size = 0
    endpoints = []
    for index, (id_, value) in enumerate(event["Endpoints"].items()):
        problem, bytes_ = inspect_document(value)
        size += bytes_ + len(id_.encode("utf-8", "surrogatepass")) + len('"":,')
        if problem is None and is_encodable(id_):
            endpoints.append(Endpoint(id=id_, document=value))
            continue
        cleaned, below = clean_value(value)
        usable = isinstance(value, dict) and is_encodable(id_)
        lost += below + (not is_encodable(id_))
        size += len(json.dumps(cleaned)) if usable else 0
        place = f"$.Endpoints[{index}]{(problem or '$: Expected an id that UTF-8 can encode')[1:]}"
        endpoints.append(Endpoint(id=id_, document=cleaned if usable else None, problem=place))
    return Batch(
        host="pinpoint",
        context=read_context(event),
        endpoints=tuple(endpoints),
        unencodable=lost,
        size=size,
    )


def read_context(event: Mapping[str, Any]) -> Context:
    """What the event says of its campaign."""
    reference = parse_time(read_text(event, "ScheduledTime") or "")
    return Context(
        application_id=read_text(event, "ApplicationId"),
        campaign_id=read_text(event, "CampaignId"),
        treatment_id=read_text(event, "TreatmentId"),
        reference=reference if reference == reference else None,  # noqa: PLR0124  # NaN: no readable time
    )


def build_reply(batch: Batch, decisions: Sequence[Decision], rules: Rules, model: str) -> Reply:  # noqa: ARG001  # the host's port
    """The bare map id -> definition of the endpoints that stay, in the order received, each whole with the policy's additions.

    A map beyond what Lambda returns loses its annotations; if it is still too large the policy's `on_error` decides: `drop` leaves
    everybody out, `keep` keeps as many as fit, in order, `raise` raises ReplyError.
    """
    body = {
        endpoint.id: annotate(endpoint.document, decision, rules)
        for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
        if decision.stays and endpoint.document is not None
    }
    if not is_too_large(body, batch, decisions, rules):
        return Reply(
            body=body,
            decisions=decisions,
            overrides_skipped=count_overrides_skipped(batch, decisions, rules),
        )
    plain = {
        endpoint.id: endpoint.document
        for endpoint in batch.endpoints
        if endpoint.id in body and endpoint.document is not None
    }
    if len(json.dumps(plain)) > LARGEST_REPLY:
        if rules.on_error == "raise" and rules.mode != "shadow":
            raise ReplyError("$.Endpoints: expected definitions that fit into Lambda's 6 MB reply")
        plain = {} if rules.on_error == "drop" and rules.mode == "filter" else take_what_fits(plain)
    decisions = [
        decision
        if endpoint.id in plain or not decision.stays
        else Decision(keep=False, stays=False, reason="no_scores")
        for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
    ]
    return Reply(body=plain, decisions=decisions, annotations_dropped=True)


def take_what_fits(definitions: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """As many of the definitions as Lambda returns, in order; one that is too large by itself does not cost the next."""
    taken, size = {}, 2
    for id_, definition in definitions.items():
        more = len(json.dumps({id_: definition})) + 2
        if size + more <= LARGEST_REPLY:
            taken[id_] = definition
            size += more
    return taken


def annotate(document: dict[str, Any], decision: Decision, rules: Rules) -> dict[str, Any]:
    """A definition with the policy's attributes and message overrides; the document itself when there are none."""
    attributes = attributes_for(decision, rules)
    overrides = overrides_for(document, decision, rules)
    if not attributes and not overrides:
        return document
    if not attributes:
        return {**document, **overrides}
    return {
        **document,
        **overrides,
        "Attributes": {**(document.get("Attributes") or {}), **attributes},
    }


def overrides_for(document: Mapping[str, Any], decision: Decision, rules: Rules) -> dict[str, str]:
    """TitleOverride and BodyOverride of the endpoint's band, where its channel honours them."""
    if (
        rules.mode == "shadow"
        or not wants_overrides(decision)
        or document.get("ChannelType") not in HONOURS_OVERRIDES
    ):
        return {}
    band = decision.band
    texts = (
        {"TitleOverride": band.title_override, "BodyOverride": band.body_override} if band else {}
    )
    return {key: text for key, text in texts.items() if text}


def wants_overrides(decision: Decision) -> bool:
    """Whether the endpoint's band has texts for the message."""
    return (
        decision.stays
        and decision.band is not None
        and bool(decision.band.title_override or decision.band.body_override)
    )


def count_overrides_skipped(batch: Batch, decisions: Sequence[Decision], rules: Rules) -> int:
    """How many endpoints would have had an override, had their channel honoured it."""
    if rules.mode == "shadow" or not rules.bands:
        return 0
    return sum(
        wants_overrides(decision)
        and (endpoint.document or {}).get("ChannelType") not in HONOURS_OVERRIDES
        for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
    )


def is_too_large(
    reply: Mapping[str, Any], batch: Batch, decisions: Sequence[Decision], rules: Rules
) -> bool:
    """Whether the reply is beyond what Lambda returns. It is encoded to be measured only when a cheap upper bound is too large."""
    return (
        bound_size(reply, batch, decisions, rules) > LARGEST_REPLY
        and len(json.dumps(reply)) > LARGEST_REPLY
    )


def bound_size(
    reply: Mapping[str, Any], batch: Batch, decisions: Sequence[Decision], rules: Rules
) -> int:
    """Bytes that the encoded reply cannot exceed."""
    texts = [f"{band.name}{band.title_override}{band.body_override}" for band in rules.bands]
    longest = max((len(text.encode()) for text in texts), default=0)
    copied = sum(
        len(msgspec.json.encode(decision.external)) for decision in decisions if decision.external
    )
    return MOST_GROWTH * (batch.size + len(reply) * (longest + LONGEST_ADDITION) + copied) + len(
        "{}"
    )


def opted_out(choice: object, status: object) -> bool:
    """Whether Pinpoint would not send the endpoint with this OptOut and this EndpointStatus to the hook."""
    return choice == "ALL" or status == "INACTIVE"


def build_event(
    endpoints: Mapping[str, Mapping[str, Any]],
    *,
    application_id: str,
    campaign_id: str,
    activity_id: str,
    treatment_id: str,
    scheduled_time: str,
) -> dict[str, Any]:
    """The event that Pinpoint sends for up to 50 endpoints, id -> definition. `scheduled_time` is ISO 8601 with milliseconds and Z."""
    return {
        "MessageConfiguration": {},
        "ApplicationId": application_id,
        "CampaignId": campaign_id,
        "TreatmentId": treatment_id,
        "ActivityId": activity_id,
        "ScheduledTime": scheduled_time,
        "Endpoints": dict(endpoints),
    }


def read_reply(reply: object, sent: Collection[str]) -> dict[str, dict[str, Any]]:
    """Read a hook's answer as the host would: a bare map of received ids to definitions. Raises ReplyError."""
    if not isinstance(reply, dict):
        raise ReplyError("$: expected the bare map of endpoint ids to definitions, an object")
    for index, (id_, definition) in enumerate(reply.items()):
        if id_ not in sent:
            raise ReplyError(f"$[{index}]: expected only ids that the event held")
        if not isinstance(definition, dict):
            raise ReplyError(f"$[{index}]: expected an endpoint definition, an object")
    return reply
