"""Checks that the packages `function`, `model` and `protos` are ours. Imports none of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

# Imported by the command line under these generic names, which a folder of the user's may have too.
PACKAGES = ("function", "model", "protos")
HOME = Path(__file__).resolve().parents[2]


def find_foreign_package() -> str | None:
    """A sentence about the first of `PACKAGES` that Python would import from elsewhere, or None.

    A package or module of the same name that stands earlier on Python's path hides ours.
    """
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None:
            return (
                f"expected the package {name} in {HOME}, found none; install segment-scorer again"
            )
        found = spec.submodule_search_locations
        kind, path = ("module", spec.origin) if found is None else ("folder", next(iter(found)))
        if path is None or Path(path).resolve() != HOME / name:
            return (
                f"expected segment-scorer's own package {name}, found another {kind} of that name"
                f" first on Python's path: {path}; rename it, or take its folder off PYTHONPATH"
            )
    return None
