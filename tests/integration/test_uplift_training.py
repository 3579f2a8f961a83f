"""`train --treated` and `--run`, from files to a bundle that serves; small, invented people."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from model.bundle import load_bundle
from model.runtime import OnnxModel
from model.training.models import AUTO
from model.training.uplift.export import check_parity, convert_effect
from model.training.uplift.learners import LEARNERS
from model.training.uplift.selection import fit_effect
from segment_scorer.cli.main import main
from tests.bundles import make_bundle
from tests.training_people import to_lines
from tools.simulated_uplift import Truth, bent_effect, draw_campaign, judge_campaign, no_effect

PEOPLE = 2400


class Trained(NamedTuple):
    """Files of people whom an invented message moves or puts off, and the bundle of a training."""

    folder: Path
    bundle: Path
    printed: str

    @property
    def arguments(self) -> list[str]:
        return [
            "--endpoints",
            str(self.folder / "people.jsonl"),
            "--treated",
            "mailed",
            "--outcomes",
            str(self.folder / "outcomes.csv"),
        ]


def run_command(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(list(words))
    return status, out.getvalue(), err.getvalue()


def write_files(folder: Path, truth: Truth) -> None:
    rows = truth.campaign.matrix.tolist()
    documents = [
        {"Id": f"p{index}", "Metrics": {"a": a, "b": b}, "User": {"UserId": f"u{index}"}}
        for index, (a, b, *_) in enumerate(rows)
    ]
    (folder / "people.jsonl").write_text(to_lines(documents), "utf-8")
    flags = zip(truth.campaign.outcomes.tolist(), truth.campaign.treated.tolist(), strict=True)
    lines = (f"p{index},{outcome},{flag}\n" for index, (outcome, flag) in enumerate(flags))
    (folder / "outcomes.csv").write_text("Id,outcome,mailed\n" + "".join(lines), "utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("uplift")
    write_files(folder, draw_campaign(0, PEOPLE, lambda x: 0.3 * np.tanh(x[:, 1]) + 0.02))
    result = Trained(folder, folder / "bundle", "")
    status, printed, err = run_command(
        *("train", *result.arguments, "--out", str(result.bundle), "--reserve", "0.2"),
        *("--model", "two-logistic"),  # the choice has a test of its own
    )
    assert status == 0, err
    return result._replace(printed=printed)


def test_makes_an_uplift_bundle_with_one_output_and_negative_scores(trained: Trained) -> None:
    bundle = load_bundle(trained.bundle)
    assert bundle.score.is_uplift
    assert bundle.threshold == 0
    assert bundle.quantiles[0] < -0.05 < 0.05 < bundle.quantiles[-1]
    model = OnnxModel(bundle)
    assert [(each.name, each.shape) for each in model.facts.outputs] == [("effect", (-1, 1))]
    low, high = model.score(np.array([[0, -2], [0, 2]], dtype=np.float32))
    assert low < -0.1 < 0.1 < high
    assert bundle.manifest["parity"] <= 1e-6
    assert model.facts.takes_missing


def test_says_the_figures_of_the_field(trained: Trained) -> None:
    metrics = json.loads((trained.bundle / "manifest.json").read_text("utf-8"))["metrics"]
    assert metrics["intervals"]["qini"][0] > 0
    assert metrics["response_model"]["intervals"]["difference"][0] > 0
    assert metrics["put_off"]["interval"][1] < 0
    assert metrics["calibration_slope"] == pytest.approx(1, abs=0.35)
    for words in ("Qini coefficient", "a response model", "did put them off", "top 10 %"):
        assert words in trained.printed
    card = (trained.bundle / "MODEL_CARD.md").read_text("utf-8")
    for name in ("qini.png", "deciles.png", "calibration.png"):
        assert f"({name})" in card
        assert (trained.bundle / name).read_bytes().startswith(b"\x89PNG")
    assert "Whom the message puts off" in card


def test_the_same_files_and_seed_give_the_same_bundle_and_pass_the_gate(trained: Trained) -> None:
    again = trained.folder / "again"
    status, printed, err = run_command(
        *("train", *trained.arguments, "--out", str(again), "--reserve", "0.2"),
        *("--against", str(trained.bundle), "--model", "two-logistic"),
    )
    assert status == 0, err
    assert "passed against" in printed
    assert "Qini coefficient" in printed
    first, second = (load_bundle(folder) for folder in (trained.bundle, again))
    assert second.manifest["lineage"] == {"bundles": [first.label], "best": None}
    assert first.manifest["lineage"] == {"bundles": [], "best": None}
    assert len(first.manifest["data_sha256"]) == 64
    assert first.manifest["data_sha256"] == second.manifest["data_sha256"]
    assert first.manifest["options"]["goal"] == "uplift"
    assert first.manifest["options"]["reserve"] == 0.2
    assert first.manifest["options"]["treated_share"] is None
    card = (again / "MODEL_CARD.md").read_text("utf-8")
    assert "## How it was made" in card
    assert f"Replaces: {first.label}" in card
    for name in ("model.onnx", "qini.png"):
        assert (again / name).read_bytes() == (trained.bundle / name).read_bytes()


def test_evaluate_measures_it_and_needs_to_know_whom_chance_messaged(trained: Trained) -> None:
    words = ("evaluate", "--bundle", str(trained.bundle), *trained.arguments)
    status, printed, err = run_command(*words, "--out", str(trained.folder / "evaluation"))
    assert status == 0, err
    assert "decile 10" in printed
    assert "was trained on these very files, so it looks better than it is" in printed
    assert "the 2,400 people given" in printed
    assert (trained.folder / "evaluation" / "EVALUATION.md").exists()
    assert "a response model" not in printed
    response = trained.folder / "response"
    make_bundle(response)
    status, printed, err = run_command(*words, "--against", str(response))
    assert status == 0, err
    assert "by lot 0; a response model" in printed
    status, _, err = run_command(*words, "--against", str(trained.bundle))
    assert status == 1
    assert "expected a bundle of response scores" in err
    status, _, err = run_command(*(word for word in words if word not in {"--treated", "mailed"}))
    assert status == 1
    assert "expected --treated COLUMN or --run DIR" in err


def test_a_response_bundle_is_never_its_incumbent(trained: Trained) -> None:
    out = str(trained.folder / "never")
    shipped = ("--against", "model/artifact")
    status, _, err = run_command("train", *trained.arguments, "--out", out, *shipped)
    assert status == 1
    assert "expected a bundle of uplift scores, found response" in err
    words = [word for word in trained.arguments if word not in {"--treated", "mailed"}]
    status, _, err = run_command("train", *words, "--out", out, "--against", str(trained.bundle))
    assert status == 1
    assert "expected a bundle of response scores, found uplift" in err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--goal", "response"], "with an uplift model alone"),
        (["--model", "blend"], "expected one of auto, two-logistic, dr-learner"),
        (["--search"], "expected neither for an uplift model"),
        (["--quick"], "with a response model alone"),
        (["--treated-share", "1.5"], "between 0 and 1"),
        (["--run", "somewhere"], "both say who was messaged"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    trained: Trained, more: list[str], said: str
) -> None:
    status, _, err = run_command("train", *trained.arguments, "--out", "unused", *more)
    assert status == 2
    assert said in " ".join(err.replace("│", " ").split())


def test_a_goal_without_a_lot_is_refused(trained: Trained) -> None:
    words = [word for word in trained.arguments if word not in {"--treated", "mailed"}]
    status, _, err = run_command("train", *words, "--out", "unused", "--goal", "uplift")
    assert status == 2
    assert "messaged by lot" in " ".join(err.replace("│", " ").split())


def test_a_precision_is_refused(trained: Trained) -> None:
    status, _, err = run_command(
        "train", *trained.arguments, "--out", "unused", "--precision", "0.5"
    )
    assert status == 1
    assert "--precision: expected another goal" in err


def test_learns_from_a_run_of_ours_and_its_responders(trained: Trained) -> None:
    """The circle: the run's own control group, and outcomes as `lift` takes them."""
    folder, run = trained.folder, trained.folder / "run"
    policy = folder / "policy.toml"
    policy.write_text('threshold = -1.0\n[holdout]\npercent = 40\nsalt = "s"\n', "utf-8")
    people = str(folder / "people.jsonl")
    status, _, err = run_command(
        *("run", people, "--bundle", str(trained.bundle), "--policy", str(policy)),
        *("--out", str(run), "--processes", "1"),
    )
    assert status == 0, err
    rows = (run / "decisions.csv").read_text("utf-8").splitlines()
    sent = {row.split(",")[1] for row in rows[1:] if row.split(",")[4] == "true"}
    random = np.random.default_rng(1)
    bought = [
        user
        for user in (row.split(",")[1] for row in rows[1:])
        if random.random() < (0.5 if user in sent else 0.3)
    ]
    lines = "".join(f"{user},1\n" for user in bought)
    (folder / "bought.csv").write_text("UserId,outcome\n" + lines, "utf-8")
    status, printed, err = run_command(
        *("train", "--endpoints", people, "--run", str(run), "--goal", "uplift"),
        *("--outcomes", str(folder / "bought.csv"), "--out", str(folder / "next")),
        *("--model", "two-logistic"),
    )
    assert status == 0, err
    assert "chance had messaged 6" in printed
    assert "who are not listed count as 0" in " ".join(printed.split())
    assert "choose people no better than a lot" in " ".join(printed.split())
    assert load_bundle(folder / "next").manifest["metrics"]["treated"]["used"] == 0.6


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_onnx_of_each_learner_differs_by_less_than_1e_6(learner: str) -> None:
    campaign = draw_campaign(1, 1500, bent_effect).campaign
    campaign.matrix[:, 2] = 1.7e9 + 86400 * campaign.matrix[:, 2]
    model = LEARNERS[learner].fit(campaign, None, 0).scale(0.01, 0.8)
    rows = campaign.matrix.copy()
    rows[::3, 1] = np.nan
    rows[::5] = -1e30
    assert check_parity(model, convert_effect(model, rows.shape[1]), rows) < 1e-6


def test_a_bent_effect_is_found_and_none_is_claimed_where_there_is_none() -> None:
    """A small part of `make prove-uplift`."""
    truth = draw_campaign(0, 6000, bent_effect)
    train, test = np.arange(4500), np.arange(4500, 6000)
    model = fit_effect(truth.campaign.choose(train), None, AUTO, 0)
    assert model.learner == "dr-learner"
    effects = model.predict(truth.campaign.matrix[test])
    assert stats.spearmanr(effects, truth.effect[test]).statistic > 0.6
    nothing = judge_campaign(draw_campaign(0, 1200, no_effect), 0)
    assert not nothing.claims
