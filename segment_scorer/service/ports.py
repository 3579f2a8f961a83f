"""Proves that TCP ports are free, and keeps them while several processes begin to share them.

SO_REUSEPORT lets any process of the same user join a port. A socket that listens without it is the
proof: no other server is there, whether it shares its port or not. Source: socket(7), ip(7).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType

from segment_scorer.service.addresses import split_tcp
from segment_scorer.service.errors import ServiceError


class HeldPorts:
    """Ports that this process holds until it is closed. Others may join them meanwhile.

    addresses  those held, with their real ports
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        """Raises ServiceError for an address that is malformed or not available."""
        self._sockets: list[socket.socket] = []
        try:
            self.addresses = tuple(self._hold(address) for address in addresses)
        except BaseException:
            self.close()
            raise

    def _hold(self, address: str) -> str:
        host, port = split_tcp("--listen", address)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, (name, *_) in dict.fromkeys(found):
                holder = socket.socket(family, kind, protocol)
                self._sockets.append(holder)
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                holder.bind((name, port))
                holder.listen(1)
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                port = holder.getsockname()[1]
        except OSError as error:
            raise ServiceError(
                f"cannot listen on {address}: the port is in use or reserved, or the host is not "
                "this machine's"
            ) from error
        return f"{address.rpartition(':')[0]}:{port}"

    def close(self) -> None:
        """Let the ports go."""
        for holder in self._sockets:
            holder.close()
        self._sockets.clear()

    def __enter__(self) -> HeldPorts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
