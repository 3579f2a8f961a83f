"""`segment-scorer bundle` as a command: exit statuses, what is written, the gate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import skops.io
from skl2onnx import to_onnx
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from model.bundle import load_bundle
from segment_scorer.cli.main import main
from tests.foreign.conftest import Folk, describe_feature


def arguments(folk: Folk, model: Path, out: Path, *more: str) -> list[str]:
    files = [f"--{name}={folk.folder / file}" for name, file in FILES.items()]
    return ["bundle", f"--model={model}", *files, f"--out={out}", *more]


FILES = {"features": "features.toml", "endpoints": "people.jsonl", "outcomes": "outcomes.csv"}


def make_logistic(folk: Folk, **options: float) -> LogisticRegression:
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(**options))
    return model.fit(folk.matrix, folk.outcomes)


@pytest.fixture(scope="module")
def model(folk: Folk) -> Path:
    path = folk.folder / "model.skops"
    skops.io.dump(make_logistic(folk), path)
    return path


@pytest.fixture(scope="module")
def bundle(folk: Folk, model: Path) -> Path:
    out = folk.folder / "bundle"
    assert main(arguments(folk, model, out, "--reach=0.3", "--name=ours")) == 0
    return out


def test_the_summary_says_what_was_compared_and_written(
    folk: Folk, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folk, model, tmp_path / "b", "--value=20", "--cost=4")) == 0
    printed = capsys.readouterr().out
    assert "the 600 people given" in printed
    assert "ONNX               scores differ from the original's by at most" in printed
    assert "threshold          0.2000" in printed
    assert "see its MODEL_CARD.md" in printed
    assert (tmp_path / "b" / "MODEL_CARD.md").is_file()


def test_the_threshold_keeps_the_share_that_was_asked_for(bundle: Path) -> None:
    found = load_bundle(bundle)
    assert found.name == "ours"
    assert found.manifest["metrics"]["at_threshold"]["reach"] == pytest.approx(0.3, abs=0.01)


def test_a_refused_model_is_status_3_and_nothing_is_written(
    folk: Folk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = make_logistic(folk)
    onnx.save(to_onnx(original, folk.matrix[:1].astype(np.float32)), tmp_path / "m.onnx")
    scores = original.predict_proba(folk.matrix)[:, 1]
    large = np.flatnonzero(np.nan_to_num(folk.matrix[:, 0]) > 35)
    scores[large] = 1 - scores[large]
    given = f"--predictions={folk.write_scores(scores.tolist(), 'wrong.csv')}"
    assert main(arguments(folk, tmp_path / "m.onnx", tmp_path / "b", given)) == 3
    said = capsys.readouterr().err
    assert "model refused, nothing was written" in said
    assert f"found {len(large)} of 600 people scored otherwise" in said
    assert f"the first is person {large[0] + 1} of the people with an outcome" in said
    assert "stand out most in column visits" in said
    assert f"p{large[0]}" not in said
    assert not (tmp_path / "b").exists()


def test_a_bare_onnx_file_needs_predictions(
    folk: Folk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(to_onnx(make_logistic(folk), folk.matrix[:1].astype(np.float32)), tmp_path / "m.onnx")
    assert main(arguments(folk, tmp_path / "m.onnx", tmp_path / "b")) == 1
    assert "expected --predictions with the scores of the original" in capsys.readouterr().err
    few = folk.write("few.csv", "Id,score\np0,0.5\n")
    given = f"--predictions={few}"
    assert main(arguments(folk, tmp_path / "m.onnx", tmp_path / "b", given)) == 1
    said = capsys.readouterr().err
    assert "expected a score for each of the 600 people with an outcome, found none for 599" in said


def test_predictions_of_another_model_are_noticed_for_every_format(
    folk: Folk, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = make_logistic(folk, C=0.001).predict_proba(folk.matrix)[:, 1]
    given = f"--predictions={folk.write_scores(scores.tolist(), 'other.csv')}"
    assert main(arguments(folk, model, tmp_path / "b", given)) == 3
    assert "within 1e-05, found" in capsys.readouterr().err


def test_the_gate_keeps_a_worse_model_out(
    folk: Folk, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(1)
    worse = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    worse.fit(folk.matrix, random.permutation(folk.outcomes))
    skops.io.dump(worse, tmp_path / "worse.skops")
    before = (bundle / "manifest.json").read_bytes()
    given = arguments(folk, tmp_path / "worse.skops", bundle, f"--against={bundle}")
    # The bundle in use cannot be fitted again, and may have learnt from these people.
    assert main(given) == 4
    said = capsys.readouterr().err
    assert "cannot tell whether the new model is as good, so ours@" in said
    assert "its ROC AUC is lower by" in said
    assert "about 0 responders" not in said
    assert (bundle / "manifest.json").read_bytes() == before


def test_a_model_worse_than_the_recipe_of_a_trained_bundle_is_status_3(
    folk: Folk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = tmp_path / "trained"
    files = [f"--{name}={folk.folder / file}" for name, file in FILES.items()]
    assert main(["train", *files, "--model=logistic", f"--out={trained}"]) == 0
    label = load_bundle(trained).label
    worse = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    worse.fit(folk.matrix, np.random.default_rng(1).permutation(folk.outcomes))
    skops.io.dump(worse, tmp_path / "worse.skops")
    capsys.readouterr()
    given = arguments(folk, tmp_path / "worse.skops", tmp_path / "b", f"--against={trained}")
    assert main(given) == 3
    said = capsys.readouterr().err
    assert f"new model rejected, {label} is not replaced: its ROC AUC is lower by" in said
    assert "by models of the old recipe that were fitted without them" in said


def test_an_unclear_comparison_replaces_if_asked_to_and_keeps_the_best_model(
    folk: Folk, bundle: Path, tmp_path: Path
) -> None:
    worse = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=1e-4))
    worse.fit(folk.matrix, np.random.default_rng(1).permutation(folk.outcomes))
    skops.io.dump(worse, tmp_path / "worse.skops")
    out = tmp_path / "b"
    given = [f"--against={bundle}", "--if-unclear=replace"]
    assert main(arguments(folk, tmp_path / "worse.skops", out, *given)) == 0
    lineage = load_bundle(out).manifest["lineage"]
    assert lineage["bundles"] == [load_bundle(bundle).label]
    assert lineage["best"]["name"] == "ours"
    assert (out / "best.onnx").read_bytes() == (bundle / "model.onnx").read_bytes()


def test_the_gate_lets_an_equal_model_in(
    folk: Folk, model: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folk, model, tmp_path / "b", f"--against={bundle}")) == 0
    assert "passed against ours@" in capsys.readouterr().out
    assert "gate" in load_bundle(tmp_path / "b").manifest


def test_a_plain_table_is_read_with_plain_columns(folk: Folk, model: Path, tmp_path: Path) -> None:
    spec = (folk.folder / "features.toml").read_text("utf-8")
    folk.write("plain.toml", spec.replace("Metrics.", "Attributes."))
    names = [line.split('"')[1] for line in spec.splitlines() if line.startswith("path =")]
    lines = (folk.folder / "people.jsonl").read_text("utf-8").splitlines()
    people = [json.loads(line) for line in lines]
    rows = [["Id", *(name.partition(".")[2] for name in names)]]
    for person in people:
        cells = [person.get(name.split(".")[0], {}).get(name.split(".")[1], "") for name in names]
        rows.append([person["Id"], *(c[0] if isinstance(c, list) else c for c in cells)])
    folk.write("plain.csv", "".join(",".join(map(str, row)) + "\n" for row in rows))
    given = [
        each.replace("features.toml", "plain.toml").replace("people.jsonl", "plain.csv")
        for each in arguments(folk, model, tmp_path / "b")
    ]
    assert main([*given, "--plain-columns"]) == 0
    assert load_bundle(tmp_path / "b").manifest["metrics"]["n"] == len(folk.outcomes)


def test_an_age_without_a_time_is_an_error_and_with_one_is_recorded(
    folk: Folk, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folk.folder / "features.toml").read_text("utf-8")
    aged = text.replace('name = "joined"', 'name = "since"').replace(
        'path = "Metrics.Joined"\nkind = "number"',
        'path = "Metrics.Joined"\nkind = "age"\nformat = "unix"',
    )
    folk.write("aged.toml", aged)
    given = [
        each.replace("features.toml", "aged.toml")
        for each in arguments(folk, model, tmp_path / "b")
    ]
    assert main(given) == 1
    assert "since: an age needs --as-of TIME or dated outcomes" in capsys.readouterr().err
    matrix = folk.matrix.copy()
    matrix[:, 2] = (1_767_225_600 - matrix[:, 2]) / 86_400
    dated = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    skops.io.dump(dated.fit(matrix, folk.outcomes), tmp_path / "dated.skops")
    given[1] = f"--model={tmp_path / 'dated.skops'}"
    assert main([*given, "--as-of=2026-01-01"]) == 0
    assert load_bundle(tmp_path / "b").manifest["as_of"].startswith("2026-01-01")


def test_one_hot_columns_are_those_of_a_category(folk: Folk, tmp_path: Path) -> None:
    features = describe_feature("plan", "Attributes.Plan", "category", values=["basic", "pro"])
    folk.write("hot.toml", features)
    code = folk.matrix[:, 3]
    hot = np.stack([code == 0, code == 2, ~np.isin(code, [0, 2])], axis=1).astype(float)
    hot[np.isnan(code)] = np.nan
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(hot, folk.outcomes)
    skops.io.dump(model, tmp_path / "hot.skops")
    given = [
        each.replace("features.toml", "hot.toml")
        for each in arguments(folk, tmp_path / "hot.skops", tmp_path / "b")
    ]
    assert main(given) == 0
    assert load_bundle(tmp_path / "b").manifest["columns"] == [
        "plan=basic", "plan=pro", "plan=(other)",
    ]  # fmt: skip


def test_a_skops_file_with_other_code_is_refused_before_it_is_loaded(
    folk: Folk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_pipeline(FunctionTransformer(print), DummyClassifier())
    skops.io.dump(model, tmp_path / "m.skops")
    assert main(arguments(folk, tmp_path / "m.skops", tmp_path / "b")) == 3
    said = capsys.readouterr()
    assert "expected types of scikit-learn alone, found 'builtins.print'" in said.err
