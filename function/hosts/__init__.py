"""The campaign hosts that the function answers, by name. Each hook event belongs to one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from function.hosts.connect import CONNECT
from function.hosts.host import Host
from function.hosts.pinpoint import PINPOINT
from function.hosts.web import WEB
from function.records import HostName

__all__ = ["EXPECTED_EVENT", "HOSTS", "Host", "find_host"]

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
