"""The gate: the same people pass with another seed, and a chain of retrainings does not go down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.cdnow.make_endpoints import HERE, make_people, read_purchases
from model.bundle import BEST_FILE, SHIPPED, load_bundle
from segment_scorer.cli.main import main
from tests.training_people import to_csv, to_lines, write

pytestmark = pytest.mark.usefixtures("undrawn")

# Standard deviations of the noise, in the order in which the models are trained
NOISE = {"First": 0.1, "Second": 0.45, "Third": 0.7}
GOOD = ("frequency", "Metrics.PurchaseDays"), ("recency", "Metrics.RecencyDays")


@pytest.fixture(scope="module")
def customers() -> list[tuple[dict[str, object], int]]:
    return make_people(read_purchases(HERE / "transactions.csv.gz"))


def write_files(
    directory: Path, people: list[tuple[dict[str, object], int]], features: str = ""
) -> list[str]:
    documents, outcomes = [person for person, _ in people], [outcome for _, outcome in people]
    write(directory / "endpoints.jsonl", to_lines(documents))
    write(directory / "outcomes.csv", to_csv(documents, outcomes))  # type: ignore[arg-type]
    given = ["--endpoints", str(directory / "endpoints.jsonl")]
    given += ["--outcomes", str(directory / "outcomes.csv")]
    if features:
        given += ["--features", str(write(directory / "features.toml", features))]
    return given


def spec_of(*features: tuple[str, str]) -> str:
    return "".join(
        f'[[feature]]\nname = "{name}"\npath = "{path}"\nkind = "number"\n'
        for name, path in features
    )


def read_manifest(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "manifest.json").read_text("utf-8"))
    return found


def test_the_same_people_with_another_seed_pass_on_the_reserve_of_the_shipped_bundle(
    tmp_path: Path, customers: list[tuple[dict[str, object], int]]
) -> None:
    given = write_files(tmp_path, customers)
    features = [
        "--features",
        str(HERE / "features.toml"),
        "--reserve",
        "0.2",
        "--model",
        "boosting",
    ]
    out = ["--out", str(tmp_path / "bundle"), "--against", str(SHIPPED)]
    assert main(["train", *given, *features, *out, "--seed", "7"]) == 0
    found = read_manifest(tmp_path / "bundle")
    assert found["gate"]["finding"] == "better or equal"  # type: ignore[index]
    assert found["gate"]["decided_by"] == "people set aside"  # type: ignore[index]
    assert found["lineage"]["bundles"] == [load_bundle(SHIPPED).label]  # type: ignore[index]


def test_1_500_people_pass_with_another_seed(
    tmp_path: Path, customers: list[tuple[dict[str, object], int]]
) -> None:
    chosen = np.random.default_rng(0).permutation(len(customers))[:1_500]
    given = write_files(tmp_path, [customers[index] for index in sorted(chosen.tolist())])
    features = ["--features", str(HERE / "features.toml"), "--reserve", "0.2"]
    out = ["--out", str(tmp_path / "bundle"), "--against", str(tmp_path / "bundle")]
    assert main(["train", *given, *features, *out[:2], "--seed", "1", "--quick"]) == 0
    first = read_manifest(tmp_path / "bundle")
    assert main(["train", *given, *features, *out, "--seed", "2"]) == 0
    second = read_manifest(tmp_path / "bundle")
    assert second["gate"]["finding"] == "better or equal"  # type: ignore[index]
    assert second["data_sha256"] == first["data_sha256"]
    assert second["options"]["seed"] == 2  # type: ignore[index]


def test_what_333_people_cannot_tell_is_decided_out_of_fold(
    tmp_path: Path,
    customers: list[tuple[dict[str, object], int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = np.random.default_rng(3).permutation(len(customers))[:1_600]
    given = write_files(
        tmp_path,
        [customers[index] for index in chosen.tolist()],
        spec_of(*GOOD, ("spend", "Metrics.SpendTotal"), ("tenure", "Metrics.TenureDays")),
    )
    out = ["--out", str(tmp_path / "bundle"), "--reserve", "0.2"]
    assert main(["train", *given, *out, "--model", "logistic"]) == 0
    poor = write(tmp_path / "poor.toml", spec_of(("tenure", "Metrics.TenureDays"), GOOD[0]))
    against = [*given[:4], *out, "--model", "logistic", "--against", str(tmp_path / "bundle")]
    before = read_manifest(tmp_path / "bundle")
    capsys.readouterr()
    status = main(["train", *against, "--features", str(poor)])
    message = capsys.readouterr().err
    assert status == 3, message
    assert "models of the same recipes that were fitted without them" in message
    assert "the people set aside could not tell" in message
    assert read_manifest(tmp_path / "bundle") == before


def test_many_models_that_are_each_a_little_worse_do_not_drift_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Three measurements of one number, each with more noise: every step is within the margin of the
    # step before it, but the third is not within the margin of the first.
    random = np.random.default_rng(0)
    truth = random.normal(size=4_000)
    outcomes = (random.random(4_000) < 1 / (1 + np.exp(-2 * truth))).astype(int).tolist()
    noisy = {name: truth + random.normal(0, noise, 4_000) for name, noise in NOISE.items()}
    documents = [
        {"Id": f"person-{index}", "Metrics": {name: float(noisy[name][index]) for name in NOISE}}
        for index in range(4_000)
    ]
    people = list(zip(documents, outcomes, strict=True))
    given = write_files(tmp_path, people)  # type: ignore[arg-type]
    bundle = tmp_path / "bundle"
    out = ["--out", str(bundle), "--model", "logistic", "--reserve", "0.5", "--margin", "0.06"]
    statuses = []
    for name in NOISE:
        spec = write(tmp_path / f"{name}.toml", spec_of((name, f"Metrics.{name}")))
        against = ["--against", str(bundle)] if bundle.exists() else []
        statuses.append(main(["train", *given, *out, *against, "--features", str(spec)]))
        if name == "Second":
            lineage = read_manifest(bundle)["lineage"]
            assert lineage["best"]["columns"] == ["First"]  # type: ignore[index]
            assert (bundle / BEST_FILE).exists()
    assert statuses == [0, 0, 3]
    assert "Against the best bundle so far" in capsys.readouterr().err
    assert load_bundle(bundle).spec.columns == ("Second",)
    first = ["--features", str(tmp_path / "First.toml"), "--against", str(bundle)]
    assert main(["train", *given, *out, *first]) == 0
    assert read_manifest(bundle)["lineage"]["best"] is None  # type: ignore[index]
    assert not (bundle / BEST_FILE).exists()


def test_where_nothing_can_tell_the_option_decides_and_responders_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(1)
    truth = random.normal(size=300)
    outcomes = (random.random(300) < 1 / (1 + np.exp(-truth))).astype(int).tolist()
    people = [
        ({"Id": f"person-{index}", "Metrics": {"Left": left, "Right": right}}, outcome)
        for index, (left, right, outcome) in enumerate(
            zip(
                (truth + random.normal(0, 0.7, 300)).tolist(),
                (truth + random.normal(0, 0.7, 300)).tolist(),
                outcomes,
                strict=True,
            )
        )
    ]
    given = write_files(tmp_path, people)  # type: ignore[arg-type]
    for name in ("Left", "Right"):
        write(tmp_path / f"{name}.toml", spec_of((name, f"Metrics.{name}")))
    out = ["--out", str(tmp_path / "bundle"), "--model", "logistic", "--features"]
    assert main(["train", *given, *out, str(tmp_path / "Left.toml")]) == 0
    against = [*out, str(tmp_path / "Right.toml"), "--against", str(tmp_path / "bundle")]
    capsys.readouterr()
    assert main(["train", *given, *against]) == 4
    message = capsys.readouterr().err
    assert "cannot tell whether the new model is as good" in message
    assert "responders to tell, and these people have" in message
    assert load_bundle(tmp_path / "bundle").spec.columns == ("Left",)
    assert main(["train", *given, *against, "--if-unclear", "replace"]) == 0
    assert load_bundle(tmp_path / "bundle").spec.columns == ("Right",)
    assert read_manifest(tmp_path / "bundle")["gate"]["finding"] == "cannot tell"  # type: ignore[index]
