"""The least that a handler with our marshaller can do: return the endpoints."""

from __future__ import annotations

import sys
from typing import Any

from function.hosts import decode_event
from function.marshaller import use_marshaller

use_marshaller(sys.modules, decode_event)


def handle(event: Any, context: Any) -> Any:  # noqa: ARG001  # Lambda's
    """The endpoints, unchanged."""
    return event["Endpoints"]
