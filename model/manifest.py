"""Reads and checks a bundle's `manifest.json`: its needed keys, golden rows and quantiles.

Input: a bundle's directory, or a manifest's values. Output: plain data, or a BundleError.
`model.bundle` reads the model beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.errors import BundleError, name_failure, name_kind
from model.features import Matrix
from model.regular_file import NotAFileError, read_regular_file
from model.score_kind import ScoreError, ScoreKind, read_score_kind

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT = 1
MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 32 * 2**20  # 20,000 columns with golden rows take less
# Keys that a manifest must have -> the kind of their values
NEEDED = {
    "format": "a number",
    "name": "text",
    "version": "text",
    "columns": "a list",
    "spec": "an object",
    "threshold": "a number",
    "metrics": "an object",
    "sha256": "text",
    "golden": "an object",
    "versions": "an object",
    "quantiles": "a list",
}


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read `manifest.json` and check the keys that a bundle needs.

    Raises BundleError naming every problem.
    """
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(read_regular_file(path, MAX_MANIFEST_BYTES).decode("utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{directory}: expected a bundle: a directory with {MANIFEST_FILE} and {MODEL_FILE}, "
            f"found no {MANIFEST_FILE}"
        ) from error
    except NotAFileError as error:
        raise BundleError(f"{path}: {error}") from error
    except OSError as error:
        raise BundleError(
            f"{path}: expected a readable manifest, found {name_failure(error)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: expected JSON in UTF-8, found damaged text") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{path}: expected a JSON object, found {name_kind(manifest)}")
    problems = find_manifest_problems(manifest)
    if problems:
        raise BundleError(f"{path}: {'; '.join(problems)}")
    return manifest


def find_manifest_problems(manifest: Mapping[str, Any]) -> list[str]:
    """What is wrong with the needed keys of a manifest, as sentences."""
    kinds = {key: name_kind(manifest[key]) if key in manifest else "nothing" for key in NEEDED}
    problems = [
        f"expected {key} to be {kind}, found {kinds[key]}"
        for key, kind in NEEDED.items()
        if kinds[key] != kind
    ]
    if problems:
        return problems
    if manifest["format"] != FORMAT:
        found = f"found {manifest['format']}; train again, or use the release that wrote it"
        problems.append(f"expected format {FORMAT}, {found}")
    try:
        score = read_score_kind(manifest)
    except ScoreError as error:
        problems.append(str(error))
    else:
        if not score.holds(manifest["threshold"]):
            problems.append(f"expected threshold to be {score.span}, found another number")
    problems += [
        f"expected {key} to be text of one character or more, found empty text"
        for key in ("name", "version")
        if not manifest[key]
    ]
    return problems


def golden_as_data(rows: Matrix, scores: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """The manifest's `golden`: rows as lists with null for NaN, scores as numbers.

    JSON keeps every float32 exactly.
    """
    return {
        "rows": [[None if math.isnan(x) else x for x in row] for row in rows.tolist()],
        "scores": scores.astype(float).tolist(),
    }


def read_golden(
    golden: Mapping[str, Any], width: int, directory: Path
) -> tuple[Matrix, npt.NDArray[np.float64]]:
    """Golden rows, float32 [g, width] with NaN for null, and scores [g]. Raises BundleError."""
    try:
        rows = np.array(
            [[np.nan if x is None else x for x in row] for row in golden["rows"]], dtype=np.float32
        )
        scores = np.array(golden["scores"], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected golden to hold rows of numbers or null, and "
            "scores, found another form"
        ) from error
    if not len(scores) or rows.shape != (len(scores), width):
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected one golden row or more of {width} columns, "
            f"and a score for each, found shape {list(rows.shape)} and {len(scores)} scores"
        )
    return rows, scores


def read_quantiles(values: Sequence[Any], score: ScoreKind, directory: Path) -> tuple[float, ...]:
    """The quantiles of a manifest: two or more ascending scores. Raises BundleError."""
    numbers = [value for value in values if score.holds(value)]
    if len(numbers) != len(values) or len(values) < 2 or sorted(numbers) != numbers:
        raise BundleError(
            f"{directory / MANIFEST_FILE}: expected quantiles to be two or more scores "
            f"{score.span} in ascending order, found another list"
        )
    return tuple(float(number) for number in numbers)
