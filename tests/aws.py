"""An empty moto server on loopback, as the environment of an AWS client or tool."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def run_moto() -> Iterator[dict[str, str]]:
    """Start the server; give the environment variables that point an AWS client to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        # moto's state belongs to the process and outlives the server
        reset = urllib.request.Request(f"{address}/moto-api/reset", method="POST")  # noqa: S310  # loopback
        urllib.request.urlopen(reset, timeout=10).close()  # noqa: S310
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        yield {
            **keys,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }
    finally:
        server.stop()
