from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model.bundle import BEST_FILE, SHIPPED, load_bundle
from model.errors import BundleError
from model.manifest import MANIFEST_FILE
from model.training.lineage import Incumbents, extend_lineage, load_incumbents
from model.training.recipes import read_recipe


def make_bundle(directory: Path, **changed: object) -> Path:
    shutil.copytree(SHIPPED, directory)
    manifest = json.loads((directory / MANIFEST_FILE).read_text("utf-8"))
    (directory / MANIFEST_FILE).write_text(json.dumps({**manifest, **changed}), "utf-8")
    return directory


def test_a_bundle_of_an_older_release_is_its_own_best(tmp_path: Path) -> None:
    directory = make_bundle(tmp_path / "bundle")
    manifest = json.loads((directory / MANIFEST_FILE).read_text("utf-8"))
    for key in ("lineage", "data_sha256", "options"):
        manifest.pop(key, None)
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    incumbents = load_incumbents(directory)
    assert incumbents is not None
    assert incumbents.best is None
    assert incumbents.earlier == (incumbents.last,)
    assert extend_lineage(incumbents, None) == (
        {"bundles": [incumbents.last.label], "best": None},
        {},
    )


def test_keeps_the_best_model_beside_one_that_is_a_little_worse(tmp_path: Path) -> None:
    last = load_bundle(SHIPPED)
    lineage, files = extend_lineage(Incumbents(last=last), last)
    directory = make_bundle(tmp_path / "next", name="next", lineage=lineage)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    incumbents = load_incumbents(directory)
    assert incumbents is not None
    assert incumbents.best is not None
    assert [old.name for old in incumbents.earlier] == ["next", last.name]
    assert incumbents.best.model == last.model
    assert read_recipe(incumbents.best.manifest) == read_recipe(last.manifest)
    named, _ = extend_lineage(incumbents, None)
    assert named["bundles"] == [last.label, f"next@{last.version}"]
    (directory / BEST_FILE).unlink()
    with pytest.raises(BundleError, match=r"best\.onnx: expected a readable model"):
        load_incumbents(directory)


@pytest.mark.parametrize(
    ("best", "words"),
    [([], "lineage.best: expected an object"), ({}, "lineage.best: expected format to be")],
)
def test_refuses_a_best_bundle_that_cannot_be_read(
    tmp_path: Path, best: object, words: str
) -> None:
    directory = make_bundle(tmp_path / "bundle", lineage={"bundles": [], "best": best})
    with pytest.raises(BundleError, match=words):
        load_incumbents(directory)


@pytest.mark.parametrize(
    "model", [None, [], {}, {"kind": "lightgbm"}, {"kind": "boosting", "settings": []}]
)
def test_a_model_that_was_brought_along_has_no_recipe(model: object) -> None:
    assert read_recipe({"model": model}) is None


def test_reads_the_recipe_of_the_shipped_bundle() -> None:
    recipe = read_recipe(load_bundle(SHIPPED).manifest)
    assert recipe is not None
    assert recipe.choice == ("boosting", {})
    assert not recipe.balanced
    assert not recipe.calibrated
