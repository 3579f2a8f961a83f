"""model/training/foreign: where ONNX and the original differ, and which columns a model takes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import DataError, SpecError
from model.features import FeatureSpec, read_spec
from model.training.foreign.agreement import Pairing, change_rows, check_changed, check_given
from model.training.foreign.columns import check_columns, read_whole_spec
from model.training.foreign.original import ModelRefused, Original
from model.training.foreign.people_exact import read_predictions
from model.training.foreign.readers import read_foreign
from segment_scorer.cli.main import main
from tests.bundles import COLUMNS, expected_scores, make_model, make_rows
from tests.training_people import write

ONNX = make_model()
ROWS = make_rows(60).astype(np.float64)


def spec_of(*kinds: str, **options: Any) -> FeatureSpec:
    rows = [
        {"name": name, "path": f"Metrics.{name}", "kind": kind}
        for name, kind in zip(COLUMNS, kinds, strict=False)
    ]
    rows[-1] |= options
    return read_spec({"feature": rows})


SPEC = spec_of("number", "number", "number", "number")


def otherwise(rows: np.ndarray) -> np.ndarray:
    """The original, but for people whose column c is large."""
    return expected_scores(rows) + np.where(np.nan_to_num(rows[:, 2]) > 1.5, 0.01, 0)


def test_equal_scores_give_the_largest_difference() -> None:
    assert check_given(Pairing(SPEC, ONNX, ROWS, expected_scores(ROWS), None)) < 1e-6


def test_a_difference_is_refused_with_the_column_and_the_first_person_by_number() -> None:
    large = np.flatnonzero(np.nan_to_num(ROWS[:, 2]) > 1.5)
    assert 0 < len(large) < len(ROWS)
    for score in (otherwise, None):
        with pytest.raises(ModelRefused, match=r"by up to 0\.01") as refused:
            check_given(Pairing(SPEC, ONNX, ROWS, otherwise(ROWS), score))
        said = str(refused.value)
        assert f"{len(large)} of 60 people" in said
        assert f"the first is person {large[0] + 1} of" in said
        assert "column c" in said


def test_a_difference_of_everyone_names_no_column() -> None:
    scores = expected_scores(ROWS) * 0.5
    with pytest.raises(ModelRefused, match="no single column explains it"):
        check_given(Pairing(SPEC, ONNX, ROWS, scores, lambda rows: expected_scores(rows) * 0.5))


def test_a_score_that_is_no_number_is_refused() -> None:
    scores = make_model(takes_missing=False)
    with pytest.raises(ModelRefused, match="by up to inf"):
        check_given(Pairing(SPEC, scores, ROWS, expected_scores(ROWS), None))


def test_scores_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(ModelRefused, match="probabilities from 0 to 1"):
        check_given(Pairing(SPEC, ONNX, ROWS, expected_scores(ROWS) * 3, None))


def test_people_with_changes_are_compared_too() -> None:
    check_changed(SPEC, ONNX, ROWS, expected_scores, 0)
    whole = np.nan_to_num(ROWS)

    def wrong(rows: np.ndarray) -> np.ndarray:
        return expected_scores(rows) + np.where(np.isnan(rows).any(axis=1), 0.1, 0)

    with pytest.raises(ModelRefused, match=r"people with missing values .* --missing median"):
        check_changed(SPEC, ONNX, whole, wrong, 0)

    def refuses(rows: np.ndarray) -> np.ndarray:
        if np.isnan(rows).any():
            raise ValueError("Input X contains NaN.")
        return expected_scores(rows)

    with pytest.raises(ModelRefused, match="missing values, found one that refuses them"):
        check_changed(SPEC, ONNX, whole, refuses, 0)


def test_a_change_of_a_code_is_another_code() -> None:
    spec = spec_of("number", "code", values=["x", "y"], other=7)
    rows = np.zeros((50, 2))
    changes = dict(change_rows(spec, rows, np.random.default_rng(0)))
    assert set(changes["other categories"][:, 1]) == {0, 1, 7}
    assert set(changes["numbers beyond those of the people given"][:, 1]) == {0}


def original(**facts: Any) -> Original:
    return Original(format="x", title="x", convert=lambda _: None, **facts)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"width": 3}, "of 4 columns, as the feature spec has, found 3"),
        ({"names": ("a", "c", "b", "d")}, "column 2 to be b, as in the feature spec, found 'c'"),
        ({"codes": (("x",),)}, "each of the model's 1 categorical columns, found 0"),
    ],
)
def test_columns_that_are_not_the_specs_are_named(facts: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        check_columns(original(**facts), SPEC)
    check_columns(original(width=4, names=COLUMNS), SPEC)


def test_the_vocabulary_of_a_code_is_that_of_the_model() -> None:
    spec = spec_of("number", "code", values=["x", "y"])
    check_columns(original(codes=(("x", "y"),)), spec)
    with pytest.raises(ModelRefused, match="b: expected its values to be the categories"):
        check_columns(original(codes=(("y", "x"),)), spec)


def test_a_spec_that_leaves_something_open_is_an_error_that_lists_it(tmp_path: Path) -> None:
    text = "\n".join(
        f'[[feature]]\nname = "{name}"\npath = "Attributes.{name}"\nkind = "{kind}"'
        for name, kind in (("since", "age"), ("plan", "category"))
    )
    path = write(tmp_path / "features.toml", text)
    with pytest.raises(SpecError, match=r"since: an age needs --as-of .*; plan: expected its"):
        read_whole_spec(path, dated=False)


def test_predictions_are_read_by_id(tmp_path: Path) -> None:
    found = read_predictions(write(tmp_path / "p.csv", "id,score\n7.0,0.25\nx,1\n"))
    assert (found.key, dict(found.scores)) == ("Id", {"7": 0.25, "x": 1.0})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Id,value\nx,1\n", "found no column score"),
        ("Id,score\nsecret,1.5\n", "line 2: expected an id and a score from 0 to 1"),
        ("Id,score\nsecret,0.5\nsecret,0.5\n", "line 3: expected each Id once"),
        ("Id,score\nsecret\n", "line 2: expected an id and a score"),
    ],
)
def test_unusable_predictions_are_named_by_line_and_never_by_id(
    text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words) as error:
        read_predictions(write(tmp_path / "p.csv", text))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x04\x95pickle", "a pickle, which is code and is never loaded"),
        (b"x\x9cjoblib", "a pickle"),
        (b'{"name": "tree", "feature_names": [], "tree_info": []}', "LightGBM's JSON dump"),
        (b"binf\0\0", "XGBoost's old binary format"),
        (b"", "another file"),
        (b"\x08\x07\xff\xff\xff", "damaged bytes"),
        (b"\x08\x07", "found no node"),
    ],
)
def test_a_file_that_is_no_model_is_named_with_the_cure(
    data: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / "model").write_bytes(data)
    with pytest.raises((DataError, ModelRefused), match=words):
        read_foreign(tmp_path / "model")


@pytest.mark.skipif(find_spec("lightgbm") is not None, reason="needs the library to be missing")
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write(tmp_path / "model.txt", "tree\nversion=v4\n")
    needed = ["--features=f", "--endpoints=e", "--outcomes=o", f"--out={tmp_path / 'b'}"]
    assert main(["bundle", f"--model={model}", *needed]) == 1
    assert "expected lightgbm, of the extra `foreign`" in capsys.readouterr().err


def test_a_model_that_is_not_there_or_no_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a model, found no such file"):
        read_foreign(tmp_path / "none")
    with pytest.raises(DataError, match="a directory"):
        read_foreign(tmp_path)
