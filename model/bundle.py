"""Reads, checks and writes bundles. A bundle is a directory with `model.onnx` and `manifest.json`.

Never imports ONNX Runtime: `model.runtime` scores the golden rows and calls `check_golden`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from model.errors import BundleError, SpecError, name_failure
from model.features import FeatureSpec, Matrix, read_spec
from model.manifest import (
    FORMAT,
    MANIFEST_FILE,
    MODEL_FILE,
    read_golden,
    read_manifest,
    read_quantiles,
)
from model.operators import check_model
from model.regular_file import NotAFileError, read_regular_file
from model.score_kind import RESPONSE, ScoreKind, read_score_kind

if TYPE_CHECKING:
    import numpy.typing as npt

# The bundle in the image, which serves unless another one is named
SHIPPED = Path(__file__).parent / "artifact"
# The model of the best bundle so far, where that is an earlier one than this: the trainer's measure
BEST_FILE = "best.onnx"
MAX_MODEL_BYTES = 128 * 2**20  # the shipped model has 84 kB
# Files of a bundle, besides pictures. A directory with any other file is never replaced.
OWN_FILES = frozenset({MODEL_FILE, MANIFEST_FILE, BEST_FILE, "MODEL_CARD.md", "features.toml"})
# On float32, ONNX Runtime differs from scikit-learn, and from itself on another processor, by about
# 1e-7.
GOLDEN_TOLERANCE = 1e-6


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A checked bundle.

    model          the ONNX model's bytes, which the manifest's SHA-256 is of
    score          what the scores mean, and their range
    quantiles      scores at the shares 0, 0.01 .. 1 of the people it was evaluated on: ascending,
                   101 numbers as the trainer writes them
    golden_rows    float32 [g, f], NaN where missing
    golden_scores  float64 [g], as the trainer's model scored the golden rows
    manifest       the whole manifest, as plain data
    """

    directory: Path
    model: bytes
    name: str
    version: str
    spec: FeatureSpec
    score: ScoreKind = RESPONSE
    threshold: float
    quantiles: tuple[float, ...]
    golden_rows: Matrix
    golden_scores: npt.NDArray[np.float64]
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        """Without the model's bytes and the manifest."""
        return f"{type(self).__name__}({self.label!r}, directory={str(self.directory)!r})"

    @property
    def model_file(self) -> Path:
        """Path of the ONNX model."""
        return self.directory / MODEL_FILE

    @property
    def label(self) -> str:
        """`name@version`, as written to logs, metrics and summaries."""
        return f"{self.name}@{self.version}"


def load_bundle(directory: Path) -> Bundle:
    """Read and check a bundle. A bundle that is replaced meanwhile is read again.

    Raises BundleError if it is missing, damaged, of another format, or its columns do not fit its
    spec.
    """
    while True:
        before = _identify(directory)
        try:
            return _read_bundle(directory)
        except BundleError:
            if _identify(directory) == before:
                raise


def _identify(directory: Path) -> tuple[int, int, int] | None:
    """Identify a directory, whatever its name: another one has another identity."""
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _read_bundle(directory: Path) -> Bundle:
    return read_model(directory, read_manifest(directory))


def read_model(directory: Path, manifest: Mapping[str, Any], name: str = MODEL_FILE) -> Bundle:
    """The bundle of a manifest with the needed keys, and of the model file that it describes.

    Raises BundleError.
    """
    try:
        spec = read_spec(manifest["spec"])
    except SpecError as error:
        raise BundleError(f"{directory / MANIFEST_FILE}: spec: {error}") from error
    if list(spec.columns) != manifest["columns"]:
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected columns to be the {len(spec.columns)} "
            f"that its spec makes, in order, found {len(manifest['columns'])} others"
        )
    try:
        model = read_regular_file(directory / name, MAX_MODEL_BYTES)
    except NotAFileError as error:
        raise BundleError(f"{directory / name}: {error}") from error
    except OSError as error:
        raise BundleError(
            f"{directory / name}: expected a readable model, found {name_failure(error)}"
        ) from error
    if hashlib.sha256(model).hexdigest() != manifest["sha256"]:
        raise BundleError(
            f"{directory / name}: expected the SHA-256 that {MANIFEST_FILE} names, found "
            "another; the two files are not of the same training run"
        )
    check_model(model, directory / name)
    score = read_score_kind(manifest)
    rows, scores = read_golden(manifest["golden"], len(spec.columns), directory)
    return Bundle(
        directory=directory,
        model=model,
        name=manifest["name"],
        version=manifest["version"],
        spec=spec,
        score=score,
        threshold=float(manifest["threshold"]),
        quantiles=read_quantiles(manifest["quantiles"], score, directory),
        golden_rows=rows,
        golden_scores=scores,
        manifest=manifest,
    )


def write_bundle(
    directory: Path,
    model: bytes,
    manifest: Mapping[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a bundle. A reader sees the old bundle or the new one, never a part of one.

    Several processes can write to the same directory: the last bundle stays.

    model     the ONNX model
    manifest  without `sha256` and `format`, which are added here
    files     further files that a bundle may hold: name -> content

    Raises BundleError as `check_destination` and `load_bundle` do, or when writing fails.
    """
    from model.atomic import replace_folder  # noqa: PLC0415  # a cold start does not need it

    check_destination(directory)
    whole = {"format": FORMAT, **manifest, "sha256": hashlib.sha256(model).hexdigest()}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with replace_folder(directory) as fresh:
            (fresh / MODEL_FILE).write_bytes(model)
            (fresh / MANIFEST_FILE).write_text(text, "utf-8")
            for name, content in (files or {}).items():
                (fresh / name).write_bytes(content)
            load_bundle(fresh)
            check_destination(fresh)
            check_destination(directory)  # another process may have put files there meanwhile
    except OSError as error:
        raise BundleError(
            f"{directory}: expected a directory that can be written, found {name_failure(error)}"
        ) from error


def check_destination(directory: Path) -> None:
    """Raise BundleError unless `directory` is absent, empty or a bundle: writing replaces it."""
    try:
        names = {path.name for path in directory.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise BundleError(
            f"{directory}: expected a directory, or nothing yet, found {name_failure(error)}"
        ) from error
    others = sum(name not in OWN_FILES and not name.endswith(".png") for name in names)
    if names and (MANIFEST_FILE not in names or others):
        found = f"{others} other files" if others else f"no {MANIFEST_FILE}"
        raise BundleError(
            f"{directory}: expected a new or empty directory, or a bundle and nothing else, "
            f"found {found}; the whole directory would be replaced"
        )


def check_golden(bundle: Bundle, scores: npt.NDArray[np.floating[Any]]) -> None:
    """Compare `scores` [g] of the golden rows with those that the trainer wrote.

    Raises BundleError for a difference above 1e-6.
    """
    expected = bundle.golden_scores
    if scores.shape == expected.shape and np.allclose(
        scores, expected, rtol=0, atol=GOLDEN_TOLERANCE
    ):
        return
    raise BundleError(
        f"{bundle.directory}: expected the golden rows to score as the trainer wrote, "
        f"within {GOLDEN_TOLERANCE:g}, found other scores"
    )
