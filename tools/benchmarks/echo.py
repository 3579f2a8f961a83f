"""The least that a handler can do: return the endpoints. Its cost is runtime and transport."""

from __future__ import annotations

from typing import Any


def handle(event: Any, context: Any) -> Any:  # noqa: ARG001  # Lambda's
    """The endpoints, unchanged."""
    return event["Endpoints"]
