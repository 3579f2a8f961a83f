from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from model.bundle import check_golden, load_bundle
from model.errors import BundleError
from model.features import build_matrix
from model.training.export import score_onnx
from model.training.fit import ModelSettings
from model.training.train import TrainingConfig, train_bundle
from segment_scorer.cli.main import main
from tests.training_people import SPEC, make_people, to_csv, to_lines, write_people


def test_makes_a_bundle_that_loads_and_scores_its_golden_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_people(tmp_path, 600)
    out = tmp_path / "bundle"
    assert main(["train", *arguments, "--out", str(out), "--name", "plans"]) == 0
    bundle = load_bundle(out)
    check_golden(bundle, score_onnx(bundle.model_file.read_bytes(), bundle.golden_rows))
    assert np.isnan(bundle.golden_rows).any()
    assert bundle.spec.columns[:2] == ("visits", "spend")
    assert set(bundle.spec.features[2].options["values"]) == {"free", "basic", "pro"}
    assert sorted(path.name for path in out.iterdir()) == [
        "MODEL_CARD.md",
        "calibration.png",
        "gains.png",
        "manifest.json",
        "model.onnx",
        "scores.png",
        "threshold.png",
    ]
    printed = capsys.readouterr()
    assert f"plans@{bundle.version} in {out}" in printed.out
    assert f"ROC AUC            {bundle.manifest['metrics']['roc_auc']:.4f}" in printed.out
    assert printed.err.splitlines() == [
        "learning vocabularies ...",
        "reading endpoints ...",
        "looking at features ...",
        "evaluating on people held out ...",
        "fitting on everybody ...",
    ]


def test_describes_the_people_it_learnt_from(tmp_path: Path) -> None:
    main(["train", *write_people(tmp_path, 600), "--out", str(tmp_path / "bundle")])
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text("utf-8"))
    documents, outcomes = make_people(600)
    matrix = build_matrix(documents, load_bundle(tmp_path / "bundle").spec)
    spend = manifest["drift"]["features"]["spend"]
    assert spend["missing"] == round(float(np.isnan(matrix[:, 1]).mean()), 6)
    assert (
        manifest["threshold"] == manifest["metrics"]["base_rate"] == round(sum(outcomes) / 600, 6)
    )
    assert len(manifest["quantiles"]) == 101
    assert list(manifest["drift"]["features"]) == manifest["columns"]
    assert manifest["classes"] == [0, 1]


def test_gives_the_same_bundle_from_the_same_files_wherever_they_lie(tmp_path: Path) -> None:
    digests = set()
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        main(["train", *write_people(tmp_path / place), "--out", str(tmp_path / place / "bundle")])
        files = sorted((tmp_path / place / "bundle").iterdir())
        digests.add(hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest())
    assert len(digests) == 1


def test_takes_several_endpoint_files_after_one_option(tmp_path: Path) -> None:
    arguments = write_people(tmp_path)
    lines = (tmp_path / "endpoints.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines[:150]), "utf-8")
    (tmp_path / "b.jsonl").write_text("".join(lines[150:]), "utf-8")
    split = ["--endpoints", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), *arguments[2:]]
    assert main(["train", *arguments, "--out", str(tmp_path / "one")]) == 0
    assert main(["train", *split, "--out", str(tmp_path / "two")]) == 0
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (
        tmp_path / "two" / "manifest.json"
    ).read_bytes()


def test_leaves_ages_out_without_a_reference_time_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_people(tmp_path)
    age = '\n[[feature]]\nname = "age"\npath = "CreationDate"\nkind = "age"\n'
    (tmp_path / "features.toml").write_text(SPEC + age, "utf-8")
    dated = [{**document, "CreationDate": "2025-01-31T00:00:00Z"} for document in make_people()[0]]
    (tmp_path / "endpoints.jsonl").write_text(to_lines(dated), "utf-8")
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    assert "age" not in load_bundle(tmp_path / "bundle").spec.columns
    assert (
        "left out           age: an age needs --as-of TIME or dated outcomes"
        in capsys.readouterr().out
    )
    assert (
        main(["train", *arguments, "--out", str(tmp_path / "bundle"), "--as-of", "2026-01-31"]) == 0
    )
    assert "age" in load_bundle(tmp_path / "bundle").spec.columns
    (tmp_path / "features.toml").write_text(age, "utf-8")
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 1
    assert (
        "expected --as-of TIME or dated outcomes, since every feature is an age"
        in capsys.readouterr().err
    )


