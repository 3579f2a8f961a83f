"""What a score means: read from a manifest, and held to its range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle import load_bundle
from model.errors import BundleError
from model.runtime import OnnxModel
from model.score_kind import (
    KINDS,
    RESPONSE,
    UPLIFT,
    WIDEST,
    ScoreError,
    ScoreKind,
    read_score_kind,
)
from tests.bundles import (
    EFFECT,
    expected_effects,
    make_bundle,
    make_model,
    make_rows,
    make_uplift_bundle,
    make_uplift_model,
)


@pytest.mark.parametrize("kind", [RESPONSE, UPLIFT, ScoreKind("uplift", -0.25, 0.5)])
def test_reads_what_it_writes(kind: ScoreKind) -> None:
    assert read_score_kind({"score": kind.to_mapping()}) == kind


def test_every_kind_has_its_widest_range() -> None:
    assert set(WIDEST) == set(KINDS)
    assert all(
        (WIDEST[name].low, WIDEST[name].high) == (KINDS[name].low, KINDS[name].high)
        for name in KINDS
    )


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (None, "expected score to be an object, found null"),
        ({}, "expected score.kind to be one of response, uplift, found null"),
        ({"kind": "profit", "low": 0, "high": 1}, "found other text"),
        ({"kind": "response", "low": -1, "high": 1}, "from 0 to 1 for kind response"),
        ({"kind": "response", "low": 1, "high": 0}, "the lower first"),
        ({"kind": "uplift", "low": -2, "high": 1}, "from -1 to 1 for kind uplift"),
        ({"kind": "uplift", "low": float("nan"), "high": 1}, "from -1 to 1"),
        ({"kind": "uplift", "low": True, "high": 1}, "from -1 to 1"),
        ({"kind": "uplift", "low": 0, "high": 1}, "score.low below 0"),
        ({"kind": ["uplift"], "low": 0, "high": 1}, "found a list"),
    ],
)
def test_refuses_another_form(described: Any, words: str) -> None:
    with pytest.raises(ScoreError) as error:
        read_score_kind({"score": described})
    assert words in str(error.value)


def test_holds_numbers_of_its_range_alone() -> None:
    assert [UPLIFT.holds(value) for value in (-1, -0.5, 0, 1.0)] == [True] * 4
    outside = (-1.001, 1.001, True, "0", None, float("nan"), float("inf"))
    assert not any(UPLIFT.holds(value) for value in outside)
    assert not RESPONSE.holds(-1e-9)


def test_clips_scores_within_a_rounding_error_of_the_range() -> None:
    scores = np.array([-1 - 1e-7, 0.25, 1 + 1e-7])
    assert UPLIFT.clip(scores).tolist() == [-1.0, 0.25, 1.0]
    inside = np.array([-0.5, 0.5])
    assert UPLIFT.clip(inside) is inside
    assert UPLIFT.clip(np.empty(0)).tolist() == []


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.5, float("nan")], "NaN or infinity in 1 of 2 rows"),
        ([0.5, float("-inf"), float("nan")], "NaN or infinity in 2 of 3 rows"),
        ([0.5, -0.01], "expected response scores from 0 to 1, found 1 of 2 outside"),
    ],
)
def test_refuses_scores_that_its_kind_cannot_have(scores: list[float], words: str) -> None:
    with pytest.raises(ScoreError) as error:
        RESPONSE.clip(np.array(scores))
    assert words in str(error.value)


def test_a_bundle_of_an_earlier_release_has_response_scores(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "bundle"))
    assert "score" not in bundle.manifest
    assert bundle.score == RESPONSE


def test_an_uplift_bundle_scores_effects_with_their_sign(tmp_path: Path) -> None:
    bundle = load_bundle(make_uplift_bundle(tmp_path / "bundle"))
    assert bundle.score == UPLIFT
    assert bundle.threshold == 0.0
    assert bundle.quantiles[0] < 0 < bundle.quantiles[-1]
    rows = make_rows(50)
    scores = OnnxModel(bundle).score(rows)
    assert np.allclose(scores, expected_effects(rows), rtol=0, atol=1e-6)
    assert -EFFECT <= scores.min() < 0 < scores.max() <= EFFECT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score": "uplift"}, "expected score to be an object, found text"),
        ({"threshold": -1.5}, "expected threshold to be from -1 to 1"),
        ({"quantiles": [-1.2, 0.3]}, "two or more scores from -1 to 1"),
        (
            {"score": {"kind": "response", "low": 0, "high": 1}, "threshold": -0.1},
            "expected threshold to be from 0 to 1",
        ),
    ],
)
def test_a_manifest_is_held_to_its_kind(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BundleError) as error:
        make_uplift_bundle(tmp_path / "bundle", **changes)
    assert words in str(error.value)


def test_a_narrower_range_is_held_to(tmp_path: Path) -> None:
    narrow = ScoreKind("uplift", -EFFECT / 2, EFFECT / 2)
    bundle = make_uplift_bundle(tmp_path / "bundle", kind=narrow, quantiles=[-0.1, 0.1])
    with pytest.raises(BundleError, match="scores its golden rows: expected uplift scores"):
        OnnxModel(load_bundle(bundle))


@pytest.mark.parametrize(
    "model",
    [make_uplift_model(output="variable"), make_uplift_model(more=["other"]), make_model()],
    ids=["another name", "two outputs", "a classifier"],
)
def test_an_uplift_model_has_one_output(tmp_path: Path, model: bytes) -> None:
    bundle = load_bundle(make_uplift_bundle(tmp_path / "bundle", model=model))
    with pytest.raises(BundleError, match=r"uplift scores, effect: FP32 \[-1, 1\]; found"):
        OnnxModel(bundle)
