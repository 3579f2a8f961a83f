"""A local S3 for tests: moto behind a server that can refuse requests, or act before them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import backends
from moto.server import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

READS = {"GET", "HEAD"}


class Store:
    """A store with one bucket, `exports`.

    changes  every request so far that changes something, as "PUT /bucket/key"
    before   called before each of them; False refuses it with 403, which no client repeats
    after    called after each of them, before the client gets the answer; False: answer 403
    """

    def __init__(self) -> None:
        # moto's dispatcher would look at all of moto's folders for each request.
        self._application = create_backend_app("s3")
        self.changes: list[str] = []
        self.before: Callable[[str], bool] = lambda _: True
        self.after: Callable[[str], bool] = lambda _: True
        self.client: Any = None

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """One request (WSGI)."""
        name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if environ["REQUEST_METHOD"] in READS:
            return self._application(environ, start)  # type: ignore[no-any-return]
        if environ["PATH_INFO"].count("/") > 1:
            self.changes.append(name)
        if not self.before(name):
            return refuse(environ, start)
        held: list[Any] = []
        body = list(self._application(environ, lambda *given: held.append(given)))
        if not self.after(name):
            return refuse(environ, start)
        start(*held[0])
        return body

    def names(self, prefix: str) -> set[str]:
        """The names below a prefix, without `prefix/` itself, which Arrow leaves behind."""
        found = self.client.list_objects_v2(Bucket="exports", Prefix=f"{prefix}/").get(
            "Contents", []
        )
        return {entry["Key"].removeprefix(f"{prefix}/") for entry in found} - {""}

    def read(self, key: str) -> bytes:
        """An object's bytes."""
        return bytes(self.client.get_object(Bucket="exports", Key=key)["Body"].read())


class PromptHandler(WSGIRequestHandler):
    """Sends the parts of an answer at once: Nagle's algorithm would wait 40 ms for the client."""

    disable_nagle_algorithm = True


def refuse(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as S3 does without permission."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("403 Forbidden", [("Content-Type", "application/xml")])
    return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]


@contextmanager
def open_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Serve a store with an empty bucket, and point AWS's own settings at it."""
    store = Store()
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=PromptHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    store.client = boto3.client("s3")
    try:
        store.client.create_bucket(Bucket="exports")
        yield store
    finally:
        store.before = store.after = lambda _: True
        backends.get_backend("s3").reset()  # moto's stores are the process's
        server.shutdown()
        thread.join()
        server.server_close()
