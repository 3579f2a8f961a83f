"""A child process that measures when asked: for each number on stdin one measurement, one line of JSON on the real stdout.

Loads MODULE:FUNCTION in whatever environment runs it and calls it with the arguments; what it gives is called once for each number.
What the measured code prints goes nowhere. Knows only the standard library.
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
