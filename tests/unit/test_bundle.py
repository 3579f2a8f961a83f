"""model/bundle.py: a bundle is whole, or it is refused with one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model.bundle import MAX_MODEL_BYTES, check_golden, load_bundle, write_bundle
from model.errors import BundleError
from model.features import read_spec
from model.manifest import MAX_MANIFEST_BYTES, golden_as_data
from model.runtime import OnnxModel
from tests.fakes import TINY_SPEC, make_bundle, make_model


def change_manifest(directory: Path, **changes: Any) -> None:
    path = directory / "manifest.json"
    manifest = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(
        json.dumps({key: value for key, value in manifest.items() if value is not ...}), "utf-8"
    )


def test_a_bundle_that_was_written_is_read_back_whole(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "bundle"))
    assert bundle.label == "tiny@1"
    assert bundle.spec.columns == ("score",)
    assert bundle.threshold == 0.5
    assert len(bundle.quantiles) == 101
    assert np.isnan(bundle.golden_rows[2, 0])
    assert bundle.manifest["metrics"]["roc_auc"] == 0.75


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "expected format 1, found 2; train again"),
        ({"sha256": "0" * 64}, "expected the SHA-256 that manifest.json names"),
        ({"columns": ["other"]}, "expected columns to be the 1 that its spec makes, in order"),
        (
            {"columns": ..., "name": 5},
            (
                "expected name to be text, found a number; "
                "expected columns to be a list, found nothing"
            ),
        ),
        ({"threshold": 2.0}, "expected threshold to be from 0 to 1"),
        ({"threshold": True}, "expected threshold to be a number, found true or false"),
        ({"version": ""}, "expected version to be text of one character or more, found empty text"),
        (
            {"golden": {"rows": [[0.0, 1.0]], "scores": [0.0]}},
            "expected one golden row or more of 1 columns",
        ),
        (
            {"golden": {"rows": [["x"]], "scores": [0.0]}},
            "expected golden to hold rows of numbers or null",
        ),
        ({"golden": {}}, "expected golden to hold rows of numbers or null"),
        ({"golden": {"rows": [], "scores": []}}, "expected one golden row or more"),
        ({"quantiles": [0.5, 0.2]}, "expected quantiles to be two or more scores from 0 to 1"),
        ({"quantiles": [0.1, "x"]}, "expected quantiles to be two or more scores from 0 to 1"),
        ({"spec": {"feature": []}}, "spec: expected one or more [[feature]] tables"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    directory = make_bundle(tmp_path / "bundle")
    change_manifest(directory, **changes)
    with pytest.raises(BundleError) as raised:
        load_bundle(directory)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        BundleError,
        match=r"nowhere: expected a bundle: a directory with manifest\.json and model\.onnx",
    ):
        load_bundle(tmp_path / "nowhere")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    directory = make_bundle(tmp_path / "bundle")
    (directory / "model.onnx").unlink()
    with pytest.raises(
        BundleError, match=r"model\.onnx: expected a readable model, found no such file"
    ):
        load_bundle(directory)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff", "[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    directory = make_bundle(tmp_path / "bundle")
    (directory / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match="expected"):
        load_bundle(directory)


def test_a_bad_manifest_leaves_the_bundle_in_use_untouched(tmp_path: Path) -> None:
    directory = make_bundle(tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(BundleError):
        write_bundle(directory, make_model(1), {"name": "worse"})
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_writing_over_a_bundle_replaces_it_whole_and_leaves_nothing_beside_it(
    tmp_path: Path,
) -> None:
    directory = make_bundle(tmp_path / "bundle")
    make_bundle(directory, version="2")
    assert load_bundle(directory).version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    directory, stop = make_bundle(tmp_path / "bundle"), threading.Event()
    wider = read_spec(
        {
            "feature": [
                *TINY_SPEC["feature"],
                {"name": "age", "path": "Metrics.age", "kind": "number"},
            ]
        }
    )

    def replace() -> None:
        for number in range(40):
            make_bundle(directory, wider if number % 2 else None, version=str(number))
        stop.set()

    writer = threading.Thread(target=replace)
    writer.start()
    seen = set()
    while not stop.is_set():
        bundle = load_bundle(directory)
        seen.add(bundle.version)
    writer.join()
    assert len(seen) > 2


def test_golden_rows_survive_the_way_through_json_exactly() -> None:
    rows = np.array([[0.1, np.nan], [1e-30, 3e38]], dtype=np.float32)
    data = json.loads(json.dumps(golden_as_data(rows, np.array([0.25, 0.5])), allow_nan=False))
    back = np.array(
        [[np.nan if x is None else x for x in row] for row in data["rows"]], dtype=np.float32
    )
    np.testing.assert_array_equal(back, rows)


def test_golden_scores_beyond_the_tolerance_are_refused(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "bundle"))
    check_golden(bundle, bundle.golden_scores + 5e-7)
    with pytest.raises(BundleError, match="expected the golden rows to score as the trainer wrote"):
        check_golden(bundle, bundle.golden_scores + 2e-6)
    with pytest.raises(BundleError, match="expected the golden rows to score"):
        check_golden(bundle, bundle.golden_scores[:1])


def replace_file(path: Path, kind: str) -> None:
    """Put a directory, a pipe or a device where a file was."""
    path.unlink()
    if kind == "a directory":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
@pytest.mark.parametrize("kind", ["a directory", "a pipe", "a device"])
def test_anything_but_a_file_is_refused_in_one_sentence_and_never_waited_for(
    tmp_path: Path, name: str, kind: str
) -> None:
    directory = make_bundle(tmp_path / "bundle")
    replace_file(directory / name, kind)
    with pytest.raises(BundleError) as raised:
        load_bundle(directory)
    assert str(raised.value) == f"{directory / name}: expected a file, found {kind}"


@pytest.mark.parametrize(
    ("name", "most"), [("model.onnx", MAX_MODEL_BYTES), ("manifest.json", MAX_MANIFEST_BYTES)]
)
def test_a_file_beyond_its_bound_is_refused(tmp_path: Path, name: str, most: int) -> None:
    directory = make_bundle(tmp_path / "bundle")
    with (directory / name).open("r+b") as file:
        file.truncate(most + 1)
    with pytest.raises(BundleError, match=f"{name}: expected at most {most:,} bytes, found more"):
        load_bundle(directory)


def test_the_session_is_of_the_bytes_whose_digest_was_checked(tmp_path: Path) -> None:
    """The file is read once: what is put in its place afterwards is not loaded."""
    directory = make_bundle(tmp_path / "bundle")
    bundle = load_bundle(directory)
    replace_file(directory / "model.onnx", "a pipe")
    assert hashlib.sha256(bundle.model).hexdigest() == bundle.manifest["sha256"]
    scores = OnnxModel(bundle).score(bundle.golden_rows)
    np.testing.assert_allclose(scores, bundle.golden_scores, atol=1e-6)
    assert repr(bundle.model[:8]) not in repr(bundle)


def test_external_data_beside_the_model_is_refused_though_the_digest_fits(tmp_path: Path) -> None:
    directory = make_bundle(tmp_path / "bundle")
    model = onnx.load_from_string((directory / "model.onnx").read_bytes())
    constant = numpy_helper.from_array(np.zeros((64, 64), np.float32), "aside")
    model.graph.initializer.append(constant)
    onnx.save_model(
        model,
        directory / "model.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    digest = hashlib.sha256((directory / "model.onnx").read_bytes()).hexdigest()
    change_manifest(directory, sha256=digest)
    with pytest.raises(BundleError, match=r"model\.onnx: expected .*, found external data"):
        load_bundle(directory)


def test_an_endless_loop_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    directory = make_bundle(tmp_path / "bundle")
    model = onnx.load_from_string((directory / "model.onnx").read_bytes())
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )
    always = numpy_helper.from_array(np.array(True), "always")
    model.graph.initializer.append(always)
    model.graph.node.append(helper.make_node("Loop", ["", "always"], [], body=body))
    with pytest.raises(BundleError, match="found a subgraph"):
        write_bundle(
            tmp_path / "other", model.SerializeToString(), dict(load_bundle(directory).manifest)
        )
    assert not (tmp_path / "other").exists()
