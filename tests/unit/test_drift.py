"""segment_scorer/monitoring/drift.py and the index in model/bins.py: drift from the logs alone."""

from __future__ import annotations

import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bins import (
    BinCounter,
    Distribution,
    count_bins,
    count_numbers,
    describe_column,
    measure_drift,
    read_distribution,
    read_distributions,
)
from model.errors import BundleError, DataError
from segment_scorer.cli.main import main
from segment_scorer.monitoring.drift import SCORE, BinSums, compare_logs, compare_sums
from tests.fakes import make_bundle, make_endpoint, make_event
from tests.rooms import DRIFT, make_handler

REFERENCE = {"features": {"score": DRIFT}, "score": DRIFT}
LABEL = "tiny@1"


def model_line(reference: Any = REFERENCE) -> str:
    return json.dumps(
        {"message": "model", "model": LABEL, "reference": reference}, separators=(",", ":")
    )


def batch_line(features: list[int], score: list[int] | None = None, model: str = LABEL) -> str:
    bins = {"feature_bins": [features], **({} if score is None else {"score_bins": score})}
    return json.dumps({"message": "batch", "model": model, **bins}, separators=(",", ":"))


def test_what_a_handler_logs_is_compared_with_what_its_model_learnt_from() -> None:
    log = io.StringIO()
    handle = make_handler({}, stream=log)
    for start in range(0, 800, 50):
        # As in training: half up to 0.25, a quarter up to 0.5, an eighth above, an eighth missing.
        scores = [
            (0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.9, None)[index % 8]
            for index in range(start, start + 50)
        ]
        handle(make_event({str(index): make_endpoint(score) for index, score in enumerate(scores)}))
    (comparison,) = compare_logs(log.getvalue().splitlines(), {LABEL: REFERENCE})
    assert (comparison.model, comparison.batches, comparison.people) == (LABEL, 16, 800)
    feature = next(column for column in comparison.columns if column.name == "score")
    assert (feature.index, feature.missing, feature.missing_then, feature.verdict) == (
        0.0,
        0.125,
        0.125,
        "stable",
    )
    score = next(column for column in comparison.columns if column.name == SCORE)
    # The tiny model gives a person without the feature the score 0.
    assert score.verdict == ("shifted" if score.index < 0.25 else "different")


@pytest.mark.parametrize(
    ("bins", "verdict", "sentence"),
    [
        (
            [500, 250, 125, 125],
            "stable",
            (
                "Stable: no feature differs from training (PSI below 0.1). A PSI of # would be "
                "found 4 times in 5."
            ),
        ),
        (
            [350, 400, 125, 125],
            "shifted",
            (
                "Shift: 1 of 1 features differs from training (PSI over 0.1), most of all score. "
                "Watch it, and evaluate the model on newer outcomes."
            ),
        ),
        (
            [125, 125, 250, 500],
            "different",
            (
                "Drift: 1 of 1 features differs from training (PSI over 0.25), most of all score. "
                "Check the data before sending; retrain if the change is real."
            ),
        ),
        (
            [5, 2, 2, 1],
            "too few",
            (
                "Too few to tell: 10 people. A shift (PSI 0.1) would be found 4 times in 5 among "
                "about #."
            ),
        ),
        (
            [0, 0, 0, 20],
            "different",
            (
                "Drift: 1 of 1 features differs from training (PSI over 0.25), most of all score. "
                "Check the data before sending; retrain if the change is real."
            ),
        ),
    ],
)
def test_the_verdict_is_plain(bins: list[int], verdict: str, sentence: str) -> None:
    (comparison,) = compare_logs([model_line(), batch_line(bins)], {})
    assert comparison.columns[0].verdict == verdict
    # The figures depend on how numpy draws.
    pattern = re.escape(sentence).replace(r"\#", r"[\d.]+")
    assert re.fullmatch(pattern, comparison.verdict)


def test_batches_add_up_and_the_reference_may_come_last() -> None:
    (comparison,) = compare_logs(
        [batch_line([250, 125, 60, 60]), batch_line([250, 125, 65, 65]), model_line()], {}
    )
    assert (comparison.batches, comparison.people, comparison.columns[0].index) == (2, 1_000, 0.0)


