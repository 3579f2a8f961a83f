"""The last steps to a bundle, whatever made the model: its descent, then write, load and check.

Takes the manifest so far and the gate's verdict. Writes one folder, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.bundle import Bundle, load_bundle, write_bundle
from model.training.gate import Verdict, check_bundle
from model.training.lineage import Incumbents, extend_lineage
from model.training.options import digest_data


def record_descent(
    manifest: Mapping[str, Any],
    verdict: Verdict | None,
    incumbents: Incumbents | None,
    best: Bundle | None,
    *,
    outcomes: Path,
    endpoints: Sequence[Path],
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest with `gate`, `lineage` and `data_sha256`, and the file that belongs to it.

    `best` is the earlier bundle that ranks people better than the new model; None if none does.
    Raises DataError if a data file cannot be read.
    """
    lineage, files = extend_lineage(incumbents, best)
    return {
        **manifest,
        **({} if verdict is None else {"gate": verdict.figures}),
        "lineage": lineage,
        "data_sha256": digest_data(outcomes, endpoints),
    }, files


def write_checked(
    directory: Path, onnx: bytes, manifest: dict[str, Any], files: Mapping[str, bytes]
) -> Bundle:
    """Write a bundle, and load and check what was written. Raises BundleError."""
    write_bundle(directory, onnx, manifest, files)
    bundle = load_bundle(directory)
    check_bundle(bundle)
    return bundle
