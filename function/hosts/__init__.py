"""The campaign hosts that the function answers, by name. Each hook event belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from function.hosts import pinpoint_event
from function.hosts.connect import CONNECT
from function.hosts.host import Host
from function.hosts.pinpoint import PINPOINT
from function.hosts.web import WEB
from function.records import HostName

__all__ = ["EXPECTED_EVENT", "HOSTS", "Host", "decode_event", "find_host"]

_decode = msgspec.json.Decoder().decode

HOSTS: Mapping[HostName, Host] = {host.name: host for host in (PINPOINT, CONNECT, WEB)}
EXPECTED_EVENT = (
    "expected a campaign hook event: an object with $.Endpoints, an object (Amazon Pinpoint), "
    "$.Items.CustomerProfiles, a list (Amazon Connect), or $.requestContext.http, an object "
    "(HTTP, payload 2.0)"
)


def find_host(event: Mapping[str, Any], hosts: Iterable[Host] = HOSTS.values()) -> Host | None:
    """The host that sends events of this shape, or None."""
    for host in hosts:
        if host.is_event(event):
            return host
    return None


def decode_event(body: bytes, otherwise: Callable[[bytes], Any]) -> Any:
    """Decode the JSON of an event. Definitions of Pinpoint's become ExactDocuments.

    otherwise  decodes a definition that msgspec refuses
    Raises msgspec's errors for JSON that it refuses.
    """
    if b'"Endpoints"' in body:  # of other hosts hardly ever
        event = pinpoint_event.decode_event(body, lambda part: decode_part(part, otherwise))
        if event is not None:
            return event
    return _decode(body)


def decode_part(part: bytes, otherwise: Callable[[bytes], Any]) -> Any:
    """Decode a part of an event."""
    try:
        return _decode(part)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return otherwise(part)
