from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from model.errors import BundleError
from model.features import FeatureSpec, Matrix, build_matrix, read_spec
from model.training.export import (
    check_parity,
    convert_model,
    make_golden_rows,
    make_parity_rows,
    round_thresholds,
    score_onnx,
)
from model.training.models import MODELS, ModelSettings
from tests.training_people import fit_model, make_people, make_scored

pytestmark = pytest.mark.usefixtures("undrawn")

SPEC = read_spec(
    {
        "feature": [
            {"name": "visits", "path": "Metrics.Visits", "kind": "number"},
            {"name": "spend", "path": "Metrics.Spend", "kind": "number"},
            {
                "name": "plan",
                "path": "Attributes.Plan",
                "kind": "category",
                "values": ["free", "basic"],
            },
        ]
    }
)


def make_trained(*, calibrated: bool, name: str = "boosting") -> tuple[Any, FeatureSpec, Matrix]:
    model, matrix = fit_once(calibrated, name)
    return copy.deepcopy(model), SPEC, matrix


@functools.cache
def fit_once(calibrated: bool, name: str) -> tuple[Any, Matrix]:
    """A fit costs up to 3 s, so the tests share them."""
    return fit_again(calibrated=calibrated, name=name)


def fit_again(*, calibrated: bool, name: str) -> tuple[Any, Matrix]:
    documents, outcomes = make_people(600)
    people = make_scored(build_matrix(documents, SPEC), np.array(outcomes), SPEC)
    model, _ = fit_model(ModelSettings(model=name), people, 0, calibrated=calibrated)
    return model, people.matrix


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("calibrated", [False, True])
def test_scores_as_scikit_learn_does_with_gaps_unknown_values_and_extremes(
    calibrated: bool, name: str
) -> None:
    model, spec, matrix = make_trained(calibrated=calibrated, name=name)
    rows = make_parity_rows(matrix, spec, 0)
    assert np.isnan(rows).all(axis=1).any()
    assert (rows[:, -1] == 1).any()
    assert check_parity(model, convert_model(model, matrix.shape[1]), rows) < 1e-6


@pytest.mark.parametrize("name", ["boosting", "forest"])
def test_scores_as_scikit_learn_does_between_neighbouring_float32(name: str) -> None:
    # Seconds since 1970 as float32 are 128 apart: each threshold is halfway between neighbours.
    random = np.random.default_rng(0)
    matrix = (np.float32(1.7e9) + 128 * random.integers(0, 40, (3_000, 1))).astype(np.float32)
    outcomes = (
        (matrix[:, 0] > np.float32(1.7e9 + 128 * 20)) ^ (random.random(3_000) < 0.1)
    ).astype(np.int64)
    spec = read_spec(
        {"feature": [{"name": "seconds", "path": "Metrics.Seconds", "kind": "number"}]}
    )
    model, _ = fit_model(
        ModelSettings(model=name), make_scored(matrix, outcomes, spec), 0, calibrated=False
    )
    assert (
        np.abs(
            score_onnx(convert_model(model, 1), matrix) - model.predict_proba(matrix)[:, 1]
        ).max()
        < 1e-6
    )


@pytest.mark.parametrize("name", list(MODELS))
def test_rounding_thresholds_changes_no_score(name: str) -> None:
    model, _, matrix = make_trained(calibrated=False, name=name)
    before = model.predict_proba(matrix)
    round_thresholds(model)
    assert (model.predict_proba(matrix) == before).all()


def test_gives_the_same_bytes_every_time_with_the_fixed_names_and_shapes() -> None:
    trained = [fit_again(calibrated=False, name="boosting") for _ in range(2)]
    first, second = (convert_model(model, matrix.shape[1]) for model, matrix in trained)
    assert first == second
    graph = onnx.load_from_string(first).graph
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [size.dim_value for size in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {
        "input": (onnx.TensorProto.FLOAT, [0, 5]),
        "label": (onnx.TensorProto.INT64, [0]),
        "probabilities": (onnx.TensorProto.FLOAT, [0, 2]),
    }


def test_refuses_a_model_that_scores_differently() -> None:
    model, spec, matrix = make_trained(calibrated=False)
    other, _ = fit_model(
        ModelSettings(model="boosting"),
        make_scored(matrix, 1 - np.array(make_people(600)[1]), spec),
        0,
        calibrated=False,
    )
    with pytest.raises(
        BundleError,
        match=r"exported model .* within 1e-05, found a difference of ",
    ):
        check_parity(model, convert_model(other, matrix.shape[1]), matrix)


@pytest.mark.parametrize(
    "choose",
    [lambda row: np.isnan(row).all(), lambda row: np.isnan(row).any() and not np.isnan(row).all()],
)
def test_golden_rows_have_gaps(choose: Callable[[Any], bool]) -> None:
    assert any(choose(row) for row in make_golden_rows(make_trained(calibrated=False)[2], 0))


def test_no_golden_row_is_a_person() -> None:
    # All columns rise together, so the same quantile of each column would be one person.
    matrix = np.random.default_rng(0).random((500, 1), dtype=np.float32) * np.arange(
        1, 7, dtype=np.float32
    )
    people = {row.tobytes() for row in matrix}
    golden = make_golden_rows(matrix, 0)
    assert len(golden) == 20
    assert not any(row.tobytes() in people for row in golden)
