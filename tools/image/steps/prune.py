"""In the build: remove from a virtual environment ($1) what no function imports.

That is test suites, C headers, and tools that convert models. Written in Python because a base may
have no `find`: AWS's own for Python 3.12 and later has none. Imports only the standard library.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ANYWHERE = frozenset({"tests", "include"})
ONNX_RUNTIME_TOOLS = ("backend", "datasets", "quantization", "tools", "transformers")


def prune(environment: Path) -> None:
    """Remove them. Raises FileNotFoundError if ONNX Runtime lacks a listed folder: a stale list."""
    for folder, names, _ in os.walk(environment):
        for name in ANYWHERE.intersection(names):
            names.remove(name)
            shutil.rmtree(Path(folder, name))
    (onnxruntime,) = environment.glob("lib/python*/site-packages/onnxruntime")
    for name in ONNX_RUNTIME_TOOLS:
        shutil.rmtree(onnxruntime / name)


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
