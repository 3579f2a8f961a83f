"""What a training fits: at most 5 times the trees of a plain cross-validation, counted.

The rest of a training (files, pictures, export) then fits into 6 times its time, which
`make prove-training` measures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from model.training import calibration, cross_validation
from model.training.config import TrainingConfig
from model.training.models import CANDIDATES
from model.training.train import TrainingResult, train_bundle
from tests.training_people import ignore_progress

pytestmark = pytest.mark.usefixtures("undrawn")

PEOPLE = 1_000
# Five folds, four fifths of the people in each, and the trees of the costliest candidate.
PLAIN = 5 * 0.8 * PEOPLE * max(each.parameters.get("max_iter", 60) for each in CANDIDATES)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    """A thousand people with four numbers, of which ratios and differences are tried."""
    folder = tmp_path_factory.mktemp("costs")
    random = np.random.default_rng(0)
    numbers = random.integers(1, 100, (PEOPLE, 4))
    outcomes = random.random(PEOPLE) < numbers[:, 0] / 130
    header = "Id," + ",".join(f"Metrics.M{column}" for column in range(4))
    rows = [f"p{at}," + ",".join(map(str, row)) for at, row in enumerate(numbers)]
    (folder / "people.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")
    lines = [f"p{at},{int(outcome)}" for at, outcome in enumerate(outcomes)]
    (folder / "outcomes.csv").write_text("\n".join(["Id,outcome", *lines]) + "\n", "utf-8")
    return TrainingConfig(
        endpoints=(folder / "people.csv",),
        outcomes=folder / "outcomes.csv",
        out=folder / "bundle",
    )


def count_trees(
    config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> tuple[float, TrainingResult]:
    """The sum, over all fits, of people times trees; and the result. Grows three trees each."""
    fitted = []
    plainly = HistGradientBoostingClassifier.fit

    def fit(self: Any, matrix: Any, *others: Any, **more: Any) -> Any:
        fitted.append(len(matrix) * self.max_iter)
        return plainly(self.set_params(max_iter=3), matrix, *others, **more)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", fit)
    result = train_bundle(config, ignore_progress)
    return float(sum(fitted)), result


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_training_fits_at_most_five_times_as_many_trees_as_a_plain_cross_validation(
    files: TrainingConfig, monkeypatch: pytest.MonkeyPatch, *, calibrated: bool
) -> None:
    for module in (calibration, cross_validation):
        monkeypatch.setattr(module, "lowers_brier", lambda *_: calibrated)
    trees, result = count_trees(files, monkeypatch)
    assert "features made of others were tried on 1,000 people" in " ".join(result.notices)
    assert (result.manifest["calibration"] == "sigmoid") == calibrated
    # The costliest candidate is fitted in every fold at least; it has three times the usual trees.
    assert PLAIN < trees <= 5 * PLAIN
