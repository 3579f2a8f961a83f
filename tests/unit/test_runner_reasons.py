"""What moves the scores of each band, as the report shows it: names of features, no person."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from function.bootstrap import Handler, build_handler
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.segments import find_segment_files, ignore_warning
from segment_scorer.runner.reporting.reasons import FEWEST, explain_bands, name_sides
from tests.bundles import COLUMNS, make_bundle, make_uplift_bundle
from tests.fake_hooks import write_segment

CONFIG = RunConfig(scheduled_time="2026-01-31T19:00:00Z", activity_id="a")
BANDS = '[[band]]\nname = "high"\nat_least = 0.0\n'


def open_function(folder: Path, make: Callable[[Path], Path], policy: str, **more: str) -> Handler:
    make(folder / "bundle")
    (folder / "policy.toml").write_text(policy)
    environ = {
        "SCORER_BUNDLE": str(folder / "bundle"),
        "SCORER_POLICY": str(folder / "policy.toml"),
        **more,
    }
    return build_handler(environ, stream=io.StringIO())


def explain(folder: Path, handler: Handler, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
    files = find_segment_files(
        [str(write_segment(folder / "people.jsonl", people))], ignore_warning
    )
    return explain_bands(handler, handler.policy.rules, files, CONFIG)


def make_people(count: int, **more: Any) -> list[dict[str, Any]]:
    """People of whom half have a large `c`, which alone moves the scores."""
    return [
        {"Id": f"id-{n}", "Metrics": {**dict.fromkeys(COLUMNS, 0.5), "c": 2.0 if n % 2 else -2.0}}
        | more
        for n in range(count)
    ]


@pytest.mark.parametrize("make", [make_bundle, make_uplift_bundle])
def test_names_what_moves_the_scores_on_each_side_of_the_threshold(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    people = [*make_people(40), {"Id": "odd", "Metrics": "none"}]
    assert explain(tmp_path, open_function(tmp_path, make, ""), people) == [
        {"name": "at least the threshold", "people": 20, "raised": ["c"], "lowered": []},
        {"name": "below the threshold", "people": 20, "raised": [], "lowered": ["c"]},
    ]


def test_names_bands_and_holds_no_value_of_a_person(tmp_path: Path) -> None:
    found = explain(tmp_path, open_function(tmp_path, make_uplift_bundle, BANDS), make_people(40))
    assert [row["name"] for row in found] == ["high", "none"]
    assert "id-" not in json.dumps(found)
    assert set(found[0]) == {"name", "people", "raised", "lowered"}
    assert msgspec.json.encode(found)


def test_a_band_of_few_people_is_not_shown(tmp_path: Path) -> None:
    handler = open_function(tmp_path, make_uplift_bundle, BANDS)
    few = make_people(2 * FEWEST)[: 2 * FEWEST - 1]
    assert [row["name"] for row in explain(tmp_path, handler, few)] == ["none"]


def test_sparse_people_have_no_score_to_explain(tmp_path: Path) -> None:
    handler = open_function(tmp_path, make_bundle, "min_present = 0.5\n")
    assert explain(tmp_path, handler, make_people(40, Metrics={"c": 1})) == []


def test_another_servers_model_is_not_asked_again(tmp_path: Path) -> None:
    handler = open_function(tmp_path, make_bundle, "", SCORER_TARGET="localhost:1")
    assert explain(tmp_path, handler, make_people(40)) == []


def test_a_file_that_has_gone_fails_no_run(tmp_path: Path) -> None:
    handler = open_function(tmp_path, make_bundle, "")
    path = write_segment(tmp_path / "people.jsonl", make_people(40))
    files = find_segment_files([str(path)], ignore_warning)
    path.unlink()
    assert explain_bands(handler, handler.policy.rules, files, CONFIG) == []


def test_the_strongest_feature_of_each_side_comes_first() -> None:
    sides = name_sides(["a", "b", "c", "d", "e"], [0.1, -0.5, 0.3, 0.0, -0.6])
    assert sides == {"raised": ["c", "a"], "lowered": ["e", "b"]}
