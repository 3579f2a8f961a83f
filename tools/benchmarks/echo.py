"""The least that a handler can do: return the endpoints. Its cost is runtime and transport."""

from __future__ import annotations

from typing import Any


def handle(event: Any, context: Any) -> Any:  # noqa: ARG001  # Lambda's
    """The endpoints, unchanged."""
    return event["Endpoints"]


def handle_connect(event: Any, context: Any) -> Any:  # noqa: ARG001
    """The profiles of Amazon Connect, unchanged."""
    return event["Items"]


def handle_web(event: Any, context: Any) -> Any:  # noqa: ARG001
    """The body of a request over HTTP, unchanged."""
    return {"statusCode": 200, "body": event["body"]}
