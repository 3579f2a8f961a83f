"""`make up` and `make down`: function, scoring service and Prometheus on one machine.

Builds both images, starts compose.yaml with docker or podman, sends one event, and shows the answer
and the record that says who scored. Needs a container engine and no package but podman-compose,
where the engine is podman.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.image.build import build_image
from tools.image.emulate import read_records
from tools.image.emulator import INVOKE
from tools.image.emulator_binary import fetch_emulator
from tools.image.engine import Engine, ImageError, find_engine

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
PODMAN_COMPOSE = ROOT / ".cache" / "compose" / "bin" / "podman-compose"
EVENT = ROOT / "examples" / "events" / "cdnow-five-customers.json"
PROMETHEUS = "docker.io/prom/prometheus:v3.7.3"
# The ports on loopback that are published.
PORTS = {"FUNCTION_PORT": 9000, "PROMETHEUS_PORT": 9090}
SERVICES = ("scoring", "function", "prometheus")
PATIENCE = 180.0  # ends a wait that would never end


def find_compose(engine: Engine) -> list[str]:
    """The command that reads compose.yaml. Raises ImageError."""
    if engine.program == "docker":
        if not engine.succeeds("compose", "version"):
            raise ImageError("expected docker's plugin compose; install docker-compose-plugin")
        return ["docker", "compose", "--file", str(FILE)]
    if not PODMAN_COMPOSE.exists():
        raise ImageError("expected podman-compose in .cache/compose; use `make up`")
    return [str(PODMAN_COMPOSE), "--in-pod=false", "--file", str(FILE)]


def prepare(engine: Engine, environ: Mapping[str, str]) -> dict[str, str]:
    """Build the images and provide the rest: the environment of compose.yaml."""
    built = {
        f"{target.upper()}_IMAGE": build_image(engine, {**environ, "TARGET": target})
        for target in ("function", "service")
    }
    prometheus = provide_prometheus(engine, environ)
    return {**built, "PROMETHEUS_IMAGE": prometheus, "EMULATOR": str(fetch_emulator())}


def provide_prometheus(engine: Engine, environ: Mapping[str, str]) -> str:
    """The name of Prometheus' image, which is pulled if it is not here. Raises ImageError."""
    prometheus = environ.get("PROMETHEUS_IMAGE") or PROMETHEUS
    if not engine.succeeds("image", "inspect", prometheus) and not engine.succeeds(
        "pull", prometheus
    ):
        raise ImageError(
            f"expected the image {prometheus}, found none on this machine and cannot pull it; set "
            "PROMETHEUS_IMAGE to another, or make a stand-in with tools/image/prometheus.sh"
        )
    return prometheus


def read_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """The published ports by the variables that choose them. Raises ValueError."""
    return {name: int(environ.get(name) or default) for name, default in PORTS.items()}


def check_ports(engine: Engine, environ: Mapping[str, str]) -> None:
    """Raise ImageError if another program has a port. Our own containers may have it already."""
    if find_container(engine, "scoring"):
        return
    for name, port in read_ports(environ).items():
        with socket.socket() as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                found.bind(("127.0.0.1", port))
            except OSError as error:
                raise ImageError(
                    f"{name}: expected a free port, found {port} in use; set another, or end the "
                    "program that listens there"
                ) from error


def find_container(engine: Engine, service: str) -> str:
    """The id of a service's running container; "" if there is none."""
    project = engine.environ.get("COMPOSE_PROJECT_NAME") or "segment-scorer"
    # docker and podman-compose name containers differently, and give them the same labels.
    labels = f"project={project}", f"service={service}"
    filters = [f"--filter=label=com.docker.compose.{label}" for label in labels]
    return engine.ask("ps", "--quiet", *filters).strip()


def run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run compose, with its output on stderr. Raises ImageError when it fails."""
    if subprocess.run(command, env=environ, cwd=ROOT, stdout=2, check=False).returncode:
        raise ImageError("expected compose to succeed; its messages are above")


def ask(port: int) -> bytes:
    """Post the event until the function answers. Raises ImageError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", INVOKE, EVENT.read_bytes())
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    raise ImageError(f"expected the function to answer at 127.0.0.1:{port}; see the engine's logs")


def wait_for_record(engine: Engine) -> str:
    """The newest record in the function's log. Raises ImageError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        name = find_container(engine, "function")
        if name and (records := read_records(engine.ask("logs", name))):
            return records[-1]
        time.sleep(0.2)
    raise ImageError("expected a record of the batch in the function's log")


def main() -> int:
    """Run the command. An expected error is one sentence and status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.image.up",
        description="Start function, scoring service and Prometheus, and send one event. "
        "Environment: FUNCTION_PORT (9000), PROMETHEUS_PORT (9090), PROMETHEUS_IMAGE, and those of "
        "`make image`.",
        epilog="Example: FUNCTION_PORT=9001 make up",
    )
    parser.add_argument("--down", action="store_true", help="only end and remove all three")
    parser.add_argument(
        "--provide", action="store_true", help="only pull Prometheus' image if it is missing"
    )
    options = parser.parse_args()
    try:
        engine = find_engine()
        if options.provide:
            print(f"Prometheus: {provide_prometheus(engine, os.environ)}")
            return 0
        compose = find_compose(engine)
        environ = dict(engine.environ)
        if options.down:
            run([*compose, "down"], {**environ, "EMULATOR": os.devnull})
            return 0
        check_ports(engine, environ)
        environ |= prepare(engine, os.environ)
        run([*compose, "up", "--detach"], environ)
        # podman-compose succeeds even if a container cannot start.
        if missing := [name for name in SERVICES if not find_container(engine, name)]:
            raise ImageError(
                f"expected all containers to run, found none of {', '.join(missing)}; compose's "
                "messages are above, and `make down` removes the others"
            )
        ports = read_ports(environ)
        port = ports["FUNCTION_PORT"]
        reply = json.loads(ask(port))
        print(json.dumps(reply, indent=2, ensure_ascii=False))
        print("log:", wait_for_record(engine))
        print(
            f"function: http://127.0.0.1:{port}{INVOKE}   (one request at a time)\n"
            f"Prometheus: http://127.0.0.1:{ports['PROMETHEUS_PORT']}\n"
            "`make down` ends both and the scoring service"
        )
    except (ImageError, ValueError) as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
