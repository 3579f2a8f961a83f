"""The bundle that ships: complete, as good as it says, and equal to a training on the example."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import model
from examples.cdnow.make_endpoints import HERE
from model.bundle import Bundle, check_golden, load_bundle
from model.features import load_spec
from model.runtime import open_session
from model.training.config import TrainingConfig
from model.training.export import score_onnx
from model.training.manifest import SHAPING
from model.training.models import ModelSettings
from model.training.train import train_bundle

ARTIFACT = Path(model.__file__).parent / "artifact"


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(ARTIFACT)


@pytest.fixture(scope="module")
def retrained(cdnow_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    config = TrainingConfig(
        endpoints=(cdnow_files / "endpoints.jsonl.gz",),
        outcomes=cdnow_files / "outcomes.csv",
        features=HERE / "features.toml",
        out=tmp_path_factory.mktemp("retrained") / "bundle",
        settings=ModelSettings(model="boosting"),
        reserve=0.2,
    )
    return train_bundle(config, lambda *_: None).bundle


def test_scores_its_golden_rows_as_the_trainer_wrote(shipped: Bundle) -> None:
    assert len(shipped.golden_rows) == 20
    assert np.isnan(shipped.golden_rows).any()
    check_golden(shipped, score_onnx(shipped.model_file.read_bytes(), shipped.golden_rows))


def test_has_the_inputs_and_outputs_of_the_scoring_service(shipped: Bundle) -> None:
    session = open_session(shipped.model)
    tensors = [
        (tensor.name, tensor.type, tensor.shape[1:])
        for tensor in (*session.get_inputs(), *session.get_outputs())
    ]
    assert tensors == [
        ("input", "tensor(float)", [len(shipped.spec.columns)]),
        ("label", "tensor(int64)", []),
        ("probabilities", "tensor(float)", [2]),
    ]


def test_is_as_good_as_documented_and_uses_the_example_spec(shipped: Bundle) -> None:
    assert shipped.manifest["metrics"]["roc_auc"] >= 0.765
    assert shipped.manifest["reserved"] == 0.2
    assert (
        shipped.manifest["metrics"]["n"] + shipped.manifest["data"]["reserved"]
        == shipped.manifest["data"]["matched"]
        == 23_570
    )
    assert shipped.spec == load_spec(HERE / "features.toml")
    assert shipped.name == "segment-scorer"
    assert len(shipped.quantiles) == 101


def test_holds_no_path_time_or_person(shipped: Bundle) -> None:
    words = ("cdnow", "example.invalid", "/", ".jsonl", "1997-", "T00:")
    assert not [word for word in words if word in json.dumps(shipped.manifest)]
    assert not [
        word for word in words if len(word) > 3 and word.encode() in shipped.model_file.read_bytes()
    ]


def test_equals_a_training_on_the_example(shipped: Bundle, retrained: Bundle) -> None:
    assert retrained.spec == shipped.spec
    assert retrained.threshold == shipped.threshold
    scores = score_onnx(retrained.model_file.read_bytes(), shipped.golden_rows)
    assert np.abs(scores - shipped.golden_scores).max() < 1e-6


def test_its_card_is_the_card_of_a_training_on_the_example(
    shipped: Bundle, retrained: Bundle
) -> None:
    if not same_libraries(shipped):
        pytest.skip("other libraries than those that made the shipped bundle")
    card = (ARTIFACT / "MODEL_CARD.md").read_text("utf-8")
    assert card == (retrained.directory / "MODEL_CARD.md").read_text("utf-8")


def test_is_the_same_bytes_if_the_libraries_are_the_same(
    shipped: Bundle, retrained: Bundle
) -> None:
    if not same_libraries(shipped):
        pytest.skip("other libraries than those that made the shipped bundle")
    digests = [
        hashlib.sha256(bundle.model_file.read_bytes()).hexdigest()
        for bundle in (shipped, retrained)
    ]
    assert digests[0] == digests[1]
    assert retrained.version == shipped.version


def same_libraries(bundle: Bundle) -> bool:
    versions = bundle.manifest["versions"]
    return all(version(library) == versions[library] for library in SHAPING)
