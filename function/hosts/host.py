"""The port of a campaign host. The function uses the first three methods, the runner the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from function.policy import Rules
from function.records import Batch, Campaign, Decision, HostName, Reply


class Host(Protocol):
    """A campaign host: the form of its events and of the replies it accepts.

    A host subclasses this Protocol, so that mypy refuses one that lacks a method.

    name              as in `--host`, log lines and `summary.json`
    annotates         whether the policy's attributes go into the document's `Attributes`
    tells_attributes  whether the reply holds the policy's attributes
    tells_decisions   whether the reply tells the decision on each person, not only who is kept
    limit_seconds     how long the host waits for a reply
    """

    name: HostName
    annotates: bool
    tells_attributes: bool
    tells_decisions: bool
    limit_seconds: float

    def is_event(self, event: Mapping[str, Any]) -> bool:
        """Whether the event has this host's shape."""
        ...

    def parse_event(self, event: Mapping[str, Any]) -> Batch:
        """Read an event for which `is_event` holds. A bad endpoint becomes an unreadable one."""
        ...

    def name_document(self, index: int) -> str:
        """The path of an event's document i, for messages: `$.Endpoints[3]`."""
        ...

    def build_reply(
        self, batch: Batch, decisions: Sequence[Decision], rules: Rules, model: str
    ) -> Reply:
        """Build the reply to a batch, one decision per endpoint. `model` is `name@version`.

        Raises ReplyError if the reply is too large and the rules say `on_error = "raise"`.
        """
        ...

    def build_event(self, people: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
        """Build the event of a batch. `people`: id -> what the host sends of a person."""
        ...

    def read_reply(self, reply: object, sent: Collection[str]) -> dict[str, dict[str, Any]]:
        """Read a reply as the host does: id -> what was answered. `sent` are the event's ids.

        Raises ReplyError.
        """
        ...
