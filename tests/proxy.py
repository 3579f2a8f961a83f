"""A TCP proxy for network faults that a server cannot show: silence, a cut within an answer."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Forwards 127.0.0.1:`port` to an address until told otherwise. Loopback only."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._silent: set[socket.socket] = set()
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._swallow_new = False
        self._answer_bytes: int | None = None
        self.connections = 0
        self._pumps: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def swallow(self, *, new_too: bool) -> None:
        """Silence open connections, as a firewall without state would; `new_too`: new ones too."""
        self._swallow_new = new_too
        for pair in self._open:
            self._silent.update(pair)

    def forward(self) -> None:
        """Connections made from now on work; those that went silent stay so."""
        self._swallow_new = False
        self._answer_bytes = None

    def cut_answers_after(self, count: int) -> None:
        """Connections made from now on are closed once the server has sent this many bytes."""
        self._answer_bytes = count

    def close(self) -> None:
        """End everything. No thread and no socket outlives it, not even of a late connection."""
        # Closing alone would not wake `accept`: it would take one connection more, and nobody
        # would close that one.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        ends = [end for pair in self._open for end in pair]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for pump in self._pumps:
            pump.join()
        for end in ends:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                try:
                    far = socket.create_connection(self._upstream)
                except OSError:
                    near.close()
                    continue
                self._open.append((near, far))
                if self._swallow_new:
                    self._silent.update((near, far))
                for ends in ((near, far, None), (far, near, self._answer_bytes)):
                    pump = threading.Thread(target=self._pump, args=ends, daemon=True)
                    self._pumps.append(pump)
                    pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if source in self._silent:
                    continue
                sink.sendall(data if limit is None else data[: limit - sent])
                sent += len(data)
                if limit is not None and sent >= limit:
                    break
            if source not in self._silent:
                for end in (sink, source):
                    end.shutdown(socket.SHUT_RDWR)
