"""A hook that does what `MessageConfiguration.do` says: how a host sees each kind of failure."""

from __future__ import annotations

import os
import time
from typing import Any


def handle(event: dict[str, Any], context: Any) -> Any:
    match event.get("MessageConfiguration", {}).get("do"):
        case "raise":
            raise LookupError("on purpose")
        case "sleep":
            time.sleep(120)
        case "exit":
            os._exit(3)
        case "nan":
            return {id_: {"Metrics": {"m": float("nan")}} for id_ in event["Endpoints"]}
        case "object":
            return {id_: object() for id_ in event["Endpoints"]}
    return event["Endpoints"]
