"""Amazon Pinpoint's campaign hook (Mode FILTER), both sides of it.

Never changes the event, never answers an id that was not received, never a partial definition.
Source: Amazon Pinpoint developer guide, "Customizing segments using a Lambda function"; API
reference, CampaignHook.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from function.errors import ReplyError
from function.hosts.host import Host
from function.hosts.pinpoint_event import read_event
from function.hosts.reading import LARGEST_REPLY, read_text
from function.marshaller import measure_reply
from function.policy import Rules, attributes_beside, leave_out
from function.records import Batch, Campaign, Decision, Endpoint, HostName, Reply
from model.document_types import AnyDocument, replace_fields
from model.errors import name_kind

LARGEST_BATCH = 50
# The guide says that these push services and SMS honour TitleOverride and BodyOverride. E-mail and
# voice do not.
HONOURS_OVERRIDES = frozenset(
    {"ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "BAIDU", "GCM", "SMS"}
)
# Bytes that annotations add to a definition beside the texts of a band: three
# names of 50 characters, a score, and the punctuation.
LONGEST_ADDITION = 3 * 50 * 4 + 200


class PinpointHost(Host):
    """Amazon Pinpoint: a batch is a map id -> endpoint definition, and so is the reply."""

    name: HostName = "pinpoint"
    annotates = True
    tells_attributes = True
    tells_decisions = False
    # "Your function must complete within 15 seconds" (developer guide).
    limit_seconds = 15.0

    def is_event(self, event: Mapping[str, Any]) -> bool:
        """Whether `$.Endpoints` is an object."""
        return isinstance(event.get("Endpoints"), dict)

    def parse_event(self, event: Mapping[str, Any]) -> Batch:
        """Read an event for which `is_event` holds. A bad endpoint becomes an unreadable one."""
        return read_event(event)

    def name_document(self, index: int) -> str:
        """See `Host`."""
        return f"$.Endpoints[{index}]"

    def build_reply(
        self,
        batch: Batch,
        decisions: Sequence[Decision],
        rules: Rules,
        model: str,  # noqa: ARG002  # only Connect's reply names the model
    ) -> Reply:
        """Build the map id -> definition of the endpoints to send, in the order received.

        Each definition is whole, with the policy's annotations. A map that is larger than Lambda
        allows loses its annotations. If it is still too large, `on_error` decides: `drop` keeps no
        endpoint, `keep` keeps as many as fit, in order, and `raise` raises ReplyError.
        """
        body = {
            endpoint.id: annotate(endpoint, decision, rules)
            for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
            if decision.sent and endpoint.document is not None
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
        if measure_reply(plain) > LARGEST_REPLY:
            plain = shorten(plain, rules)
        decisions = [
            decision if endpoint.id in plain or not decision.sent else leave_out(decision)
            for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
        ]
        return Reply(body=plain, decisions=decisions, annotations_dropped=True)

    def build_event(self, people: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
        """Build the event for up to 50 endpoints, id -> definition."""
        return {
            "MessageConfiguration": {},
            "ApplicationId": campaign.application_id,
            "CampaignId": campaign.campaign_id,
            "TreatmentId": campaign.treatment_id,
            "ActivityId": campaign.activity_id,
            "ScheduledTime": campaign.scheduled_time,
            "Endpoints": dict(people),
        }

    def read_reply(self, reply: object, sent: Collection[str]) -> dict[str, dict[str, Any]]:
        """Read a bare map of received ids to definitions. Raises ReplyError for anything else."""
        if not isinstance(reply, dict):
            raise ReplyError(
                f"$: expected an object, endpoint ids to definitions; found {name_kind(reply)}"
            )
        for index, (id_, definition) in enumerate(reply.items()):
            if id_ not in sent:
                raise ReplyError(f"$[{index}]: expected an id of the event, found another id")
            if not isinstance(definition, dict):
                raise ReplyError(
                    f"$[{index}]: expected an endpoint definition, an object; "
                    f"found {name_kind(definition)}"
                )
        return reply


PINPOINT = PinpointHost()


def shorten(definitions: Mapping[str, AnyDocument], rules: Rules) -> dict[str, AnyDocument]:
    """Leave definitions out until the reply fits, as `on_error` says. Raises ReplyError."""
    if rules.on_error == "raise" and rules.mode != "shadow":
        raise ReplyError("$.Endpoints: expected definitions that fit into Lambda's 6 MB reply")
    if rules.on_error == "drop" and rules.mode == "filter":
        return {}
    return take_fitting(definitions)


def take_fitting(definitions: Mapping[str, AnyDocument]) -> dict[str, AnyDocument]:
    """Take definitions in order while they fit. One that is too large does not cost the next."""
    taken: dict[str, AnyDocument] = {}
    size = len("{}")
    for id_, definition in definitions.items():
        more = measure_reply({id_: definition}) - len("{}") + len(",")
        if size + more <= LARGEST_REPLY:
            taken[id_] = definition
            size += more
    return taken


def annotate(endpoint: Endpoint, decision: Decision, rules: Rules) -> AnyDocument:
    """Add the policy's attributes and message overrides; the document itself if there are none."""
    document = endpoint.document or {}
    own = document.get("Attributes")
    attributes = attributes_beside(own, decision, rules)
    changes: dict[str, Any] = {}
    if decision.band is not None:
        changes.update(overrides_for(document, decision, rules))
    if attributes:
        changes["Attributes"] = {**own, **attributes} if own else attributes
    return replace_fields(document, changes) if changes else document


