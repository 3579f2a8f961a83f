"""A run with an uplift bundle: negative scores in every file, in drift, invoke and policy check."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from segment_scorer.cli.main import main
from tests.bundles import COLUMNS, expected_effects, make_rows, make_uplift_bundle
from tests.fake_hooks import write_segment
from tests.fakes import make_event

POLICY = """
threshold = "model"
band_attribute = "Band"
[[band]]
name = "put off"
at_least = -1
[[band]]
name = "moved"
at_least = 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, a policy and people, and a run of them in `out`."""
    folder = tmp_path_factory.mktemp("uplift")
    make_uplift_bundle(folder / "bundle")
    (folder / "policy.toml").write_text(POLICY)
    write_segment(folder / "people.jsonl", make_people())
    assert run(folder, "--out", str(folder / "out")) == 0
    return folder


def make_people() -> list[dict[str, object]]:
    return [
        {
            "Id": f"id-{index}",
            "Metrics": {
                name: float(value)
                for name, value in zip(COLUMNS, row, strict=True)
                if not np.isnan(value)
            },
        }
        for index, row in enumerate(make_rows(300))
    ]


def run(folder: Path, *options: str) -> int:
    return main(
        [
            *("run", str(folder / "people.jsonl"), "--bundle", str(folder / "bundle")),
            *("--policy", str(folder / "policy.toml"), "--processes", "1", *options),
        ]
    )


def test_every_file_has_the_scores_with_their_sign(folder: Path) -> None:
    with (folder / "out" / "decisions.csv").open() as file:
        rows = list(csv.DictReader(file))
    effects = expected_effects(make_rows(300))
    assert [float(row["score"]) for row in rows] == pytest.approx(effects.tolist(), abs=6e-5)
    assert any(row["score"].startswith("-") for row in rows)
    assert not any(row["score"] == "-0.0000" for row in rows)
    for row, effect in zip(rows, effects, strict=True):
        if abs(effect) > 1e-4:
            assert row["sent"] == ("true" if effect > 0 else "false")
            assert row["band"] == ("moved" if effect > 0 else "put off")
    with (folder / "out" / "scores.csv").open() as file:
        assert sum(float(row["Metrics.Score"]) < 0 for row in csv.DictReader(file)) > 100
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert summary["threshold"] == 0.0
    assert summary["received"] == summary["kept"] + summary["filtered"] == 300


def test_drift_of_effects_is_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["drift", str(folder / "out" / "batches.jsonl"), "--json"])
    (comparison,) = json.loads(capsys.readouterr().out)
    by_name = {column["name"]: column for column in comparison["columns"]}
    assert by_name["(score)"]["people"] == 300
    assert by_name["(score)"]["verdict"] == "stable"


def test_invoke_and_policy_tell_the_kind(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_BUNDLE", str(folder / "bundle"))
    monkeypatch.setenv("SCORER_POLICY", str(folder / "policy.toml"))
    off = {"Metrics": dict.fromkeys(COLUMNS, -0.3)}
    (folder / "event.json").write_text(json.dumps(make_event({"a": off})))
    main(["invoke", str(folder / "event.json")])
    assert "-0.07" in capsys.readouterr().err
    main(["policy", "check", str(folder / "policy.toml")])
    text = capsys.readouterr().out
    assert "by how much a message changes how likely a person responds (uplift)" in text
    assert "from -1 to 1" in text
    assert "threshold = 0.0" in text
    (folder / "endpoint.json").write_text(json.dumps({"Id": "a", **off}))
    main(["policy", "explain", "--endpoint", str(folder / "endpoint.json")])
    text = capsys.readouterr().out
    assert "left out: score: uplift score -0.07" in text
    assert "< threshold 0" in text
    assert "band put off" in text


def test_a_policy_for_responses_does_not_fit_the_other_way(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "negative.toml").write_text("threshold = -0.1\n")
    assert main(["policy", "check", str(folder / "negative.toml")]) == 1  # the shipped bundle
    assert "threshold: expected a number from 0 to 1" in capsys.readouterr().err