def test_a_first_batch_without_scores_does_not_hide_the_scores_of_the_next() -> None:
    bins = [250, 125, 60, 65]
    (comparison,) = compare_logs([model_line(), batch_line(bins), batch_line(bins, bins)], {})
    assert {column.name: column.people for column in comparison.columns} == {
        "score": 1_000,
        SCORE: 500,
    }


def test_each_model_is_compared_with_its_own_reference() -> None:
    other = {"features": {"score": {"edges": [], "shares": [1.0], "missing": 0.0}}, "score": DRIFT}
    lines = [batch_line([500, 250, 125, 125]), batch_line([900, 0], model="other@2")]
    one, two = compare_logs(lines, {LABEL: REFERENCE, "other@2": other})
    assert [(comparison.model, comparison.verdict[:6]) for comparison in (one, two)] == [
        (LABEL, "Stable"),
        ("other@2", "Stable"),
    ]


@pytest.mark.parametrize(
    "prefix", ["", "2026-01-31T19:00:00 ", "2026-01-31T19:00:00.123Z 2026/01/31/[$LATEST]abc\t"]
)
def test_what_cloudwatch_puts_before_a_line_is_passed_over(prefix: str) -> None:
    lines = [prefix + line for line in (model_line(), batch_line([1, 1, 1, 1]))]
    (comparison,) = compare_logs(lines, {})
    assert comparison.people == 4


def test_lines_of_other_kinds_are_passed_over() -> None:
    noise = [
        "",
        "START RequestId: x",
        "{",
        '{"message":"batch"}',
        '{"_aws":{}}',
        'REPORT batch "batch"',
        '{"message":"batch","model":5}',
        '"model"',
    ]
    assert compare_logs([*noise, model_line(), batch_line([1, 1, 1, 1])], {})[0].batches == 1


