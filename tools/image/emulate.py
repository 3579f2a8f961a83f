"""`make emulate`: post the example events to the built image under AWS's emulator.

On a terminal it then keeps listening, for events of your own, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

from tools.image.build import name_image
from tools.image.container import Container, run_container
from tools.image.emulator import INVOKE
from tools.image.engine import ImageError, find_engine

ROOT = Path(__file__).parents[2]


def show_reply(container: Container, path: Path) -> bool:
    """Post one event and print the answer. True if it is a reply, not a function's error."""
    answer = container.emulator.post(path.read_bytes())
    print(f"--- {path.name}: HTTP {answer.status}")
    try:
        reply = answer.json()
    except ValueError:
        print(answer.text)  # a timeout is plain text
        return False
    print(json.dumps(reply, indent=2, ensure_ascii=False), flush=True)
    return answer.status == 200 and not isinstance(reply.get("errorMessage"), str)


def main() -> int:
    """Run the command. Exit status 1: the image does not start, or an event gets no reply."""
    parser = argparse.ArgumentParser(
        description="Serve the image in AWS's emulator and post events to it."
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
    settings = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("SCORER_", "AWS_LAMBDA_FUNCTION_"))
    }
    try:
        image = options.image or name_image(os.environ)
        with run_container(
            find_engine(), image, memory=options.memory, environ=settings, port=options.port
        ) as container:
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
