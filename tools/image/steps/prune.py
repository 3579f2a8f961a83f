"""In the build: remove from a virtual environment ($1) what no function imports: test suites, C headers, tools for converting models.

Python, because a base need not have `find`: AWS's own for Python 3.12 and later has not. Imports nothing but the standard library.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ANYWHERE = frozenset({"tests", "include"})
ONNX_RUNTIME_TOOLS = ("backend", "datasets", "quantization", "tools", "transformers")


def prune(environment: Path) -> None:
    """Remove them. Raises FileNotFoundError when ONNX Runtime no longer has a folder that is named here: the list is then stale."""
    for folder, names, _ in os.walk(environment):
        for name in ANYWHERE.intersection(names):
            names.remove(name)
            shutil.rmtree(Path(folder, name))
    (onnxruntime,) = environment.glob("lib/python*/site-packages/onnxruntime")
    for name in ONNX_RUNTIME_TOOLS:
        shutil.rmtree(onnxruntime / name)


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