def overrides_for(document: AnyDocument, decision: Decision, rules: Rules) -> dict[str, str]:
    """TitleOverride and BodyOverride of the endpoint's band, if its channel honours them."""
    band = decision.band
    if (
        band is None
        or rules.mode == "shadow"
        or not wants_overrides(decision)
        or not honours_overrides(document)
    ):
        return {}
    texts = {"TitleOverride": band.title_override, "BodyOverride": band.body_override}
    return {key: text for key, text in texts.items() if text}


def honours_overrides(document: AnyDocument) -> bool:
    """Whether the endpoint's channel honours overrides of a message."""
    return read_text(document, "ChannelType") in HONOURS_OVERRIDES


def wants_overrides(decision: Decision) -> bool:
    """Whether the endpoint's band has texts for the message."""
    return (
        decision.sent
        and decision.band is not None
        and bool(decision.band.title_override or decision.band.body_override)
    )


def count_overrides_skipped(batch: Batch, decisions: Sequence[Decision], rules: Rules) -> int:
    """Count the endpoints whose band has an override that their channel does not honour."""
    if rules.mode == "shadow" or not rules.bands:
        return 0
    return sum(
        wants_overrides(decision) and not honours_overrides(endpoint.document or {})
        for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
    )


def is_too_large(
    body: Mapping[str, Any], batch: Batch, decisions: Sequence[Decision], rules: Rules
) -> bool:
    """Whether the reply is larger than Lambda allows. Encodes it only if an upper bound says so."""
    return (
        bound_size(body, batch, decisions, rules) > LARGEST_REPLY
        and measure_reply(body) > LARGEST_REPLY
    )


def bound_size(
    body: Mapping[str, Any], batch: Batch, decisions: Sequence[Decision], rules: Rules
) -> int:
    """Bytes that the encoded reply cannot exceed."""
    longest = copied = 0
    if rules.bands:
        texts = [f"{band.name}{band.title_override}{band.body_override}" for band in rules.bands]
        longest = max(map(measure_reply, texts))
    if rules.external:
        copied = sum(measure_reply(decision.external) for decision in decisions)
    return batch.size + len(body) * (longest + LONGEST_ADDITION) + copied + len("{}")


def opted_out(choice: object, status: object) -> bool:
    """Whether Pinpoint leaves out an endpoint with this OptOut and this EndpointStatus."""
    return choice == "ALL" or status == "INACTIVE"
