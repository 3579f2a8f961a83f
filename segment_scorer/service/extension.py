"""The service as a Lambda external extension: a sidecar beside the function, on the Unix socket that the function's SCORER_TARGET names.

Source of the rules: AWS Lambda, "Extensions API". Listens before it asks for its first event, so that Lambda's init phase is the readiness
gate; registers for SHUTDOWN only, so that no reply waits for it; reports why it could not start.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.bundle import SHIPPED
from model.errors import SegmentScorerError
from segment_scorer.service.errors import ServiceError
from segment_scorer.service.log import start_log
from segment_scorer.service.server import Service, ServiceSettings, load_model

LOG = logging.getLogger("segment_scorer.service")
PREFIX = "/2020-01-01/extension"
# Lambda gives 2 s between SHUTDOWN and the kill.
GRACE = 1.5


class ExtensionsApi:
    """Lambda's Extensions API, at the address in AWS_LAMBDA_RUNTIME_API."""

    def __init__(self, address: str, name: str) -> None:
        """`name` must be the file name of the executable in /opt/extensions."""
        self._address = address
        self._name = name
        self._identifier = ""

    def register(self) -> None:
        """Say that this extension is here and wants SHUTDOWN only. Raises ServiceError when Lambda refuses."""
        headers = {"Lambda-Extension-Name": self._name, "Content-Type": "application/json"}
        status, found, _ = self._call("POST", "/register", headers, {"events": ["SHUTDOWN"]})
        self._identifier = found.get("lambda-extension-identifier", "")
        if status != 200 or not self._identifier:
            raise ServiceError(
                f"expected Lambda to register the extension, got HTTP status {status}"
            )

    def wait_for_event(self) -> str:
        """The next event's type. Blocks without a limit: the process is frozen between invocations."""
        status, _, body = self._call("GET", "/event/next", self._headers())
        if status != 200:
            raise ServiceError(f"expected Lambda's next event, got HTTP status {status}")
        return str(json.loads(body)["eventType"])

    def report(self, phase: str, kind: str, sentence: str) -> None:
        """Report an error of phase `init` or `exit`; Lambda then ends this environment."""
        headers = {
            **self._headers(),
            "Lambda-Extension-Function-Error-Type": kind,
            "Content-Type": "application/json",
        }
        self._call(
            "POST",
            f"/{phase}/error",
            headers,
            {"errorType": kind, "errorMessage": sentence, "stackTrace": []},
        )

    def _headers(self) -> dict[str, str]:
        return {"Lambda-Extension-Identifier": self._identifier}

    def _call(
        self, method: str, path: str, headers: Mapping[str, str], body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self._address)
        try:
            connection.request(
                method, PREFIX + path, None if body is None else json.dumps(body), dict(headers)
            )
            response = connection.getresponse()
            return (
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError("expected Lambda's Extensions API to answer") from error
        finally:
            connection.close()


def read_settings(environ: Mapping[str, str]) -> ServiceSettings:
    """What of the function's own settings concerns its sidecar: the socket and the bundle. Raises ServiceError."""
    target = environ.get("SCORER_TARGET", "")
    if not target.startswith("unix:/"):
        raise ServiceError(
            "SCORER_TARGET: expected unix:/path beside a sidecar, the socket where function and sidecar meet"
        )
    return ServiceSettings(
        bundle=Path(environ.get("SCORER_BUNDLE") or SHIPPED),
        listen=(target,),
        grace=GRACE,
        reflection=False,
    )


def run_extension(api: ExtensionsApi, environ: Mapping[str, str]) -> None:
    """Register, serve, and drain on SHUTDOWN. Raises a SegmentScorerError, reported to Lambda, when it cannot start or go on."""
    api.register()
    phase = "init"
    try:
        settings = read_settings(environ)
        model = load_model(settings.bundle)
        service = Service(model, settings)
        LOG.info(
            "listening",
            extra={
                "fields": {
                    "addresses": service.addresses,
                    "model": model.facts.name,
                    "version": model.facts.version,
                }
            },
        )
        phase = "exit"
        while api.wait_for_event() != "SHUTDOWN":
            pass
    except SegmentScorerError as error:
        with contextlib.suppress(
            ServiceError
        ):  # when Lambda does not even take the report, the reason must still reach the log
            api.report(phase, f"Extension.{type(error).__name__}", str(error))
        raise
    LOG.info("draining", extra={"fields": {"seconds": GRACE}})
    stopped: threading.Event = service.drain()
    stopped.wait(GRACE)
    service.stop()
    LOG.info("stopped")


def main() -> int:
    """Run as the executable in /opt/extensions, whose file name is given as the first argument."""
    start_log("info")
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # Lambda's SHUTDOWN is the order to stop; the signal may come beside it
    name, api = Path(sys.argv[1]).name, os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if not api:
        LOG.error(
            "AWS_LAMBDA_RUNTIME_API: expected the Extensions API's address; this runs only inside Lambda"
        )
        return 1
    try:
        run_extension(ExtensionsApi(api, name), os.environ)
    except SegmentScorerError as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
