"""Event records of the hosts in, who did what and when out. Knows the hosts' formats, no file.

Pinpoint's event stream (Developer Guide, "Streaming event data": app, campaign, email and SMS
events): `event_type`, `event_timestamp` in milliseconds, `client.client_id` (the endpoint's id),
`attributes.campaign_id`.
Amazon Connect's campaign events, as Customer Profiles exports them to Kinesis (Administrator
Guide, "Real-time export" and "Mapping campaign objects to the standard communication record"):
`AssociatedProfileId` beside an `Object` with `campaign_event_type`, `campaign_event_timestamp`,
`campaign_id`, `campaign_run_id` and `channel`, or with the standard record's `Campaign` and
`Events`. Not seen live; read leniently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model.values import parse_time


class CampaignEvent(NamedTuple):
    """What happened to one person.

    id          endpoint id, or ProfileId
    type        event type, as the host writes it
    time        seconds since 1970 UTC; NaN where the record has none
    campaign, run, channel   "" where the record has none
    """

    id: str
    type: str
    time: float
    campaign: str
    run: str
    channel: str


def parse_record(record: object) -> list[CampaignEvent] | None:
    """The events of one record; none where it is about nobody; None where it is no event record."""
    if not isinstance(record, dict):
        return None
    if "event_type" in record:
        return _parse_pinpoint(record)
    if "AssociatedProfileId" in record:
        return list(_parse_connect(record))
    return None


def _parse_pinpoint(record: Mapping[str, Any]) -> list[CampaignEvent]:
    """A record of Pinpoint's event stream."""
    id_ = _read_text(_read_map(record, "client"), "client_id")
    kind = _read_text(record, "event_type")
    if not id_ or not kind:
        return []
    attributes = _read_map(record, "attributes")
    moment = record.get("event_timestamp")
    number = isinstance(moment, int | float) and not isinstance(moment, bool)
    return [
        CampaignEvent(
            id=id_,
            type=kind,
            time=moment / 1000.0 if number and moment is not None else math.nan,
            campaign=_read_text(attributes, "campaign_id"),
            run=_read_text(attributes, "campaign_activity_id"),
            channel=_read_text(attributes, "delivery_type"),
        )
    ]


def _parse_connect(record: Mapping[str, Any]) -> Iterator[CampaignEvent]:
    """A profile object that Customer Profiles exports; other object types give no event."""
    id_ = _read_text(record, "AssociatedProfileId")
    found = _read_map(record, "Object")
    if not id_:
        return
    if kind := _read_text(found, "campaign_event_type"):
        channel = found.get("channel")
        yield CampaignEvent(
            id=id_,
            type=kind,
            time=_read_time(found.get("campaign_event_timestamp")),
            campaign=_read_text(found, "campaign_id"),
            run=_read_text(found, "campaign_run_id"),
            channel=_read_text(channel, "name")
            if isinstance(channel, dict)
            else str(channel or ""),
        )
        return
    campaign = _read_map(found, "Campaign")
    for name, event in _read_map(found, "Events").items():
        moment = event.get("UpdatedDate") if isinstance(event, dict) else None
        yield CampaignEvent(
            id=id_,
            type=name,
            time=_read_time(moment),
            campaign=_read_text(campaign, "CampaignId"),
            run=_read_text(campaign, "CampaignRunId"),
            channel=_read_text(found, "Channel"),
        )


def _read_map(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A map, also one that stands there as JSON text; empty where it is something else."""
    found = value.get(key)
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


def _read_text(value: Mapping[str, Any], key: str) -> str:
    """A text; "" where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _read_time(value: object) -> float:
    """ISO 8601, or milliseconds since 1970; NaN where it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1000.0
    return parse_time(value) if isinstance(value, str) else math.nan
