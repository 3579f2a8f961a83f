"""model/features.py: what each kind makes of what it finds, and what a spec may say."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import SpecError
from model.features import (
    FeatureSpec,
    build_matrix,
    find_repeated,
    load_spec,
    read_spec,
    share_present,
)
from model.values import parse_time, read_texts

NAN = math.nan
NOON = parse_time("2026-01-31T12:00:00Z")


def spec_of(kind: str, path: str = "Attributes.x", **more: Any) -> FeatureSpec:
    return read_spec({"feature": [{"name": "f", "path": path, "kind": kind, **more}]})


def column(spec: FeatureSpec, *values: Any, reference: float | None = None) -> list[float]:
    documents = [{} if value is None else {"Attributes": {"x": value}} for value in values]
    return build_matrix(documents, spec, reference)[:, 0].tolist()


def test_matrix_is_contiguous_float32_with_a_row_a_document_and_the_columns_of_the_spec() -> None:
    spec = read_spec(
        {
            "feature": [
                {"name": "visits", "path": "Metrics.visits", "kind": "number"},
                {
                    "name": "plan",
                    "path": "User.UserAttributes.plan",
                    "kind": "category",
                    "values": ["gold", "free"],
                },
            ]
        }
    )
    documents = [{"Metrics": {"visits": 3}, "User": {"UserAttributes": {"plan": ["gold"]}}}, {}]
    matrix = build_matrix(documents, spec)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert spec.columns == ("visits", "plan=gold", "plan=free", "plan=(other)")
    np.testing.assert_array_equal(matrix, [[3, 1, 0, 0], [NAN, NAN, NAN, NAN]])


def test_no_documents_make_a_matrix_of_no_rows_and_all_columns() -> None:
    assert build_matrix([], spec_of("number")).shape == (0, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ("2.5", 2.5),
        (" -1e3 ", -1000.0),
        (["7", "8"], 7.0),
        ([4], 4.0),
        ([], NAN),
        ("", NAN),
        ("seven", NAN),
        ("nan", NAN),
        ("inf", NAN),
        ("1_000", NAN),
        ("0x10", NAN),
        ("1e400", NAN),
        (1e39, NAN),
        (10**400, NAN),
        (True, NAN),
        ({"a": 1}, NAN),
        ([[1]], NAN),
        (None, NAN),
    ],
)
def test_number_takes_numbers_and_decimal_text_and_nothing_else(
    value: Any, expected: float
) -> None:
    np.testing.assert_equal(column(spec_of("number"), value), [expected])


def test_category_has_a_column_a_value_and_one_for_values_never_seen() -> None:
    spec = spec_of("category", values=["a", "b"])
    documents = [
        {"Attributes": {"x": value}} for value in ("a", ["b"], ["a", "b"], "z", ["a", "z"], True, 5)
    ]
    np.testing.assert_array_equal(
        build_matrix(documents, spec),
        [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 0, 1], [0, 0, 1]],
    )


@pytest.mark.parametrize("value", [None, "", [], [""], {"a": "b"}])
def test_missing_category_is_nan_in_all_its_columns(value: Any) -> None:
    matrix = build_matrix([{"Attributes": {"x": value}}], spec_of("category", values=["a"]))
    assert np.isnan(matrix).all()


@pytest.mark.parametrize(
    ("value", "expected"), [(["a", "b"], 2), ([], 0), ("a", 1), (None, NAN), ({}, NAN)]
)
def test_count_is_the_number_of_values_and_an_empty_list_is_none_missing(
    value: Any, expected: float
) -> None:
    np.testing.assert_equal(column(spec_of("count"), value), [expected])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", 1),
        (["Yes"], 1),
        ("1", 1),
        (1, 1),
        (True, 1),
        ("no", 0),
        (False, 0),
        (0, 0),
        ("perhaps", NAN),
        ("", NAN),
        (None, NAN),
    ],
)
def test_flag_reads_yes_and_no_and_calls_the_rest_missing(value: Any, expected: float) -> None:
    np.testing.assert_equal(column(spec_of("flag"), value), [expected])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-30T12:00:00.000Z", 1.0),
        ("2026-01-31T12:00:00+02:00", 2 / 24),
        ("2026-01-30T12:00:00", 1.0),
        ("2026-01-31", 0.5),
        (["2026-01-30T12:00:00Z"], 1.0),
        ("2026-02-01T12:00:00Z", -1.0),
        ("yesterday", NAN),
        (5, NAN),
    ],
)
def test_age_is_days_before_the_reference_and_a_time_without_a_zone_is_utc(
    value: Any, expected: float
) -> None:
    np.testing.assert_allclose(column(spec_of("age"), value, reference=NOON), [expected], rtol=1e-6)


def test_age_without_a_reference_time_is_missing() -> None:
    assert math.isnan(column(spec_of("age"), "2026-01-30T12:00:00Z")[0])


@pytest.mark.parametrize(
    "document", [{"Attributes": None}, {"Attributes": 5}, {"Attributes": ["x"]}, {}]
)
def test_a_path_that_leads_nowhere_is_missing(document: dict[str, Any]) -> None:
    assert math.isnan(build_matrix([document], spec_of("number"))[0, 0])


def test_names_with_dots_are_one_name() -> None:
    assert build_matrix([{"Metrics": {"a.b": 2.0}}], spec_of("number", "Metrics.a.b"))[0, 0] == 2.0


def test_top_level_and_external_paths_are_read() -> None:
    spec = read_spec(
        {
            "feature": [
                {"name": "c", "path": "ChannelType", "kind": "category", "values": ["SMS"]},
                {"name": "e", "path": "External.spend", "kind": "number"},
                {"name": "l", "path": "Location.Latitude", "kind": "number"},
                {"name": "u", "path": "User.UserId", "kind": "count"},
            ]
        }
    )
    document = {
        "ChannelType": "SMS",
        "External": {"spend": 4},
        "Location": {"Latitude": 1.5},
        "User": {"UserId": "u"},
    }
    np.testing.assert_array_equal(build_matrix([document], spec), [[1, 0, 4, 1.5, 1]])


def test_documents_are_not_changed() -> None:
    document = {"Attributes": {"x": ["1", "2"]}, "Metrics": {"y": 1}}
    before = copy.deepcopy(document)
    build_matrix([document], spec_of("category", values=["1"]))
    assert document == before


def test_share_present_counts_features_not_columns() -> None:
    spec = read_spec(
        {
            "feature": [
                {"name": "a", "path": "Metrics.a", "kind": "number"},
                {
                    "name": "b",
                    "path": "Attributes.b",
                    "kind": "category",
                    "values": ["1", "2", "3"],
                },
            ]
        }
    )
    documents = [
        {"Metrics": {"a": 1}, "Attributes": {"b": "1"}},
        {"Attributes": {"b": "1"}},
        {"Metrics": {"a": 1}},
        {},
    ]
    np.testing.assert_array_equal(
        share_present(build_matrix(documents, spec), spec), [1, 0.5, 0.5, 0]
    )


def test_a_float32_matrix_survives_being_built_twice_from_its_own_values() -> None:
    spec = spec_of("number")
    once = build_matrix([{"Attributes": {"x": 0.1}}], spec)
    assert build_matrix([{"Attributes": {"x": float(once[0, 0])}}], spec) == once


def test_spec_survives_the_way_to_plain_data_and_back() -> None:
    spec = read_spec(
        {
            "feature": [
                {"name": "a", "path": "Metrics.a", "kind": "number", "monotonic": "increasing"},
                {"name": "b", "path": "Attributes.b", "kind": "category", "values": ["x"]},
            ]
        }
    )
    assert read_spec(spec.to_mapping()) == spec


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"name": "", "path": "Metrics.a", "kind": "number"},
            "feature[0]: expected name to be text of one character or more",
        ),
        (
            {"name": "a", "path": "Metrics.a", "kind": "text"},
            "feature[0]: expected kind to be one of number, category, code, count, flag, age",
        ),
        (
            {"name": "a", "path": "Metrics", "kind": "number"},
            "feature[0]: expected path to be one of ",
        ),
        (
            {"name": "a", "path": "User.Name", "kind": "number"},
            "feature[0]: expected path to be one of ",
        ),
        (
            {"name": "a", "path": "Address", "kind": "category"},
            "feature[0]: expected path to be one of ",
        ),
        (
            {"name": "a", "path": "Metrics.a", "kind": "number", "vlaues": []},
            "feature[0]: unknown key 'vlaues'",
        ),
        (
            {"name": "a", "path": "Metrics.a", "kind": "number", "values": ["x"]},
            "feature[0]: expected values only for kind category",
        ),
        (
            {"name": "a", "path": "Metrics.a", "kind": "category", "values": ["x", "x"]},
            "feature[0]: expected values to be a list that has each text once",
        ),
        (
            {"name": "a", "path": "Metrics.a", "kind": "category", "values": ["(other)"]},
            "feature[0]: expected values to be a list of texts",
        ),
        (
            {"name": "a", "path": "Metrics.a", "kind": "flag", "monotonic": "increasing"},
            "feature[0]: expected monotonic to be increasing or",
        ),
        (5, "feature[0]: expected a table"),
    ],
)
def test_spec_error_says_what_was_expected_and_where(row: Any, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_spec({"feature": [row]})
    assert str(raised.value).startswith(sentence)


def test_spec_error_names_every_problem_at_once() -> None:
    with pytest.raises(SpecError, match=r"feature\[0\].*; feature\[1\].*; feature\[2\]"):
        read_spec({"feature": [{}, 5, {"name": "a", "path": "x", "kind": "y"}]})


def test_two_features_of_one_name_are_refused() -> None:
    row = {"name": "a", "path": "Metrics.a", "kind": "number"}
    with pytest.raises(SpecError, match="expected every name once, found 'a' twice"):
        read_spec({"feature": [row, row]})


def test_a_column_name_that_another_feature_already_has_is_refused() -> None:
    rows = [
        {"name": "a", "path": "Attributes.a", "kind": "category", "values": ["b"]},
        {"name": "a=b", "path": "Metrics.a", "kind": "number"},
    ]
    with pytest.raises(SpecError, match="expected every column once, found 'a=b' twice"):
        read_spec({"feature": rows})


@pytest.mark.parametrize(
    "mapping", [{}, {"feature": []}, {"feature": 5}, {"feature": [], "more": 1}]
)
def test_a_spec_without_features_is_refused(mapping: dict[str, Any]) -> None:
    with pytest.raises(
        SpecError, match=r"expected one or more \[\[feature\]\] tables and nothing else"
    ):
        read_spec(mapping)


def test_spec_file_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"none\.toml: expected a feature spec \(TOML\), found no file"
    ):
        load_spec(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    for text in ("[[feature]\n", "feature = " + "[" * 5_000, "feature = " + "9" * 5_000):
        broken.write_text(text, "utf-8")
        with pytest.raises(SpecError, match=r"broken\.toml: expected TOML in UTF-8"):
            load_spec(broken)


def test_texts_of_numbers_have_no_needless_decimals() -> None:
    assert read_texts([5, 5.0, 0.1, True, None, "x", [1]]) == ["5", "5", "0.1", "true", "x"]


class CountedText(str):
    """A column's name that counts how often it is compared or hashed."""

    counts = 0
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        CountedText.counts += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        CountedText.counts += 1
        return super().__hash__()


def test_repeated_columns_of_20000_features_are_found_by_few_comparisons() -> None:
    names = [CountedText(f"f{index % 19_999}") for index in range(20_000)]
    CountedText.counts = 0
    assert find_repeated("column", names) == ["expected every column once, found 'f0' twice"]
    assert CountedText.counts < 5 * len(names)
