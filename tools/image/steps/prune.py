"""In the build: remove from a virtual environment ($1) what no function imports.

That is test suites, C headers, type stubs, tools that convert models, a second copy of ONNX
Runtime, and parts of other packages that serve no event. Written in Python because a base may have
no `find`: AWS's own for Python 3.12 and later has none. Imports only the standard library.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

ANYWHERE = frozenset({"tests", "include"})
STUBS = (".pyi", ".pxd")
# Each must exist, so that a release that moves one fails the build instead of growing the image.
UNUSED = (
    *(
        f"onnxruntime/{name}"
        for name in ("backend", "datasets", "quantization", "tools", "transformers")
    ),
    # For programs in C. The Python module beside it has the whole runtime in itself.
    "onnxruntime/capi/libonnxruntime.so.*",
    # HTTP routes and their OpenAPI page.
    "aws_lambda_powertools/event_handler",
    # Wraps Fortran for Python.
    "numpy/f2py",
)


def prune(environment: Path) -> None:
    """Remove them. Raises FileNotFoundError if a listed file or folder is missing: a stale list."""
    (packages,) = environment.glob("lib/python*/site-packages")
    for pattern in UNUSED:
        found = list(packages.glob(pattern))
        if not found:
            raise FileNotFoundError(f"prune.py: expected {pattern} in the environment")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder, names, files in os.walk(environment):
        for name in ANYWHERE.intersection(names):
            names.remove(name)
            shutil.rmtree(Path(folder, name))
        for name in files:
            if name.endswith(STUBS):
                Path(folder, name).unlink()


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
