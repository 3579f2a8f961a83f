from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.bundle import load_bundle
from model.errors import BundleError
from model.runtime import OnnxModel
from tests.bundles import expected_scores, make_bundle, make_model, make_rows


def load(directory: Path) -> OnnxModel:
    return OnnxModel(load_bundle(directory))


def test_tells_names_datatypes_and_shapes_as_the_model_has_them(tmp_path: Path) -> None:
    facts = load(make_bundle(tmp_path / "bundle")).facts
    assert (facts.name, facts.version, facts.width, facts.takes_missing) == ("tiny", "3", 4, True)
    assert (facts.input.name, facts.input.datatype, facts.input.shape) == ("input", "FP32", (-1, 4))
    assert [(output.name, output.datatype, output.shape) for output in facts.outputs] == [
        ("label", "INT64", (-1,)),
        ("probabilities", "FP32", (-1, 2)),
    ]


def test_computes_every_output_by_name(tmp_path: Path) -> None:
    rows = make_rows(7)
    values = load(make_bundle(tmp_path / "bundle")).compute(rows)
    assert np.allclose(values["probabilities"][:, 1], expected_scores(rows), atol=1e-6)
    assert values["label"].tolist() == [int(score > 0.5) for score in expected_scores(rows)]


def test_finds_out_that_a_model_takes_no_missing_values(tmp_path: Path) -> None:
    assert not load(make_bundle(tmp_path / "bundle", takes_missing=False)).facts.takes_missing


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (b"no model", "expected an ONNX model, found damaged bytes"),
        # Each operator is one of the table, but Sigmoid takes no integers.
        (
            make_model().replace(b"\x22\x07Greater", b"\x22\x07Sigmoid"),
            r"an ONNX model, found a file that ONNX Runtime refuses \(InvalidGraph\)",
        ),
        (make_model(inputs="float_input"), "expected one input, input: FP32 .*found float_input: "),
        (make_model(width=5), r"input: FP32 \[-1, 4\]; found input: FP32 \[-1, 5\]"),
        (
            make_model(probabilities="output_probability"),
            "expected the outputs of response scores, label.*found label.*output_probability",
        ),
        (
            make_model(takes_missing=False),
            "scores its golden rows: expected finite scores, found NaN",
        ),
    ],
)
def test_refuses_a_model_that_is_not_what_the_manifest_describes(
    model: bytes, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=sentence):
        load(make_bundle(tmp_path / "bundle", model=model))
