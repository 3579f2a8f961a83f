"""JSON between Lambda's runtime client and the handler: events are decoded, replies encoded.

msgspec does both. The client's own marshaller (simplejson) does what msgspec refuses, and only it
raises. Knows no host: `function.hosts` decodes.

Source: `BaseLambdaRuntimeClient.marshaller` of awslambdaric, a class attribute that function
authors may replace.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import msgspec

MEDIA_TYPE = "application/json"
CLIENT_MODULE = "awslambdaric.lambda_runtime_client"
# The second is the only class of clients before awslambdaric 3.
CLIENT_CLASSES = ("BaseLambdaRuntimeClient", "LambdaRuntimeClient")
# What msgspec raises for NaN, a lone surrogate, 1e400, bytes that are no UTF-8, deep nesting, and
# types without JSON. `ValueError` includes its own errors and those of UTF-8.
REFUSALS = (ValueError, OverflowError, RecursionError, TypeError)
_encode = msgspec.json.Encoder().encode
# Decodes the JSON of an event; the second argument decodes a part of it that msgspec may refuse.
DecodeEvent: TypeAlias = Callable[[bytes, Callable[[bytes], Any]], Any]


class ClientMarshaller(Protocol):
    """What the runtime client asks."""

    def unmarshal_request(self, request: Any, content_type: str = MEDIA_TYPE) -> Any:
        """The event in a request's body."""
        ...

    def marshal_response(self, response: Any) -> tuple[str | bytes, str]:
        """A reply's body, and its media type."""
        ...


class Marshaller:
    """Decodes and encodes by msgspec, and asks another marshaller where msgspec refuses."""

    def __init__(self, decode: DecodeEvent, otherwise: ClientMarshaller) -> None:
        """`otherwise` is asked in those cases. Its errors are what the host sees."""
        self._decode = decode
        self._otherwise = otherwise

    def unmarshal_request(self, request: Any, content_type: str = MEDIA_TYPE) -> Any:
        """The event in a request's body."""
        if content_type == MEDIA_TYPE:
            try:
                body = request.encode() if isinstance(request, str) else request
                return self._decode(body, self._otherwise.unmarshal_request)
            except REFUSALS:
                pass
        return self._otherwise.unmarshal_request(request, content_type)

    def marshal_response(self, response: Any) -> tuple[str | bytes, str]:
        """A reply's body in UTF-8, and its media type."""
        if not isinstance(response, bytes):
            try:
                return _encode(response), MEDIA_TYPE
            except REFUSALS:
                pass
        return self._otherwise.marshal_response(response)


def measure_reply(reply: Any) -> int:
    """Bytes that a reply, or a part of one, takes as Lambda gets it."""
    try:
        return len(_encode(reply))
    except REFUSALS:
        return len(json.dumps(reply))


def use_marshaller(modules: Mapping[str, ModuleType], decode: DecodeEvent) -> None:
    """Let the runtime client use ours, if it is loaded: it then runs this process.

    modules  `sys.modules`
    """
    client = modules.get(CLIENT_MODULE)
    for name in CLIENT_CLASSES:
        kind = getattr(client, name, None)
        given = getattr(kind, "marshaller", None)
        if kind is not None and given is not None and not isinstance(given, Marshaller):
            kind.marshaller = Marshaller(decode, given)
