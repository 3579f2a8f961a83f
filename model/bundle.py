"""A bundle: a directory with `model.onnx` and `manifest.json`, all that scoring needs to know about a model.

Takes a directory, gives a checked Bundle (or writes one whole). Never imports onnxruntime: whoever holds the session scores the
golden rows and calls `check_golden`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.errors import BundleError, SpecError
from model.features import FeatureSpec, Matrix, read_spec

# The one in the image: what serves where nothing else is named.
SHIPPED = Path(__file__).parent / "artifact"
FORMAT = 1
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
# What a bundle may hold, besides pictures: a directory with anything else in it is never replaced.
OWN_FILES = frozenset({MODEL_FILE, MANIFEST_FILE, "MODEL_CARD.md", "features.toml"})
# ONNX Runtime against scikit-learn, and against itself on another processor, differs by about 1e-7 when both see float32.
GOLDEN_TOLERANCE = 1e-6
REQUIRED = {
    "format": int,
    "name": str,
    "version": str,
    "columns": list,
    "spec": dict,
    "threshold": float,
    "metrics": dict,
    "sha256": str,
    "golden": dict,
    "versions": dict,
    "quantiles": list,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A checked bundle.

    quantiles   scores at the cumulative shares 0, 0.01 .. 1 of the people it was evaluated on, ascending (101 numbers)
    golden_rows float32 [g, f], NaN where missing; golden_scores float64 [g]
    manifest    everything else that was written beside the model, as plain data
    """

    directory: Path
    name: str
    version: str
    spec: FeatureSpec
    threshold: float
    quantiles: tuple[float, ...]
    golden_rows: Matrix
    golden_scores: npt.NDArray[np.float64]
    manifest: Mapping[str, Any]

    @property
    def model_file(self) -> Path:
        """Path of the ONNX model."""
        return self.directory / MODEL_FILE

    @property
    def label(self) -> str:
        """`name@version`, as it stands in logs, metrics and summaries."""
        return f"{self.name}@{self.version}"


def load_bundle(directory: Path) -> Bundle:
    """Read and check a bundle. Raises BundleError: missing, not of this format, damaged, or columns that do not fit its spec."""
    manifest = read_manifest(directory)
    try:
        spec = read_spec(manifest["spec"])
    except SpecError as error:
        raise BundleError(f"{directory / MANIFEST_FILE}: spec: {error}") from error
    if list(spec.columns) != manifest["columns"]:
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected columns to be the {len(spec.columns)} that its spec makes, in order"
        )
    try:
        digest = hashlib.sha256((directory / MODEL_FILE).read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError(
            f"{directory / MODEL_FILE}: expected the model, a readable file"
        ) from error
    if digest != manifest["sha256"]:
        raise BundleError(
            f"{directory / MODEL_FILE}: expected the SHA-256 that {MANIFEST_FILE} names; the two are not of one training run"
        )
    rows, scores = _read_golden(manifest["golden"], len(spec.columns), directory)
    return Bundle(
        directory=directory,
        name=manifest["name"],
        version=manifest["version"],
        spec=spec,
        threshold=float(manifest["threshold"]),
        quantiles=_read_quantiles(manifest["quantiles"], directory),
        golden_rows=rows,
        golden_scores=scores,
        manifest=manifest,
    )


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read `manifest.json` and check that it has what a bundle needs. Raises BundleError naming every problem."""
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{directory}: expected a bundle: a directory with {MANIFEST_FILE} and {MODEL_FILE}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: expected readable JSON in UTF-8") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{path}: expected a JSON object")
    problems = [
        f"expected {key} to be of type {kind.__name__}"
        for key, kind in REQUIRED.items()
        if not isinstance(manifest.get(key), (int, float) if kind is float else kind)
        or isinstance(manifest.get(key), bool)
    ]
    if not problems and manifest["format"] != FORMAT:
        problems = [f"expected format {FORMAT}; train again, or use the release that wrote it"]
    if not problems and not 0 <= manifest["threshold"] <= 1:
        problems = ["expected threshold to be from 0 to 1"]
    if not problems and not (manifest["name"] and manifest["version"]):
        problems = ["expected name and version to be text of one character or more"]
    if problems:
        raise BundleError(f"{path}: {'; '.join(problems)}")
    return manifest


def write_bundle(
    directory: Path,
    model: bytes,
    manifest: Mapping[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a bundle so that `directory` is, at every moment, the old one whole, the new one whole, or absent.

    `files` go beside the model: name -> content, of those a bundle may hold. `sha256` and `format` are filled in here.
    Raises BundleError where `check_destination` does or the disk refuses.
    """
    import shutil  # noqa: PLC0415  # only whoever writes pays for it, not every cold start

    check_destination(directory)
    directory = directory.resolve()
    fresh, old = (
        directory.with_name(f".{directory.name}.new"),
        directory.with_name(f".{directory.name}.old"),
    )
    whole = {"format": FORMAT, **manifest, "sha256": hashlib.sha256(model).hexdigest()}
    try:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        (fresh / MODEL_FILE).write_bytes(model)
        (fresh / MANIFEST_FILE).write_text(
            json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8"
        )
        for name, content in (files or {}).items():
            (fresh / name).write_bytes(content)
        load_bundle(fresh)
        check_destination(fresh)
        if directory.exists():
            directory.rename(old)
        fresh.rename(directory)
    except OSError as error:
        raise BundleError(
            f"{directory}: expected a directory that can be written: {error.strerror}"
        ) from error
    finally:
        if old.exists() and not directory.exists():
            old.rename(directory)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)


