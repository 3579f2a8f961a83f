"""A child process that measures on request: one number from stdin, one line of JSON to stdout.

It imports MODULE:FUNCTION and calls it with the arguments. The result is called for each number.
Output of the measured code is discarded. Needs only the standard library.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    """Serve until stdin ends."""
    module, _, name = sys.argv[1].partition(":")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    measure = getattr(importlib.import_module(module), name)(*sys.argv[2:])
    for line in sys.stdin:
        replies.write(json.dumps(measure(int(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
