"""The ids by which a call can be followed into its caller's log.

Only ids of the form that AWS gives are logged. A client may send any text, and a log holds no
payload.
"""

from __future__ import annotations

import re
from typing import Any

REQUEST_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
TRACE_HEADER = "x-amzn-trace-id"
# AWS X-Ray developer guide, "Tracing header".
TRACE_ID = re.compile(r"(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)", re.ASCII)
LONGEST = 500  # characters of a header that are looked at


def identify(request: Any, context: Any) -> dict[str, Any]:
    """The ids of a call, for its log lines: function_request_id and xray_trace_id if they exist.

    request  the call's message, or None if it could not be read
    """
    found: dict[str, Any] = {}
    id_ = getattr(request, "id", "")
    if isinstance(id_, str) and REQUEST_ID.fullmatch(id_):
        found["function_request_id"] = id_
    for name, value in context.invocation_metadata() or ():
        if name == TRACE_HEADER and (match := TRACE_ID.search(str(value)[:LONGEST])):
            found["xray_trace_id"] = match[1]
    return found
