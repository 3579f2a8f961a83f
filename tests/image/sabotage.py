"""Mounted into the container: the image's handler, which `CampaignId` of an event harms first."""

import os
import sys
import time
from typing import Any

from function.handler import handle as real


def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
    match event.get("CampaignId"):
        case "sleep":
            time.sleep(3600)
        case "exit":
            os._exit(3)
        case "abort":
            os.abort()
        case "memory":
            held = [bytearray(os.urandom(1 << 20)) for _ in range(1024)]
            print(len(held), file=sys.stderr)
    return real(event, context)
