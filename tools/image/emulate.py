"""`make emulate`: post the example events to the built image under AWS's emulator.

Shows each reply and the batch's record in the log. TARGET=service starts the scoring service too,
and the function asks it. On a terminal it then keeps listening, for events of your own, until
Ctrl-C. Needs a container engine and no package.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.image.beside import ADDRESS, run_service
from tools.image.build import build_image, name_image
from tools.image.container import Container, run_container
from tools.image.emulator import INVOKE
from tools.image.engine import Engine, ImageError, find_engine

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0  # seconds until a record that is not there is given up


def read_records(log: str) -> list[str]:
    """The lines of a log that are records of a batch."""
    found = []
    for line in log.splitlines():
        # The emulator's own lines may stand before it on the same line.
        start = line.find("{")
        with contextlib.suppress(ValueError):
            record = json.loads(line[start:]) if start >= 0 else None
            if isinstance(record, dict) and record.get("message") == "batch":
                found.append(line[start:])
    return found


def show_reply(container: Container, path: Path) -> bool:
    """Post one event; print the answer and its record. True if it is a reply, not an error."""
    before = len(read_records(container.emulator.stdout))
    answer = container.emulator.post(path.read_bytes())
    print(f"--- {path.name}: HTTP {answer.status}")
    try:
        reply = answer.json()
    except ValueError:
        print(answer.text)  # a timeout is plain text
        return False
    print(json.dumps(reply, indent=2, ensure_ascii=False), flush=True)
    if answer.status != 200 or isinstance(reply.get("errorMessage"), str):
        return False
    print("log:", *wait_for_records(container, before), flush=True)
    return True


def wait_for_records(container: Container, before: int) -> Sequence[str]:
    """The records after the first `before`: the emulator may write a line after the reply."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := read_records(container.emulator.stdout)[before:]:
            return found
        time.sleep(0.05)
    return ["no record of the batch"]


@contextlib.contextmanager
def start(
    engine: Engine, options: argparse.Namespace, environ: Mapping[str, str]
) -> Iterator[Container]:
    """The function's container; with TARGET=service, beside the service."""
    settings = {
        name: value
        for name, value in environ.items()
        if name.startswith(("SCORER_", "AWS_LAMBDA_FUNCTION_"))
    }
    with contextlib.ExitStack() as stack:
        beside, image = None, options.image
        if environ.get("TARGET") == "service":
            beside = stack.enter_context(run_service(engine, name_image(environ), options.port))
            settings["SCORER_TARGET"] = ADDRESS
            image = image or build_image(engine, {**environ, "TARGET": "function"})
        yield stack.enter_context(
            run_container(
                engine,
                image or name_image(environ),
                memory=options.memory,
                environ=settings,
                port=options.port,
                beside=beside,
            )
        )


def main() -> int:
    """Run the command. Exit status 1: the image does not start, or an event gets no reply."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.image.emulate",
        description="Serve the image in AWS's emulator and post events to it. TARGET=service in "
        "the environment starts the scoring service beside the function, which then asks it.",
        epilog="Example: TARGET=service python3 -m tools.image.emulate",
    )
    parser.add_argument(
        "events",
        nargs="*",
        type=Path,
        default=sorted((ROOT / "examples" / "events").glob("*.json")),
    )
    parser.add_argument("--image", help="default: the one that TARGET, FUNCTION_SET and ARCH name")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--memory", type=int, default=512, help="megabytes (default: 512)")
    options = parser.parse_args()
    try:
        with start(find_engine(), options, os.environ) as container:
            answered = [show_reply(container, path) for path in options.events]
            if sys.stdin.isatty():
                print(
                    f"--- listening: curl -d @EVENT {container.emulator.url}{INVOKE}"
                    "   (one request at a time; Ctrl-C ends it)"
                )
                with contextlib.suppress(KeyboardInterrupt):
                    container.process.wait()
    except (ImageError, OSError) as error:
        print(f"emulate: {error}", file=sys.stderr)
        return 1
    return 0 if all(answered) else 1


if __name__ == "__main__":
    raise SystemExit(main())