def test_names_refused_lines_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_people(tmp_path)
    with (tmp_path / "endpoints.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    printed = capsys.readouterr().out
    assert "1 lines refused" in printed
    assert (
        f"refused            {tmp_path / 'endpoints.jsonl'}, line 401: expected one JSON object: "
        in printed
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("endpoints.jsonl", None, "endpoints.jsonl: expected a file of people, found none"),
        (
            "endpoints.jsonl",
            "",
            "endpoints.jsonl: expected endpoints: JSON lines, CSV or Parquet, found nobody",
        ),
        ("outcomes.csv", None, "outcomes.csv: expected a file of outcomes, found none"),
        (
            "outcomes.csv",
            "person,responded\n",
            "outcomes.csv: expected outcomes: a CSV file whose first line is Id,outcome",
        ),
        (
            "outcomes.csv",
            "Id,outcome\nnobody,1\n",
            "found none shared by 400 endpoints and 1 outcomes",
        ),
        ("outcomes.csv", to_csv(make_people()[0], [1] * 400), "found 400 with 1 and 0 with 0"),
        ("features.toml", None, "features.toml: expected a feature spec (TOML), found no file"),
        ("features.toml", "[[feature]]\nname = 'a'\n", "features.toml: feature[0]: expected path"),
    ],
)
def test_refuses_in_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    sentence: str,
) -> None:
    arguments = write_people(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content, "utf-8")
    before = sorted(tmp_path.iterdir())
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("segment-scorer train: ")
    assert sentence in printed.err.splitlines()[-1]
    assert "Traceback" not in printed.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--as-of", "yesterday"], "expected ISO 8601"),
        (["--model", "oracle"], "expected one of auto, boosting, logistic, forest, blend"),
        (["--value", "3"], "expected both, what a response is worth and what a message costs"),
        (["--value", "3", "--cost", "1", "--reach", "0.3"], "the threshold has one goal"),
        (["--reach", "3"], "--reach"),
        (["--margin", "nan"], "expected a number from 0 to 1"),
        (["--name", "a b"], "expected 1 to 100 letters"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_calls_a_wrong_option_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], sentence: str
) -> None:
    assert main(["train", *write_people(tmp_path), "--out", str(tmp_path / "bundle"), *extra]) == 2
    assert sentence in capsys.readouterr().err


def make_config(directory: Path) -> TrainingConfig:
    write_people(directory)
    return TrainingConfig(
        endpoints=(directory / "endpoints.jsonl",),
        outcomes=directory / "outcomes.csv",
        features=directory / "features.toml",
        out=directory / "bundle",
        settings=ModelSettings(model="boosting"),
    )


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    def interrupt(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("fitting on everybody", 1):
            raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        train_bundle(config, interrupt)
    assert sorted(tmp_path.iterdir()) == before


def test_a_failed_run_leaves_the_bundle_that_was_there(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    first = train_bundle(config, lambda *_: None).bundle
    (tmp_path / "endpoints.jsonl").write_text(to_lines([{"Id": "stranger"}]), "utf-8")
    with pytest.raises(Exception, match="share Ids"):
        train_bundle(config, lambda *_: None)
    assert load_bundle(config.out).version == first.version


def test_never_replaces_a_directory_that_holds_anything_but_a_bundle(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    train_bundle(config, lambda *_: None)
    (config.out / "thesis.txt").write_text("ten years of work", "utf-8")
    with pytest.raises(
        BundleError,
        match="expected a new or empty directory, or a bundle and nothing else, since it is replaced whole",
    ):
        train_bundle(config, lambda *_: None)
    assert (config.out / "thesis.txt").read_text("utf-8") == "ten years of work"


def test_replaces_an_older_bundle_and_follows_a_link(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "real").mkdir()
    config.out.symlink_to(tmp_path / "real")
    for _ in range(2):
        train_bundle(config, lambda *_: None)
    assert config.out.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {
        "bundle",
        "real",
        "endpoints.jsonl",
        "outcomes.csv",
        "features.toml",
    }