def check_destination(directory: Path) -> None:
    """Raises BundleError unless `directory` is absent, empty or a bundle: writing one replaces the directory whole."""
    try:
        names = {path.name for path in directory.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise BundleError(
            f"{directory}: expected a directory, or nothing yet: {error.strerror}"
        ) from error
    if names and (
        MANIFEST_FILE not in names
        or not all(name in OWN_FILES or name.endswith(".png") for name in names)
    ):
        raise BundleError(
            f"{directory}: expected a new or empty directory, or a bundle and nothing else, since it is replaced whole"
        )


def check_golden(bundle: Bundle, scores: npt.NDArray[np.floating[Any]]) -> None:
    """Compare `scores` [g], got by scoring `bundle.golden_rows`, with what the trainer wrote. Raises BundleError beyond 1e-6."""
    if scores.shape != bundle.golden_scores.shape or not np.allclose(
        scores, bundle.golden_scores, rtol=0, atol=GOLDEN_TOLERANCE
    ):
        raise BundleError(
            f"{bundle.directory}: expected the golden rows to score as the trainer wrote, within {GOLDEN_TOLERANCE:g}"
        )


def golden_as_data(rows: Matrix, scores: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """The manifest's `golden`: rows as lists with null for NaN, scores as numbers. float32 survives the way through JSON exactly."""
    return {
        "rows": [[None if math.isnan(x) else x for x in row] for row in rows.tolist()],
        "scores": scores.astype(float).tolist(),
    }


def _read_golden(
    golden: Mapping[str, Any], width: int, directory: Path
) -> tuple[Matrix, npt.NDArray[np.float64]]:
    try:
        rows = np.array(
            [[np.nan if x is None else x for x in row] for row in golden["rows"]], dtype=np.float32
        )
        scores = np.array(golden["scores"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected golden to hold rows of numbers or null, and scores"
        ) from error
    if not len(scores) or rows.shape != (len(scores), width):
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected one golden row or more of {width} columns, and a score for each"
        )
    return rows, scores


def _read_quantiles(values: Sequence[Any], directory: Path) -> tuple[float, ...]:
    numbers = [
        value
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    ]
    if len(numbers) != len(values) or len(values) < 2 or sorted(numbers) != numbers:
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected quantiles to be two ascending scores or more"
        )
    return tuple(float(number) for number in numbers)
