"""A name server on loopback that gives one name several addresses, as a headless Service has."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ANSWER, NAME_POINTER = 0x8180, 0xC00C  # RFC 1035, 4.1.1 and 4.1.4
ADDRESS, INTERNET = 1, 1


def answer(query: bytes, addresses: Sequence[str]) -> bytes:
    """The answer to a query for addresses; to any other question an empty one (RFC 1035)."""
    end = query.index(b"\0", 12) + 5  # the name, its type and its class
    (kind,) = struct.unpack("!H", query[end - 4 : end - 2])
    found = addresses if kind == ADDRESS else ()
    head = query[:2] + struct.pack("!HHHHH", ANSWER, 1, len(found), 0, 0)
    return (
        head
        + query[12:end]
        + b"".join(
            struct.pack("!HHHIH", NAME_POINTER, ADDRESS, INTERNET, 1, 4) + socket.inet_aton(each)
            for each in found
        )
    )


@contextmanager
def run_names(addresses: Sequence[str]) -> Iterator[str]:
    """Serve until the end; give `host:port` of the name server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()

        def serve() -> None:
            while True:
                query, client = listener.recvfrom(512)
                if not query:
                    return
                listener.sendto(answer(query, addresses), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"{host}:{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (host, port))
            thread.join(10)
