"""`segment-scorer compare`: two bundles on the same people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model.bundle import load_bundle
from segment_scorer.cli.main import main
from tests.training_people import write, write_people

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A: plans alone. B: everything."""
    directory = tmp_path_factory.mktemp("bundles")
    arguments = write_people(directory, 500)
    poor = write(
        directory / "poor.toml",
        '[[feature]]\nname = "plan"\npath = "Attributes.Plan"\nkind = "category"\n',
    )
    pair = directory / "a", directory / "b"
    for out, spec in zip(pair, (["--features", str(poor)], []), strict=True):
        assert main(["train", *arguments, *spec, "--out", str(out), "--name", out.name]) == 0
    return pair


def test_compares_on_the_same_people_in_text_picture_and_json(
    bundles: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = write_people(tmp_path, 400, seed=5)[:4]
    capsys.readouterr()
    page = tmp_path / "page"
    assert main(["compare", *map(str, bundles), *later, "--out", str(page)]) == 0
    printed = capsys.readouterr().out
    facts = json.loads((page / "comparison.json").read_text("utf-8"))
    a, b = (load_bundle(directory) for directory in bundles)
    assert (facts["a"]["bundle"], facts["b"]["bundle"]) == (a.label, b.label)
    difference = facts["difference"]["roc_auc"]
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    assert f"B minus A {difference['value']:+.4f}" in printed
    sides = {row["side"]: row for row in facts["sides"]}
    assert sum(row["people"] for row in sides.values()) == facts["people"] == 400
    assert sum(row["responders"] for row in sides.values()) == facts["responders"]
    kept_by_b = sides["both keep"]["people"] + sides["only B keeps"]["people"]
    assert kept_by_b / 400 == pytest.approx(facts["b"]["metrics"]["at_threshold"]["reach"])
    assert "only B keeps" in printed
    assert (page / "comparison.png").read_bytes().startswith(PNG)
    written = (page / "COMPARISON.md").read_text("utf-8")
    assert f"# A: {a.label}, B: {b.label}" in written
    assert "very files" not in written
    assert main(["compare", *map(str, bundles), *later, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == facts


def test_says_that_a_bundle_was_trained_on_these_files(
    bundles: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = bundles[0].parent
    given = ["--endpoints", str(directory / "endpoints.jsonl")]
    given += ["--outcomes", str(directory / "outcomes.csv")]
    assert main(["compare", *map(str, bundles), *given]) == 0
    assert capsys.readouterr().out.count("was trained on these very files") == 2
    assert main(["compare", *map(str, bundles), *given, "--out", str(bundles[0])]) == 1
    assert "expected a directory for the comparison alone" in capsys.readouterr().err
