"""What moved a score: exact where at most two features act together; other models approximately."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from function.bootstrap import build_handler
from model.bundle import SHIPPED, load_bundle
from model.features import Matrix, read_spec
from model.score_kind import RESPONSE, UPLIFT
from segment_scorer.cli.main import main
from segment_scorer.monitoring.attribution import (
    MOST_ROWS,
    REFERENCES,
    attribute_score,
    draw_references,
    make_references,
    rank_features,
    score_in_parts,
    to_log_odds,
)
from segment_scorer.monitoring.explain import explain_event
from tests.bundles import COLUMNS, EFFECT, WEIGHTS, make_bundle, make_rows, make_uplift_bundle
from tests.fakes import make_event

SPEC = read_spec(
    {"feature": [{"name": name, "path": f"Metrics.{name}", "kind": "number"} for name in "abc"]}
)
ROW = np.array([[1.0, 2.0, 3.0]], dtype=np.float32)
OTHERS = np.array([[0.0, 1.0, 3.0], [2.0, 0.0, -1.0]], dtype=np.float32)


def pairwise(rows: Matrix) -> npt.NDArray[np.float64]:
    a, b, c = rows.T.astype(np.float64)
    return 0.01 * (a + 2 * b - c) + 0.005 * a * b


def test_is_the_shapley_value_where_two_features_act_together() -> None:
    found = attribute_score(ROW, OTHERS, SPEC, pairwise, UPLIFT)
    wanted = []
    for z in OTHERS.astype(float):
        (x,) = ROW.astype(float)
        shared = (
            0.005 * (x[0] - z[0]) * (x[1] + z[1]) / 2,
            0.005 * (x[1] - z[1]) * (x[0] + z[0]) / 2,
        )
        wanted.append(
            [
                0.01 * (x[0] - z[0]) + shared[0],
                0.02 * (x[1] - z[1]) + shared[1],
                -0.01 * (x[2] - z[2]),
            ]
        )
    assert np.allclose(found.moved, np.mean(wanted, axis=0), rtol=0, atol=1e-9)
    assert found.usual == pytest.approx(pairwise(OTHERS).mean())
    # The values add up to the difference that they explain.
    assert found.moved.sum() == pytest.approx(pairwise(ROW)[0] - found.usual)


def test_a_score_of_responses_is_explained_in_log_odds() -> None:
    def score(rows: Matrix) -> npt.NDArray[np.float64]:
        return 1 / (1 + np.exp(-rows.astype(np.float64) @ np.array([1.0, -2.0, 0.0])))

    found = attribute_score(ROW, OTHERS, SPEC, score, RESPONSE)
    assert np.allclose(found.moved, [0.0, -2 * 1.5, 0.0], rtol=0, atol=1e-6)
    assert rank_features(found.moved.tolist())[0] == 1
    assert (found.without >= 0).all()
    assert np.isfinite(to_log_odds(np.array([0.0, 1.0]))).all()


def test_asks_for_few_rows_in_calls_that_a_service_takes() -> None:
    sizes: list[int] = []

    def score(rows: Matrix) -> npt.NDArray[np.float64]:
        assert rows.flags.c_contiguous
        sizes.append(len(rows))
        return np.zeros(len(rows))

    attribute_score(ROW, OTHERS, SPEC, score, UPLIFT)
    assert sizes == [1 + 2 + 2 * 2 * 3]
    sizes.clear()
    score_in_parts(np.zeros((2 * MOST_ROWS + 1, 3), dtype=np.float32), score)
    assert sizes == [MOST_ROWS, MOST_ROWS, 1]


def test_references_are_as_in_training_and_the_same_every_time() -> None:
    bundle = load_bundle(SHIPPED)
    references = make_references(bundle)
    assert references.shape == (REFERENCES, len(bundle.spec.columns))
    assert np.array_equal(references, make_references(bundle))
    assert not np.isnan(references).any()
    low, high = np.nanmin(bundle.golden_rows, axis=0), np.nanmax(bundle.golden_rows, axis=0)
    assert ((references >= low) & (references <= high)).all()
    people = make_rows(100)
    assert np.array_equal(draw_references(people), draw_references(people), equal_nan=True)
    assert len(draw_references(people)) == REFERENCES
    assert len(draw_references(people[:3])) == 3


@pytest.mark.parametrize("make", [make_bundle, make_uplift_bundle])
def test_explains_what_the_model_saw_of_either_kind(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    bundle = make(tmp_path / "bundle")
    event = make_event({"x": {"Metrics": {"a": -1, "c": -2.0, "d": 4}}, "none": "no object"})
    explained, odd = explain_event(event, {"SCORER_BUNDLE": str(bundle)})
    assert (odd.moved, odd.usual) == ((), None)
    by_name = {each.feature: each for each in explained.moved}
    assert {name: by_name[name].value for name in COLUMNS} == {
        "a": "-1", "b": "missing", "c": "-2", "d": "4",
    }  # fmt: skip
    # c has the largest weight, and the person is far below others: it lowers the score most.
    assert explained.moved[0].feature == "c"
    assert explained.moved[0].moved < 0
    assert explained.score is not None
    assert explained.moved[0].without > explained.score
    assert WEIGHTS.argmax() == COLUMNS.index("c")
    assert (explained.score < 0) == (make is make_uplift_bundle)
    assert abs(explained.score) <= (EFFECT if make is make_uplift_bundle else 1)


def test_explaining_changes_no_decision_and_writes_no_second_batch(tmp_path: Path) -> None:
    bundle = make_uplift_bundle(tmp_path / "bundle")
    handler = build_handler({"SCORER_BUNDLE": str(bundle)})
    rows = make_rows(5)
    assert handler.score_rows(rows, 1.0).tolist() == handler.score_rows(rows, 1.0).tolist()


def test_the_command_lists_the_reasons_and_takes_people_to_compare_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    (tmp_path / "one.json").write_text(json.dumps({"Id": "x", "Metrics": {"c": 3.0}}))
    people = [{"Id": f"{n}", "Metrics": {"c": n / 10}} for n in range(30)]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(one) + "\n" for one in people))
    command = ["policy", "explain", "--endpoint", str(tmp_path / "one.json")]
    command += ["--bundle", str(bundle)]
    assert main(command) == 0
    alone = capsys.readouterr().out
    assert "beside other people's mean score of" in alone
    assert "+ c = 3 (" in alone
    assert " a = missing (" in alone
    assert main([*command, "--among", str(tmp_path / "people.jsonl")]) == 0
    among = capsys.readouterr().out
    assert "+ c = 3 (" in among
    assert among != alone
    (tmp_path / "empty.jsonl").write_text("{}\n[]\n")
    assert main([*command, "--among", str(tmp_path / "absent.jsonl")]) == 1
    assert "expected a file of people" in capsys.readouterr().err
