"""Calls that no gRPC client makes: HTTP/2 frames by hand, over a plain socket.

Sources: RFC 9113 (frames), RFC 7541 (literal header fields), gRPC over HTTP/2 (length-prefixed
messages).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, AWAY = 0x0, 0x1, 0x3, 0x4, 0x7
END_STREAM, END_HEADERS = 0x1, 0x4


class Connection:
    """One HTTP/2 connection to `host:port`. `limit` is the longest wait for a frame, in seconds."""

    def __init__(self, address: str, limit: float) -> None:
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), limit)
        self._streams = iter(range(1, 1_000_000, 2))
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))

    def begin_call(self, path: str) -> int:
        """Send the headers of a call; give its stream."""
        stream = next(self._streams)
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        block = b"".join(b"\0" + text(name) + text(value) for name, value in fields.items())
        self.socket.sendall(frame(HEADERS, END_HEADERS, stream, block))
        return stream

    def send(self, stream: int, payload: bytes, flags: int = 0) -> None:
        self.socket.sendall(frame(DATA, flags, stream, payload))

    def frames(self) -> Iterator[tuple[int, int, int]]:
        """Kind, flags and stream of each frame that arrives, until the server closes."""
        while len(head := self._read(9)) == 9:
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            self._read(length)
            if kind == SETTINGS and not flags:
                self.socket.sendall(frame(SETTINGS, 1, 0, b""))
            yield kind, flags, stream

    def wait_for_end(self, stream: int) -> bool:
        """Whether the server ends the stream (else it closed the connection first)."""
        return any(
            found == stream and (kind == RESET or flags & END_STREAM)
            for kind, flags, found in self.frames()
        )

    def _read(self, count: int) -> bytes:
        whole = b""
        while len(whole) < count and (some := self.socket.recv(count - len(whole))):
            whole += some
        return whole


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def text(value: str) -> bytes:
    assert len(value) < 127
    return bytes([len(value)]) + value.encode("ascii")


@contextmanager
def connect(address: str, limit: float) -> Iterator[Connection]:
    connection = Connection(address, limit)
    try:
        yield connection
    finally:
        connection.socket.close()
