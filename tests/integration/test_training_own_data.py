"""Training on a team's own files: inference, leaks, users, dates, formats, goals, comparison."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from examples.credit.make_endpoints import INVENTED, read_people, write_example
from model.bundle import SHIPPED, load_bundle
from model.document import is_typed
from model.features import load_spec
from segment_scorer.cli.main import main
from tests.training_people import make_people, to_csv, to_lines, write, write_people

pytestmark = pytest.mark.usefixtures("undrawn")

PNG = b"\x89PNG\r\n\x1a\n"
LOGISTIC = ["--model", "logistic"]


class Trained(NamedTuple):
    """A bundle that tests must not change, and the arguments that name its files."""

    bundle: Path
    arguments: list[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    directory = tmp_path_factory.mktemp("trained")
    arguments = write_people(directory, 600)
    assert main(["train", *arguments, "--out", str(directory / "bundle")]) == 0
    return Trained(directory / "bundle", arguments)


def write_own(directory: Path, documents: list[dict[str, Any]], outcomes: list[int]) -> list[str]:
    write(directory / "endpoints.jsonl", to_lines(documents))
    write(directory / "outcomes.csv", to_csv(documents, outcomes))
    return [
        "--endpoints",
        str(directory / "endpoints.jsonl"),
        "--outcomes",
        str(directory / "outcomes.csv"),
        *LOGISTIC,
    ]


def test_infers_a_spec_that_gives_the_same_model_when_it_is_given_back(tmp_path: Path) -> None:
    arguments = write_own(tmp_path, *make_people(500))
    assert main(["train", *arguments, "--out", str(tmp_path / "one")]) == 0
    assert [feature.path for feature in load_spec(tmp_path / "one" / "features.toml").features] == [
        "Metrics.Spend",
        "Metrics.Visits",
        "Attributes.Plan",
    ]
    assert (
        main(
            [
                "train",
                *arguments,
                "--out",
                str(tmp_path / "two"),
                "--features",
                str(tmp_path / "one" / "features.toml"),
            ]
        )
        == 0
    )
    assert load_bundle(tmp_path / "one").version == load_bundle(tmp_path / "two").version


def test_leaves_a_planted_leak_out_but_obeys_a_spec_that_asks_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents, outcomes = make_people(500)
    for document, outcome in zip(documents, outcomes, strict=True):
        document["Attributes"]["Basket"] = [["none", "full"][outcome]]
    arguments = write_own(tmp_path, documents, outcomes)
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    assert (
        "left out           basket: alone it ranks people with a ROC AUC of 1.000"
        in capsys.readouterr().out
    )
    assert "basket" not in {
        feature.name for feature in load_bundle(tmp_path / "bundle").spec.features
    }
    assert "#   basket: alone it ranks" in (tmp_path / "bundle" / "features.toml").read_text(
        "utf-8"
    )
    asked = write(
        tmp_path / "asked.toml",
        '[[feature]]\nname = "basket"\npath = "Attributes.Basket"\nkind = "category"\n',
    )
    assert (
        main(["train", *arguments, "--out", str(tmp_path / "bundle"), "--features", str(asked)])
        == 0
    )
    assert (
        "notice             basket: alone it ranks people with a ROC AUC of 1.000"
        in capsys.readouterr().out
    )
    assert load_bundle(tmp_path / "bundle").manifest["metrics"]["roc_auc"] == 1.0


def test_shuffled_outcomes_give_chance_within_their_interval(tmp_path: Path) -> None:
    documents, outcomes = make_people(800)
    intervals = []
    for seed in range(3):
        arguments = write_own(
            tmp_path, documents, np.random.default_rng(seed).permutation(outcomes).tolist()
        )
        assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
        manifest = load_bundle(tmp_path / "bundle").manifest
        intervals.append(manifest["metrics"]["intervals"]["roc_auc"])
        notices = manifest["data"]["remarks"]
        assert any("interval of ROC AUC includes 0.5" in notice for notice in notices)
    assert all(low < 0.5 for low, _ in intervals), "never better than chance"
    assert sum(high > 0.5 for _, high in intervals) >= 2, "worse at most one time in twenty"


def test_the_card_names_the_figures_of_the_manifest_and_its_pictures_are_pictures(
    drawn: None,
    tmp_path: Path,
) -> None:
    assert (
        main(
            [
                "train",
                *write_people(tmp_path),
                "--out",
                str(tmp_path / "bundle"),
                "--value",
                "10",
                "--cost",
                "4",
            ]
        )
        == 0
    )
    card, manifest = (
        (tmp_path / "bundle" / "MODEL_CARD.md").read_text("utf-8"),
        load_bundle(tmp_path / "bundle").manifest,
    )
    assert f"| ROC AUC | {manifest['metrics']['roc_auc']:.4f} |" in card
    assert "Recommended: 0.4000 (value 10, cost 4), cost divided by value: " in card
    assert manifest["threshold_rule"] == "profit"
    assert "With 10 per response and 4 per message, the profit per 1,000 people is at most " in card
    assert "cost / value" not in card, "the threshold is cost / value"
    for name in ("gains.png", "calibration.png", "scores.png", "threshold.png"):
        assert f"]({name})" in card
        picture = (tmp_path / "bundle" / name).read_bytes()
        assert picture.startswith(PNG)
        assert len(picture) > 10_000, "more than the dot of `undrawn`"


def test_notices_that_response_has_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents, outcomes = make_people(800)
    arguments = write_own(tmp_path, documents, outcomes)
    late = np.random.default_rng(0).random(400) < 0.1
    rows = [
        f"{document['Id']},{outcome},2026-01-01"
        for document, outcome in zip(documents[:400], outcomes, strict=False)
    ]
    rows += [
        f"{document['Id']},{outcome * left},2026-02-01"
        for document, outcome, left in zip(documents[400:], outcomes[400:], late, strict=True)
    ]
    write(tmp_path / "outcomes.csv", "\n".join(["Id,outcome,date", *rows]))
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    change = "response changes over time: of the latest 400 people "
    assert f"notice             {change}" in capsys.readouterr().out
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text("utf-8")
    assert f"Notice: {change}" in card


def test_notices_that_rounding_would_keep_other_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Three plans make three scores. A threshold is one of them with six decimals; rounded to four
    # decimals, about every other score falls below it.
    arguments = write_own(tmp_path, *make_people(600))
    plan = write(
        tmp_path / "plan.toml",
        '[[feature]]\nname = "plan"\npath = "Attributes.Plan"\nkind = "category"\n',
    )

    def has_notice(reach: str) -> bool:
        out = ["--out", str(tmp_path / "bundle"), "--features", str(plan), "--reach", reach]
        assert main(["train", *arguments, *out]) == 0
        return "; set decimals = 6 in the policy" in capsys.readouterr().out

    assert any(has_notice(reach) for reach in ("0.1", "0.3", "0.5", "0.7", "0.9"))


def to_profile(document: dict[str, Any]) -> dict[str, Any]:
    metrics = {f"Metrics_{name}": str(value) for name, value in document["Metrics"].items()}
    return {
        "ProfileId": document["Id"],
        "Attributes": {"Plan": document["Attributes"]["Plan"][0], **metrics},
    }


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list({name: None for row in rows for name in row}))
        table.writeheader()
        table.writerows(rows)
    return path


def test_export_import_table_and_customer_profiles_give_the_same_model(tmp_path: Path) -> None:
    documents, outcomes = make_people(400)
    arguments = write_people(tmp_path)
    table = write_table(
        tmp_path / "people.csv",
        [
            {
                "Id": document["Id"],
                "Attributes.Plan": document["Attributes"]["Plan"][0],
                **{f"Metrics.{name}": value for name, value in document["Metrics"].items()},
            }
            for document in documents
        ],
    )
    profiles = write(
        tmp_path / "profiles.jsonl", to_lines([to_profile(document) for document in documents])
    )
    by_profile = write(
        tmp_path / "by_profile.csv", to_csv(documents, outcomes).replace("Id,", "ProfileId,")
    )
    versions = set()
    for endpoints, outcome_table in (
        (tmp_path / "endpoints.jsonl", tmp_path / "outcomes.csv"),
        (table, by_profile),
        (profiles, by_profile),
    ):
        given = [
            "--endpoints",
            str(endpoints),
            "--outcomes",
            str(outcome_table),
            *arguments[4:],
            "--out",
            str(tmp_path / "bundle"),
        ]
        assert main(["train", *given]) == 0
        versions.add(load_bundle(tmp_path / "bundle").version)
    assert len(versions) == 1


def test_validates_dated_outcomes_by_time_with_ages_at_each_date(
    tmp_path: Path,
) -> None:
    documents, outcomes = make_people(600)
    lines = ["UserId,outcome,date"]
    for index, (document, outcome) in enumerate(zip(documents, outcomes, strict=True)):
        document["User"] = {"UserId": f"user-{index}"}
        document["CreationDate"] = f"2025-0{index % 9 + 1}-01T00:00:00Z"
        lines.append(f"user-{index},{outcome},2026-{index // 60 + 1:02}-01")
    arguments = write_own(tmp_path, documents, outcomes)
    write(tmp_path / "outcomes.csv", "\n".join(lines))
    assert main(["train", *arguments, "--out", str(tmp_path / "bundle")]) == 0
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest["metrics"]["held_out"] == "by time"
    assert bundle.manifest["metrics"]["n"] < 600
    assert "creation_date_age" in bundle.spec.columns


def test_a_worse_model_never_replaces_the_bundle_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents, outcomes = make_people(600)
    arguments = write_own(tmp_path, documents, outcomes)
    out = ["--out", str(tmp_path / "bundle")]
    assert main(["train", *arguments, *out]) == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    capsys.readouterr()
    poor = write(
        tmp_path / "poor.toml",
        '[[feature]]\nname = "plan"\npath = "Attributes.Plan"\nkind = "category"\n',
    )
    assert (
        main(
            [
                "train",
                *arguments,
                *out,
                "--features",
                str(poor),
                "--against",
                str(tmp_path / "bundle"),
            ]
        )
        == 3
    )
    printed = capsys.readouterr()
    assert "segment-scorer train: new model rejected, segment-scorer@" in printed.err
    assert "is not replaced: its ROC AUC is lower by 0." in printed.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()} == first
    lenient = ["--against", str(tmp_path / "bundle"), "--margin", "0.9"]
    assert main(["train", *arguments, *out, "--features", str(poor), *lenient]) == 0
    assert load_bundle(tmp_path / "bundle").manifest["gate"]["margin"] == 0.9
    assert main(["train", *arguments, *out, "--against", str(tmp_path / "bundle")]) == 0
    assert (
        "comparison         better or equal, passed against segment-scorer@"
        in capsys.readouterr().out
    )


def test_compares_both_models_on_reserved_people_that_neither_has_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_own(tmp_path, *make_people(900))
    out = ["--out", str(tmp_path / "bundle"), "--reserve", "0.3"]
    assert main(["train", *arguments, *out]) == 0
    first = load_bundle(tmp_path / "bundle").manifest
    assert first["metrics"]["n"] < 700
    assert first["metrics"]["n"] + first["data"]["reserved"] == first["data"]["matched"] == 900
    assert first["data"]["responded"] / 900 != pytest.approx(
        first["metrics"]["base_rate"], abs=1e-4
    ), "the two rates are of different people"
    printed = capsys.readouterr().out
    assert (
        f"900 with endpoint and outcome; {first['data']['responded'] / 900:.1%} responded"
        in printed
    )
    assert f"at random; {first['metrics']['base_rate']:.1%} responded" in printed
    assert main(["train", *arguments, *out, "--against", str(tmp_path / "bundle")]) == 0
    gate = load_bundle(tmp_path / "bundle").manifest["gate"]
    assert gate["unseen_by_both"]
    assert gate["people"] + load_bundle(tmp_path / "bundle").manifest["metrics"]["n"] == 900
    assert gate["new"] == gate["old"], "the same people and seed give the same model"
    poor = write(
        tmp_path / "poor.toml",
        '[[feature]]\nname = "plan"\npath = "Attributes.Plan"\nkind = "category"\n',
    )
    assert (
        main(
            [
                "train",
                *arguments,
                *out,
                "--features",
                str(poor),
                "--against",
                str(tmp_path / "bundle"),
            ]
        )
        == 3
    )
    assert "on the same 2" in capsys.readouterr().err


def test_never_compares_with_a_bundle_whose_model_was_changed(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = trained.arguments
    shutil.copytree(trained.bundle, tmp_path / "bundle")
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text("utf-8"))
    manifest["golden"]["scores"][0] += 0.01
    write(tmp_path / "bundle" / "manifest.json", json.dumps(manifest))
    assert (
        main(
            [
                "train",
                *arguments,
                "--out",
                str(tmp_path / "new"),
                "--against",
                str(tmp_path / "bundle"),
            ]
        )
        == 1
    )
    assert "golden rows" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_evaluates_a_bundle_on_other_people_and_draws_pictures(
    drawn: None, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = trained.bundle
    (tmp_path / "later").mkdir()
    later = write_people(tmp_path / "later", 600, seed=9)[:4]
    capsys.readouterr()
    folder = tmp_path / "evaluation"
    money = ["--value", "10", "--cost", "1"]
    assert main(["evaluate", "--bundle", str(bundle), *later, *money, "--out", str(folder)]) == 0
    printed = capsys.readouterr().out
    area = float(printed.split("ROC AUC")[1].split()[0])
    assert abs(area - load_bundle(bundle).manifest["metrics"]["roc_auc"]) < 0.06
    assert "decile 10 " in printed
    assert (folder / "gains.png").read_bytes().startswith(PNG)
    assert sorted(path.name for path in folder.iterdir()) == [
        "EVALUATION.md",
        "calibration.png",
        "gains.png",
        "scores.png",
        "threshold.png",
    ]
    written = (folder / "EVALUATION.md").read_text("utf-8")
    assert f"| ROC AUC | {area:.4f} |" in written
    assert "Of the 600 people given, " in written
    assert "All figures are of the people given; " in written
    assert "held out" not in written
    for text in (printed, written):
        assert (
            "With 10 per response and 1 per message, the profit per 1,000 people is at most "
            in text
        )
        assert "cost / value, 0.1000, it is at most " in text


def test_evaluate_never_writes_into_a_bundle(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, arguments = trained
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    capsys.readouterr()
    assert main(["evaluate", "--bundle", str(bundle), *arguments[:4], "--out", str(bundle)]) == 1
    assert "directory for the evaluation alone, found a bundle" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_says_if_people_lack_the_features_of_a_bundle_in_evaluation_and_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write_own(tmp_path, *make_people(600))
    assert main(["evaluate", *arguments[:4]]) == 0
    shipped = load_bundle(SHIPPED)
    count = len(shipped.spec.features)
    expected = f"0 of the {count} features of {shipped.label} occur in at least 20 of these people"
    printed = capsys.readouterr().out
    assert f"notice             {expected}" in printed
    assert "its scores mean nothing for them; missing: " in printed
    assert (
        main(["train", *arguments, "--out", str(tmp_path / "bundle"), "--against", str(SHIPPED)])
        == 0
    )
    assert expected in capsys.readouterr().out


def test_evaluate_refuses_a_directory_without_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--bundle", str(tmp_path), *write_people(tmp_path)[:4]]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert str(tmp_path) in message
    assert "manifest.json" in message


def test_learns_from_the_credit_example_without_a_spec(tmp_path: Path) -> None:
    write_example(tmp_path)
    people = read_people()
    assert len(people) == 4_454
    assert round(np.mean([outcome for _, outcome in people]), 3) == 0.718
    assert all(is_typed(endpoint) for endpoint, _ in people)
    assert people[0][0]["Attributes"]["Invented"] == INVENTED
    given = [
        "--endpoints",
        str(tmp_path / "endpoints.jsonl.gz"),
        "--outcomes",
        str(tmp_path / "outcomes.csv"),
        "--model",
        "boosting",
    ]
    assert main(["train", *given, "--out", str(tmp_path / "bundle")]) == 0
    bundle = load_bundle(tmp_path / "bundle")
    assert {feature.path for feature in bundle.spec.features} == {
        *(f"Attributes.{name}" for name in ("Home", "Marital", "Records", "Job")),
        *(
            f"Metrics.{name}"
            for name in (
                "Seniority",
                "Time",
                "Age",
                "Expenses",
                "Income",
                "Assets",
                "Debt",
                "Amount",
                "Price",
            )
        ),
    }
    assert bundle.manifest["metrics"]["roc_auc"] > 0.83
