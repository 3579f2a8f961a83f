"""The bundles that a new model is measured against: the one in use, and the best one so far.

Each model may be a little worse than the one before. Measured against the last one only, a chain of
them drifts down. So a bundle keeps the best model of its chain beside its own, if that is another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.bundle import BEST_FILE, Bundle, load_bundle, read_model
from model.errors import BundleError
from model.manifest import MANIFEST_FILE, NEEDED, find_manifest_problems

MOST_NAMED = 50  # ancestors in a manifest
# What it takes to score by the best bundle, and to fit its recipe.
KEPT = (*NEEDED, "model", "calibration", "reserved", "options", "data_sha256", "score", "as_of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbents:
    """The bundle in use; and the best one of its chain, or None if that is the one in use."""

    last: Bundle
    best: Bundle | None = None

    @property
    def earlier(self) -> tuple[Bundle, ...]:
        """All that a new model is measured against."""
        return (self.last,) if self.best is None else (self.last, self.best)


def load_incumbents(directory: Path | None) -> Incumbents | None:
    """Read both. A bundle without `lineage`, of an older release, is its own best.

    Raises BundleError.
    """
    if directory is None:
        return None
    last = load_bundle(directory)
    return Incumbents(last=last, best=load_best(last))


def load_best(bundle: Bundle) -> Bundle | None:
    """The best bundle so far, if the bundle keeps another one than itself. Raises BundleError."""
    lineage = bundle.manifest.get("lineage")
    kept = lineage.get("best") if isinstance(lineage, Mapping) else None
    if kept is None:
        return None
    where = f"{bundle.directory / MANIFEST_FILE}: lineage.best"
    if not isinstance(kept, Mapping):
        raise BundleError(f"{where}: expected an object")
    problems = find_manifest_problems(kept)
    if problems:
        raise BundleError(f"{where}: {'; '.join(problems)}")
    return read_model(bundle.directory, kept, BEST_FILE)


def extend_lineage(
    incumbents: Incumbents | None, best: Bundle | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """`lineage` of a new manifest, and the file that belongs to it.

    `best` is the earlier bundle that ranks people better than the new model; None if none does.
    """
    named: list[str] = []
    if incumbents is not None:
        lineage = incumbents.last.manifest.get("lineage")
        earlier = lineage.get("bundles", []) if isinstance(lineage, Mapping) else []
        known = [label for label in earlier if isinstance(label, str)]
        named = [*known, incumbents.last.label][-MOST_NAMED:]
    if best is None:
        return {"bundles": named, "best": None}, {}
    kept = {key: best.manifest[key] for key in KEPT if key in best.manifest}
    return {"bundles": named, "best": kept}, {BEST_FILE: best.model}
