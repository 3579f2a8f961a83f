from __future__ import annotations

import hashlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from model.bundle import check_golden, load_bundle
from model.errors import BundleError
from model.features import build_matrix
from model.training.config import TrainingConfig
from model.training.export import score_onnx
from model.training.models import ModelSettings
from model.training.train import train_bundle
from segment_scorer.cli.main import main
from tests.training_people import SPEC, make_people, to_csv, to_lines, write_people

pytestmark = pytest.mark.usefixtures("undrawn")


class Trained(NamedTuple):
    """A training run by the command: its bundle and the text of both streams."""

    directory: Path
    printed: str
    progress: str


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    directory = tmp_path_factory.mktemp("trained")
    arguments = write_people(directory, 600, model="boosting")
    out, printed, progress = directory / "bundle", io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(progress):
        assert main(["train", *arguments, "--out", str(out), "--name", "plans"]) == 0
    return Trained(out, printed.getvalue(), progress.getvalue())


def test_makes_a_bundle_that_loads_and_scores_its_golden_rows(trained: Trained) -> None:
    out = trained.directory
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
    assert f"plans@{bundle.version} in {out}" in trained.printed
    area = bundle.manifest["metrics"]["roc_auc"]
    assert f"ROC AUC            {area:.4f}" in trained.printed
    assert trained.progress.splitlines() == [
        "learning vocabularies ...",
        "reading endpoints ...",
        "auditing features ...",
        "cross-validating ...",
        "fitting on all people ...",
    ]


def test_describes_the_people_it_learnt_from(trained: Trained) -> None:
    manifest = json.loads((trained.directory / "manifest.json").read_text("utf-8"))
    documents, outcomes = make_people(600)
    matrix = build_matrix(documents, load_bundle(trained.directory).spec)
    spend = manifest["drift"]["features"]["spend"]
    assert spend["missing"] == round(float(np.isnan(matrix[:, 1]).mean()), 6)
    assert (
        manifest["threshold"] == manifest["metrics"]["base_rate"] == round(sum(outcomes) / 600, 6)
    )
    assert len(manifest["quantiles"]) == 101
    assert list(manifest["drift"]["features"]) == manifest["columns"]
    assert manifest["classes"] == [0, 1]


def test_gives_the_same_bundle_from_the_same_files_wherever_they_lie(
    drawn: None, tmp_path: Path
) -> None:
    digests = set()
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        arguments = write_people(folder, 200, model="boosting")
        main(["train", *arguments, "--out", str(folder / "bundle")])
        files = sorted((folder / "bundle").iterdir())
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


def test_leaves_ages_out_without_a_reference_time_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_people(tmp_path)
    age = '\n[[feature]]\nname = "age"\npath = "CreationDate"\nkind = "age"\n'
    (tmp_path / "features.toml").write_text(SPEC + age, "utf-8")
    dated = [{**document, "CreationDate": "2025-01-31T00:00:00Z"} for document in make_people()[0]]
    (tmp_path / "endpoints.jsonl").write_text(to_lines(dated), "utf-8")
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    assert "age" not in load_bundle(tmp_path / "bundle").spec.columns
    printed = capsys.readouterr().out
    assert printed.startswith("notice             1 date is left out, because nothing says")
    assert "--as-of 2025-01-31, the newest date at CreationDate" in printed.splitlines()[0]
    assert printed.count("because nothing says") == 1
    assert "left out           age: an age needs --as-of TIME or dated outcomes" in printed
    assert (
        main(["train", *arguments, "--out", str(tmp_path / "bundle"), "--as-of", "2026-01-31"]) == 0
    )
    assert "age" in load_bundle(tmp_path / "bundle").spec.columns
    assert load_bundle(tmp_path / "bundle").manifest["as_of"] == "2026-01-31T00:00:00Z"
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text("utf-8")
    assert "- Ages as of 2026-01-31\n" in card
    assert "ages               as of 2026-01-31\n" in capsys.readouterr().out
    evaluate = ["evaluate", "--bundle", str(tmp_path / "bundle"), *arguments[:4]]
    assert main(evaluate) == 0
    printed = capsys.readouterr().out
    assert "ages               as of 2026-01-31\n" in printed
    assert "ages are missing" not in printed
    (tmp_path / "features.toml").write_text(age, "utf-8")
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 1
    assert "expected --as-of TIME or dated outcomes" in capsys.readouterr().err


def test_names_unreadable_lines_and_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_people(tmp_path)
    with (tmp_path / "endpoints.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    printed = capsys.readouterr().out
    assert "1 unreadable line" in printed
    assert f"unreadable         {tmp_path / 'endpoints.jsonl'}, line 401: " in printed


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("endpoints.jsonl", None, ["endpoints.jsonl: ", "found no"]),
        ("endpoints.jsonl", "", ["endpoints.jsonl: ", "found no record"]),
        ("outcomes.csv", None, ["outcomes.csv: ", "found no"]),
        ("outcomes.csv", "person,responded\n", ["outcomes.csv: ", "Id,outcome", "no column Id"]),
        (
            "outcomes.csv",
            "Id,outcome\nsomeone,1\n",
            ["no match between 400 endpoints and 1 outcomes"],
        ),
        (
            "outcomes.csv",
            to_csv(make_people()[0], [1] * 400),
            ["found 400 with outcome 1 and 0 with outcome 0"],
        ),
        ("features.toml", None, ["features.toml: ", "found no file"]),
        ("features.toml", "[[feature]]\nname = 'a'\n", ["features.toml: feature[0]: ", "path"]),
    ],
)
def test_refuses_in_one_sentence_and_leaves_nothing_behind(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    words: list[str],
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
    message = printed.err.splitlines()[-1]
    assert message.startswith("segment-scorer train: ")
    assert [word for word in words if word not in message] == []
    assert "Traceback" not in printed.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--as-of", "yesterday"], "expected ISO 8601"),
        (["--model", "oracle"], "expected one of auto, boosting, logistic, forest, blend"),
        (["--value", "3"], "expected both the value of a response and the cost of a message"),
        (["--value", "0", "--cost", "1"], "expected a value above 0"),
        (["--value", "3", "--cost", "inf"], "expected a finite number"),
        (["--value", "3", "--cost", "1", "--reach", "0.3"], "at most one goal"),
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
    assert sentence in " ".join(capsys.readouterr().err.split())


def make_config(directory: Path) -> TrainingConfig:
    write_people(directory)
    return TrainingConfig(
        endpoints=(directory / "endpoints.jsonl",),
        outcomes=directory / "outcomes.csv",
        features=directory / "features.toml",
        out=directory / "bundle",
        settings=ModelSettings(model="logistic"),
    )


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    def interrupt(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("fitting on all people", 1):
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
        match="expected a new or empty directory, or a bundle and nothing else",
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