NO_BATCHES = "expected records of batches with drift bins"
GOOD, SHORT = batch_line([1, 1, 1, 1]), batch_line([1, 1])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], (NO_BATCHES, "SCORER_BINS_SHARE", "found none")),
        ([model_line()], (NO_BATCHES, "SCORER_BINS_SHARE", "found none")),
        ([GOOD], ("reference of tiny@1", "found none", "--bundle")),
        ([model_line(), SHORT], ("tiny@1: expected the bins of the model's drift reference",)),
        ([model_line(), GOOD, SHORT], ("tiny@1: expected all batches", "the same bins")),
        ([model_line({"features": {}}), GOOD], ("tiny@1: expected a drift reference",)),
        (
            [model_line({"features": {"score": 5}, "score": DRIFT}), GOOD],
            ("tiny@1: expected a drift reference",),
        ),
    ],
)
def test_logs_that_cannot_be_compared_are_refused_in_a_sentence(
    lines: list[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as raised:
        compare_logs(lines, {})
    assert [word for word in words if word not in str(raised.value)] == []


@pytest.mark.parametrize(
    ("moved", "sentence"),
    [
        ({"a", "b"}, "Drift: 2 of 3 features differ from training (PSI over 0.25), most of all "),
        (
            {"a", SCORE},
            "Drift: 1 of 3 features and the scores differ from training (PSI over 0.25)",
        ),
        ({SCORE}, "Drift: the scores differ from training (PSI over 0.25). Check the data"),
    ],
)
def test_the_verdict_counts_features_and_names_those_that_moved_most(
    moved: set[str], sentence: str
) -> None:
    reference = {"features": dict.fromkeys("abc", DRIFT), "score": DRIFT}
    sums = BinSums(
        batches=1,
        bins={
            name: [125, 125, 250, 500] if name in moved else [500, 250, 125, 125]
            for name in ("a", "b", "c", SCORE)
        },
    )
    assert compare_sums(LABEL, sums, reference).verdict.startswith(sentence)


def test_the_index_is_the_textbooks() -> None:
    # (0.5-0.4) ln(0.5/0.4) + (0.5-0.6) ln(0.5/0.6)
    assert measure_drift([0.4, 0.6], [50, 50]) == pytest.approx(
        0.1 * np.log(1.25) - 0.1 * np.log(5 / 6)
    )
    assert measure_drift([0.4, 0.6], [40, 60]) == pytest.approx(0.0)


def test_an_empty_bin_does_not_make_the_index_infinite() -> None:
    assert 0 < measure_drift([0.5, 0.5, 0.0], [100, 0, 0]) < 10
    assert measure_drift([0.5, 0.5, 0.0], [50, 50, 0]) == pytest.approx(0.0)


def test_all_columns_at_once_are_counted_as_one_by_one() -> None:
    random = np.random.default_rng(3)
    matrix = np.round(random.normal(size=(200, 5)), 1).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    matrix[:, 4] = np.nan
    described = [describe_column(column) for column in matrix.T]
    counter = BinCounter([read_distribution(one) for one in described])
    fresh = np.round(random.normal(size=(60, 5)), 1).astype(np.float32)
    fresh[random.random(fresh.shape) < 0.2] = np.nan
    for some in (matrix, fresh, fresh[:0], fresh[:1]):
        assert counter.count(some) == [
            count_bins(column, one["edges"]).tolist()
            for column, one in zip(some.T, described, strict=True)
        ]


def test_a_value_on_an_edge_belongs_to_the_bin_below() -> None:
    counter = BinCounter([Distribution(edges=(0.25, 0.5), shares=(0.5, 0.25, 0.25, 0.0))])
    assert counter.count(np.array([[0.25], [0.5], [0.50001], [np.nan], [-5.0]])) == [[2, 1, 1, 1]]


def test_a_few_numbers_are_counted_as_a_column_of_them() -> None:
    random = np.random.default_rng(4)
    column = random.random(200).round(2)
    edges = describe_column(column)["edges"]
    for some in (column, column[:1], column[:0], np.array([edges[0], -1.0, 2.0])):
        assert count_numbers(some.tolist(), edges) == count_bins(some, edges).tolist()


def test_a_manifest_without_drift_has_no_references() -> None:
    assert read_distributions(None, ["a"]) is None


def test_references_of_other_columns_are_refused() -> None:
    with pytest.raises(
        BundleError, match=r"^drift: expected `features` to have the 1 columns in order, found "
    ):
        read_distributions(REFERENCE, ["other"])


def write_log(path: Path, *lines: str) -> Path:
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["batches.jsonl", "batches.jsonl.gz"])
def test_the_command_prints_a_table_and_a_verdict(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(
        tmp_path / name, model_line(), batch_line([500, 250, 125, 125], [350, 400, 250, 0])
    )
    assert main(["drift", str(log)]) == 0
    shown = capsys.readouterr().out
    assert "tiny@1: 1,000 people in 1 batches" in shown
    assert "(score)" in shown
    assert shown.endswith("Check the data before sending; retrain if the change is real.\n")


def test_the_command_gives_json_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(tmp_path / "log", model_line(), batch_line([500, 250, 125, 125]))
    assert main(["drift", "--json", str(log), str(log)]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)
    assert (comparison["people"], comparison["columns"][0]["index"], comparison["verdict"][:6]) == (
        2_000,
        0.0,
        "Stable",
    )


def test_the_command_takes_the_reference_from_a_bundle_where_the_log_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(tmp_path / "log", batch_line([500, 250, 125, 125]))
    assert main(["drift", str(log)]) == 1
    assert "expected the drift reference of tiny@1, found none" in capsys.readouterr().err
    assert (
        main(["drift", str(log), "--bundle", str(make_bundle(tmp_path / "b", drift=REFERENCE))])
        == 0
    )


@pytest.mark.parametrize("content", [None, b"no gzip at all"])
def test_a_log_that_cannot_be_read_is_one_sentence_and_a_status(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.gz"
    if content is not None:
        path.write_bytes(content)
    assert main(["drift", str(path)]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert shown.err.startswith(f"segment-scorer drift: {path}: expected a ")
