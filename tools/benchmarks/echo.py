"""The least that a handler can do: give the endpoints back. What it costs is the runtime's and the transport's."""

from __future__ import annotations

from typing import Any


def handle(event: Any, context: Any) -> Any:  # noqa: ARG001  # Lambda's
    """The endpoints as they came."""
    return event["Endpoints"]
