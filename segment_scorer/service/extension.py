"""The service as a Lambda external extension: a sidecar of the function.

It listens on the Unix socket that the function's SCORER_TARGET names. The sidecar listens before it
asks for its first event, so Lambda's init phase ends only when it can score. It registers for
SHUTDOWN only, so no invocation waits for it. Source of the rules: AWS Lambda, "Extensions API".
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.bundle import SHIPPED
from model.errors import SegmentScorerError
from segment_scorer.service.errors import ServiceError
from segment_scorer.service.log import LOG, start_log, write_log
from segment_scorer.service.server import Service, load_model, log_listening
from segment_scorer.service.settings import ServiceSettings

PREFIX = "/2020-01-01/extension"
GRACE = 1.5  # seconds; Lambda kills the process 2 s after SHUTDOWN


class ExtensionsApi:
    """Lambda's Extensions API.

    address  the value of AWS_LAMBDA_RUNTIME_API
    name     the file name of the executable in /opt/extensions
    """

    def __init__(self, address: str, name: str) -> None:
        self._address = address
        self._name = name
        self._identifier = ""

    def register(self) -> None:
        """Register for SHUTDOWN. Raises ServiceError when Lambda refuses."""
        headers = {"Lambda-Extension-Name": self._name, "Content-Type": "application/json"}
        status, found, _ = self._call("POST", "/register", headers, {"events": ["SHUTDOWN"]})
        self._identifier = found.get("lambda-extension-identifier", "")
        if status != 200 or not self._identifier:
            raise ServiceError(
                f"expected Lambda to register the extension, found HTTP status {status}"
            )

    def wait_for_event(self) -> str:
        """The type of the next event.

        Waits without a limit, because Lambda freezes the process between invocations.
        """
        status, _, body = self._call("GET", "/event/next", self._headers())
        if status != 200:
            raise ServiceError(f"expected Lambda's next event, found HTTP status {status}")
        return str(json.loads(body)["eventType"])

    def report(self, phase: str, kind: str, message: str) -> None:
        """Report an error of phase `init` or `exit`; Lambda then ends this environment."""
        headers = {
            **self._headers(),
            "Lambda-Extension-Function-Error-Type": kind,
            "Content-Type": "application/json",
        }
        body = {"errorType": kind, "errorMessage": message, "stackTrace": []}
        self._call("POST", f"/{phase}/error", headers, body)

    def _headers(self) -> dict[str, str]:
        return {"Lambda-Extension-Identifier": self._identifier}

    def _call(
        self, method: str, path: str, headers: Mapping[str, str], body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one call."""
        content = None if body is None else json.dumps(body)
        connection = http.client.HTTPConnection(self._address)
        try:
            connection.request(method, PREFIX + path, content, dict(headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return response.status, found, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(
                f"expected an answer of Lambda's Extensions API: {type(error).__name__}"
            ) from error
        finally:
            connection.close()


def read_settings(environ: Mapping[str, str]) -> ServiceSettings:
    """The sidecar's settings: socket and bundle, as the function's own environment names them.

    Raises ServiceError when SCORER_TARGET is not a Unix socket.
    """
    target = environ.get("SCORER_TARGET", "")
    if not target.startswith("unix:/"):
        raise ServiceError(
            "SCORER_TARGET: expected unix:/path, the socket between function and sidecar"
        )
    return ServiceSettings(
        bundle=Path(environ.get("SCORER_BUNDLE") or SHIPPED),
        listen=(target,),
        grace=GRACE,
        # Lambda freezes both processes together; a connection is as old as the environment.
        idle_timeout=0,
        reflection=False,
    )


def run_extension(api: ExtensionsApi, environ: Mapping[str, str]) -> None:
    """Register, serve, and drain on SHUTDOWN.

    Raises SegmentScorerError, after reporting it to Lambda, when the service cannot start or the
    Extensions API fails.
    """
    api.register()
    phase = "init"
    try:
        settings = read_settings(environ)
        model = load_model(settings.bundle)
        service = Service(model, settings)
        log_listening(service, model)
        phase = "exit"
        while api.wait_for_event() != "SHUTDOWN":
            pass
    except SegmentScorerError as error:
        # If Lambda does not take the report either, the log must still get the first reason.
        with contextlib.suppress(ServiceError):
            api.report(phase, f"Extension.{type(error).__name__}", str(error))
        raise
    write_log(logging.INFO, "draining", seconds=GRACE)
    service.drain().wait(GRACE)
    service.stop()
    write_log(logging.INFO, "stopped")


def main() -> int:
    """Run the extension. The first argument is the executable in /opt/extensions."""
    start_log("info")
    # Lambda may send SIGTERM beside its SHUTDOWN event, which is the signal to stop.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    name, address = Path(sys.argv[1]).name, os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if not address:
        LOG.error("AWS_LAMBDA_RUNTIME_API is not set: the extension runs only inside Lambda")
        return 1
    try:
        run_extension(ExtensionsApi(address, name), os.environ)
    except SegmentScorerError as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
