"""The shipped model as a bundle that reads its metrics from an external store."""

from __future__ import annotations

import shutil
from pathlib import Path

from model.bundle import load_bundle, write_bundle

ARTIFACT = Path(__file__).resolve().parents[2] / "model" / "artifact"


def make_external_bundle(folder: Path) -> None:
    """Write the bundle, whose features read `External` instead of `Metrics`."""
    shipped = load_bundle(ARTIFACT)
    rows = [
        {**row, "path": row["path"].replace("Metrics.", "External.")}
        for row in shipped.spec.to_mapping()["feature"]
    ]
    shutil.rmtree(folder, ignore_errors=True)
    write_bundle(
        folder, shipped.model_file.read_bytes(), {**shipped.manifest, "spec": {"feature": rows}}
    )
