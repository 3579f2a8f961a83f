"""The ids by which one invocation can be followed through the logs of several systems.

Read from Lambda's context and environment. They name the call, never a person.
"""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

# AWS X-Ray developer guide, "Tracing header": Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...
ROOT = re.compile(r"(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")
TRACE_VARIABLE = "_X_AMZN_TRACE_ID"
LONGEST_ID = 64  # characters; Lambda's request ids have 36


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of one invocation; "" where there is none.

    function_request_id  Lambda's id of the invocation
    xray_trace_id        the id of the trace that it belongs to
    """

    function_request_id: str = ""
    xray_trace_id: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The ids that exist, by their names in log lines."""
        named = {
            "function_request_id": self.function_request_id,
            "xray_trace_id": self.xray_trace_id,
        }
        return {name: value for name, value in named.items() if value}


NO_CORRELATION = Correlation()


def read_correlation(context: Any) -> Correlation:
    """The ids of this invocation.

    The runtime client writes the trace's header into the environment before each invocation, so
    this is read for each of them, unlike every setting.
    """
    request = getattr(context, "aws_request_id", None)
    header = os.environ.get(TRACE_VARIABLE)
    trace = ROOT.search(header) if header else None
    if not request and trace is None:
        return NO_CORRELATION
    return Correlation(
        function_request_id=request[:LONGEST_ID] if isinstance(request, str) else "",
        xray_trace_id=trace[1] if trace else "",
    )
