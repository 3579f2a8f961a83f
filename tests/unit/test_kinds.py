"""model/kinds.py: a kind is one entry of the table, and an entry has every part."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from model.customer_profile import profile_to_document
from model.features import FeatureSpec, build_matrix, read_spec, share_present
from model.kinds import KINDS, Block, Feature, Found, Kind, Reference
from model.training.datasets import OutcomeTable
from model.training.export import make_parity_rows
from model.training.gather import gather_people
from model.training.infer import infer_spec
from model.values import parse_time
from segment_scorer.cli.main import main
from tests.fakes import make_bundle, make_endpoint, write_policy
from tests.training_people import ignore_progress, to_lines, write

NOON = parse_time("2026-01-31T12:00:00Z")


class Example(NamedTuple):
    """Options of a feature, a value with its row of the matrix, and values that are inferred so.

    other  the value at the second path, `Attributes.y`, for a kind that reads two
    """

    options: Mapping[str, Any]
    value: Any
    row: Sequence[float]
    inferred_from: Sequence[Any] = ()
    other: Any = None


EXAMPLES = {
    "number": Example({}, "2.5", [2.5], [index * 1.5 for index in range(100)]),
    "category": Example({"values": ["a"]}, ["b"], [0, 1], ["red", "blue", "green"] * 40),
    "code": Example({"values": ["a", "b"], "other": -1}, "b", [1]),
    "count": Example({}, ["a", "b"], [2], [["a", "b"], ["a"], ["c"]] * 40),
    "flag": Example({}, "yes", [1], ["yes", "no"] * 60),
    "age": Example(
        {"format": "dd.mm.yyyy"},
        "30.01.2026 12:00",
        [1],
        ["2026-01-30", "2025-12-01", "2024-02-29"] * 40,
    ),
    "ratio": Example({"per": "Attributes.y"}, "3", [0.75], other=4.0),
    "difference": Example({"minus": "Attributes.y"}, "3", [-1.0], other=["4"]),
    "days_between": Example(
        {"since": "Attributes.y", "format": "dd.mm.yyyy"},
        "30.01.2026",
        [2.5],
        other="27.01.2026 12:00",
    ),
    "weekday": Example({"format": "unix"}, NOON - 86_400.0, [5]),
    "month": Example({"format": "dd/mm/yy"}, "29/02/24", [2]),
    "present": Example({}, ["", "a note"], [1]),
    "target_rate": Example({"values": ["a", "b"], "rates": [0.5, 0.25, 0.125]}, ["b", "a"], [0.25]),
}


def spec_of(kind: str, options: Mapping[str, Any]) -> FeatureSpec:
    return read_spec({"feature": [{"name": "f", "path": "Attributes.x", "kind": kind, **options}]})


@pytest.mark.parametrize("name", KINDS)
def test_every_part_of_a_kind_is_there(name: str) -> None:
    kind = KINDS[name]
    assert name in EXAMPLES, f"kind {name}: expected an example in EXAMPLES of this file"
    example = EXAMPLES[name]
    assert kind.help, f"kind {name}: expected help"
    spec = spec_of(name, example.options)
    (feature,) = spec.features
    assert feature.columns, f"kind {name}: expected columns"
    assert len(set(spec.columns)) == len(example.row), f"kind {name}: expected a name per column"
    assert feature.paths, f"kind {name}: expected paths"
    assert read_spec(spec.to_mapping()) == spec, f"kind {name}: expected options that survive JSON"
    assert set(kind.options) == set(example.options), f"kind {name}: expected every option shown"
    whole = {"x": example.value, **({} if example.other is None else {"y": example.other})}
    lacking = [{key: value for key, value in whole.items() if key != left} for left in whole]
    documents = [{"Attributes": each} for each in (whole, {}, {"x": {"a": []}}, *lacking)]
    matrix = build_matrix(documents, spec, NOON)
    assert matrix[0].tolist() == pytest.approx(example.row), f"kind {name}: expected a fill"
    absent = matrix[1:] == 0.0 if kind.always else np.isnan(matrix[1:])
    assert absent.all(), f"kind {name}: expected NaN, or 0 if `always`, where a value is missing"
    without_time = build_matrix(documents, spec)
    assert np.isnan(without_time).all() == kind.needs_time, f"kind {name}: wrong needs_time"
    assert len(feature.paths) == len(whole), f"kind {name}: expected every path in `paths`"
    without = {key: value for key, value in example.options.items() if key not in kind.needed}
    if kind.needed:
        with pytest.raises(Exception, match=f"expected {kind.needed[0]}, which kind {name} needs"):
            spec_of(name, without)
    assert kind.one_hot == (len(example.row) > 1), f"kind {name}: wrong one_hot"


@pytest.mark.parametrize("name", KINDS)
def test_a_direction_is_accepted_where_a_kind_has_one(name: str) -> None:
    options = {**EXAMPLES[name].options, "monotonic": "increasing"}
    if KINDS[name].rises_with:
        assert spec_of(name, options).features[0].monotonic == "increasing"
    else:
        with pytest.raises(Exception, match=r"expected monotonic to be .* for kind"):
            spec_of(name, options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"values": ["a", "b"]}, [0, 1, math.nan, math.nan]),
        ({"values": ["b", "a"], "other": 2}, [1, 0, 2, math.nan]),
    ],
)
def test_a_code_is_a_place_among_the_values_and_any_other_text_is_other_or_missing(
    options: Mapping[str, Any], expected: Sequence[float]
) -> None:
    documents = [{"Attributes": {"x": value}} for value in ("a", ["b", "a"], "new")]
    matrix = build_matrix([*documents, {}], spec_of("code", options))
    assert matrix[:, 0].tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("other", [True, -2, 1.0, 10_001])
def test_the_code_of_other_texts_is_a_small_whole_number(other: object) -> None:
    with pytest.raises(Exception, match="expected other to be a whole number from -1 to 10,000"):
        spec_of("code", {"values": ["a"], "other": other})


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.inferred])
def test_an_inferred_kind_is_inferred(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = EXAMPLES[name].inferred_from
    documents = [{"Attributes": {"Spent": value}} for value in values]
    features = infer_spec(documents, dated=True).spec.features
    assert name in {feature.kind for feature in features}, f"kind {name}: expected inferred_from"
    (feature,) = (feature for feature in features if feature.kind == name)
    assert feature.name == f"spent{KINDS[name].suffix}"


def test_a_kind_that_is_not_inferred_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    number = Kind(help="a number", fill=KINDS["number"].fill, inferred=False)
    monkeypatch.setitem(KINDS, "number", number)
    documents = [
        {"Metrics": {"Spent": index * 1.5}, "Attributes": {"Plan": ["a", "b", "c"][index % 3]}}
        for index in range(120)
    ]
    inference = infer_spec(documents, dated=True)
    assert [feature.kind for feature in inference.spec.features] == ["category"]
    assert dict(inference.left_out)["Metrics.Spent"].startswith("kind number is only used if")


@pytest.mark.parametrize("name", KINDS)
def test_the_document_on_training_has_every_kind(name: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
    assert f"`{name}`" in text, f"kind {name}: expected `{name}` in docs/training.md"


# A kind with everything that a later kind may need: two paths, an option that a person writes, and
# one that is learnt with outcomes.
def fill_ratio(block: Block, found: Found, feature: Feature, reference: Reference) -> None:
    over, under = (
        np.array([math.nan if value is None else value for value in values]) for values in found
    )
    block[0] = over / under / feature.options.get("typical", 1.0)


class RateLearner:
    def __init__(self) -> None:
        self.ratios: list[float] = []

    def add(self, found: Sequence[Any], outcome: int) -> None:
        over, under = found
        if outcome and over is not None and under:
            self.ratios.append(over / under)

    def finish(self) -> Mapping[str, Any]:
        return {"typical": float(np.median(self.ratios))}


def read_per(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a path")
    return value


def read_typical(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


RATIO = Kind(
    help="one metric divided by another",
    fill=fill_ratio,
    paths=lambda feature: (feature.path, feature.options["per"]),
    options={"per": read_per, "typical": read_typical},
    learner=lambda feature: None if "typical" in feature.options else RateLearner(),
    rises_with="the ratio",
    inferred=False,
)


@pytest.fixture
def ratio_spec(monkeypatch: pytest.MonkeyPatch) -> FeatureSpec:
    monkeypatch.setitem(KINDS, "share", RATIO)
    row = {"name": "per_visit", "path": "Metrics.spent", "kind": "share", "per": "Metrics.visits"}
    return read_spec({"feature": [{**row, "monotonic": "increasing"}]})


def test_an_entry_more_makes_a_kind_that_a_spec_may_use(ratio_spec: FeatureSpec) -> None:
    assert ratio_spec.columns == ("per_visit",)
    assert read_spec(json.loads(json.dumps(ratio_spec.to_mapping()))) == ratio_spec
    row = {"name": "f", "path": "Metrics.spent", "kind": "share", "per": 3}
    with pytest.raises(Exception, match=r"feature\[0\]: expected per to be a path"):
        read_spec({"feature": [row]})
    row = {"name": "f", "path": "Metrics.spent", "kind": "number", "per": "Metrics.visits"}
    with pytest.raises(Exception, match=r"feature\[0\]: expected per only for kind ratio, share"):
        read_spec({"feature": [row]})


def test_an_entry_more_is_learnt_and_trained_on(ratio_spec: FeatureSpec, tmp_path: Path) -> None:
    documents = [
        {"Id": f"p{index}", "Metrics": {"spent": 10.0 + index, "visits": 2.0}}
        for index in range(100)
    ]
    outcomes = {f"p{index}": index % 2 for index in range(100)}
    people = gather_people(
        [write(tmp_path / "people.jsonl", to_lines(documents))],
        OutcomeTable(key="Id", outcomes=outcomes),
        ratio_spec,
        None,
        ignore_progress,
    )
    typical = float(np.median([(10.0 + index) / 2 for index in range(1, 100, 2)]))
    assert people.spec.features[0].options == {"per": "Metrics.visits", "typical": typical}
    assert people.matrix[0, 0] == pytest.approx(5.0 / typical)
    assert make_parity_rows(people.matrix, people.spec, seed=0).shape[1] == 1


def test_an_entry_more_is_served_and_explained(
    ratio_spec: FeatureSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(tmp_path / "bundle", ratio_spec)
    endpoint = tmp_path / "endpoint.json"
    endpoint.write_text(json.dumps(make_endpoint(Metrics={"spent": 3.0, "visits": 4.0})), "utf-8")
    policy = write_policy(tmp_path / "policy.toml", "threshold = 0.5\nmin_present = 1.0\n")
    arguments = ["--endpoint", str(endpoint), "--policy", str(policy), "--bundle", str(bundle)]
    assert main(["policy", "explain", *arguments]) == 0
    assert "0.75" in capsys.readouterr().out


def test_kinds_of_two_paths_read_a_customer_profile_like_an_endpoint() -> None:
    profile = {
        "ProfileId": "p",
        "Attributes": {
            "Metrics_spent": "3",
            "Metrics_visits": "4",
            "Joined": "30.01.2026",
            "Left": "31.01.2026",
            "Shop": "north",
        },
    }
    rows = [
        {"path": "Metrics.spent", "kind": "ratio", "per": "Metrics.visits"},
        {"path": "Metrics.spent", "kind": "difference", "minus": "Metrics.visits"},
        {
            "path": "Attributes.Left",
            "kind": "days_between",
            "since": "User.UserAttributes.Joined",
            "format": "dd.mm.yyyy",
        },
        {"path": "Attributes.Joined", "kind": "weekday", "format": "dd.mm.yyyy"},
        {"path": "User.UserAttributes.Shop", "kind": "present"},
        {"path": "Attributes.Shop", "kind": "target_rate", "values": ["north"], "rates": [0.5, 0]},
    ]
    spec = read_spec({"feature": [{"name": f"f{at}", **row} for at, row in enumerate(rows)]})
    matrix = build_matrix([profile_to_document(profile)], spec)
    assert matrix[0].tolist() == [0.75, -1.0, 1.0, 5.0, 1.0, 0.5]


def test_min_present_does_not_count_what_is_always_there() -> None:
    rows = [
        {"name": "note", "path": "Attributes.Note", "kind": "present"},
        {"name": "n", "path": "Metrics.n", "kind": "number"},
    ]
    spec = read_spec({"feature": rows})
    documents: list[dict[str, Any]] = [{}, {"Metrics": {"n": 1}}]
    assert share_present(build_matrix(documents, spec), spec) == [0.0, 1.0]
