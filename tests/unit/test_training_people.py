from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import DataError
from model.features import FeatureSpec, build_matrix
from model.kinds import Feature
from model.training.datasets import OutcomeTable
from model.training.people import (
    drop_absent,
    gather_people,
    hash_to_fraction,
    learn_options,
    reserve_users,
    sample_people,
)
from model.values import parse_time
from tests.training_people import make_people, make_scored, stay_silent, to_lines, write

VISITS = FeatureSpec((Feature(name="visits", path="Metrics.Visits", kind="number"),))


def by_id(outcomes: dict[str, int]) -> OutcomeTable:
    return OutcomeTable(key="Id", outcomes=outcomes)


def test_joins_rows_and_outcomes_whatever_the_order_of_either_file(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    endpoints = write(tmp_path / "endpoints.jsonl", to_lines(documents))
    names = dict(
        zip((document["Id"] for document in reversed(documents)), reversed(outcomes), strict=True)
    )
    people = gather_people([endpoints], by_id(names), VISITS, None, stay_silent)
    assert people.outcomes.tolist() == outcomes
    assert people.matrix[:, 0].tolist() == [document["Metrics"]["Visits"] for document in documents]


def test_counts_what_became_of_every_line_and_names_the_refused_ones(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    names = dict(zip((document["Id"] for document in documents), outcomes, strict=True)) | {
        "person-unknown": 1
    }
    odd = [
        documents[0],
        {"Id": "stranger"},
        {"Metrics": {"Visits": 1}},
        {"Id": "person-1", "Metrics": {"Visits": "seven"}},
    ]
    endpoints = write(
        tmp_path / "e.jsonl", "\ufeff" + to_lines(documents) + "\n" + to_lines(odd) + "{not json\n"
    )
    join = gather_people([endpoints], by_id(names), VISITS, None, stay_silent).join
    assert (
        join.endpoints,
        join.matched,
        join.without_outcome,
        join.without_endpoint,
        join.repeated,
        join.refused,
    ) == (
        102,
        100,
        1,
        1,
        1,
        3,
    )
    assert join.refusals == (
        f"{endpoints}, line 104: $.Id: expected text of one character or more, found none",
        f"{endpoints}, line 105: $.Metrics[...]: Expected `float | null`, got `str`",
        f"{endpoints}, line 106: expected one JSON object: JSON is malformed: object keys must be strings (byte 1)",
    )


def test_counts_endpoints_that_miss_their_outcome_for_capitals_or_blanks_alone(
    tmp_path: Path,
) -> None:
    documents, outcomes = make_people(200)
    names = {
        document["Id"]: outcome
        for document, outcome in zip(documents[:100], outcomes[:100], strict=True)
    }
    names |= {
        f" {document['Id'].upper()}": outcome
        for document, outcome in zip(documents[100:150], outcomes[100:150], strict=True)
    }
    join = gather_people(
        [write(tmp_path / "e.jsonl", to_lines(documents))], by_id(names), VISITS, None, stay_silent
    ).join
    assert (join.matched, join.without_outcome, join.nearly) == (100, 100, 50)
    shouted = by_id({name.upper(): outcome for name, outcome in names.items()})
    with pytest.raises(
        DataError,
        match=r"found none shared by 200 endpoints and 150 outcomes; 150 would, if capitals and blanks around",
    ):
        gather_people([tmp_path / "e.jsonl"], shouted, VISITS, None, stay_silent)


def test_refuses_files_most_of_whose_lines_are_no_endpoints(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    names = dict(zip((document["Id"] for document in documents), outcomes, strict=True))
    endpoints = write(tmp_path / "e.jsonl", to_lines(documents) + '{"Id": 5}\n' * 101)
    with pytest.raises(
        DataError,
        match=r"^expected most lines to be endpoints, found 101 of 201 that are none; .*, line 101: \$\.Id",
    ):
        gather_people([endpoints], by_id(names), VISITS, None, stay_silent)


def test_learns_the_values_that_twenty_people_have_the_most_frequent_first(tmp_path: Path) -> None:
    spec = FeatureSpec((Feature(name="plan", path="Attributes.Plan", kind="category"),))
    plans = [*["free"] * 30, *["pro"] * 20, *["rare"] * 19]
    endpoints = write(
        tmp_path / "e.jsonl",
        to_lines([{"Id": str(i), "Attributes": {"Plan": [plan]}} for i, plan in enumerate(plans)]),
    )
    learnt = learn_options(
        [endpoints], by_id({str(i): 0 for i in range(len(plans))}), spec, stay_silent
    )
    assert learnt.columns == ("plan=free", "plan=pro", "plan=(other)")


def test_keeps_a_vocabulary_that_the_spec_gives(tmp_path: Path) -> None:
    spec = FeatureSpec(
        (
            Feature(
                name="plan", path="Attributes.Plan", kind="category", options={"values": ("gold",)}
            ),
        )
    )
    assert learn_options([tmp_path / "never-opened"], by_id({}), spec, stay_silent) is spec


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "{path}: expected endpoints: JSON lines, CSV or Parquet, found nobody"),
        ("\n\n", "{path}: expected endpoints: JSON lines, CSV or Parquet, found nobody"),
        ("Id,outcome\n", "{path}: expected endpoints: JSON lines, CSV or Parquet, found nobody"),
        (
            "{nobody\n",
            (
                "expected an endpoint in each line, found none in 1 lines; {path}, line 1: expected one JSON object: "
                "JSON is malformed: object keys must be strings (byte 1)"
            ),
        ),
        (
            "Id;outcome\n",
            "{path}: expected a comma between the columns of the header, found ;",
        ),
        (
            '{"Id": "z"}\n',
            "expected endpoints and outcomes to share Ids, found none shared by 1 endpoints and 1 outcomes",
        ),
        (
            '{"Id": "a"}\n',
            "expected 25 people or more with each outcome, found 1 with 1 and 0 with 0 among those whose endpoint is known",
        ),
        (
            gzip.compress(b'{"Id": "a"}\n' * 99)[:-9],
            "{path}: expected a whole, undamaged file, found an end or damage after line 0",
        ),
    ],
)
def test_refuses_endpoints_in_one_sentence_without_a_value(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    path = write(tmp_path / "endpoints.jsonl", content)
    with pytest.raises(DataError) as caught:
        gather_people([path], by_id({"a": 1}), VISITS, None, stay_silent)
    assert str(caught.value) == sentence.format(path=path)


def test_leaves_out_a_feature_that_hardly_anybody_has_with_all_its_columns() -> None:
    spec = FeatureSpec(
        (
            Feature(
                name="plan", path="Attributes.Plan", kind="category", options={"values": ("free",)}
            ),
            *VISITS.features,
        )
    )
    documents = [
        {"Metrics": {"Visits": index}, "Attributes": {"Plan": "free"} if index < 19 else {}}
        for index in range(100)
    ]
    kept, matrix, left_out = drop_absent(spec, build_matrix(documents, spec))
    assert kept == VISITS
    assert matrix[:, 0].tolist() == list(range(100))
    assert matrix.shape == (100, 1)
    assert left_out == ("plan: fewer than 20 people have it",)
    documents[50]["Attributes"] = {"Plan": "pro"}
    assert drop_absent(spec, build_matrix(documents, spec))[0] == spec


def test_refuses_a_spec_whose_paths_lead_nowhere() -> None:
    with pytest.raises(
        DataError,
        match="expected a feature that 20 people or more have, found none; see the paths of the feature spec",
    ):
        drop_absent(VISITS, build_matrix([{}] * 100, VISITS))


def with_users(count: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Two endpoints a user."""
    documents, outcomes = make_people(count)
    return [
        {**document, "User": {"UserId": f"user-{index // 2}"}}
        for index, document in enumerate(documents)
    ], outcomes


def test_gives_every_endpoint_of_a_user_the_users_outcome_and_number(tmp_path: Path) -> None:
    documents, _ = with_users(200)
    del documents[7]["Id"]  # an outcome by user needs no Id
    endpoints = write(tmp_path / "e.jsonl", to_lines([*documents, {"Id": "alone"}]))
    outcome_table = OutcomeTable(
        key="UserId", outcomes={f"user-{number}": number % 2 for number in range(101)}
    )
    people = gather_people([endpoints], outcome_table, VISITS, None, stay_silent)
    assert people.outcomes.tolist() == [index // 2 % 2 for index in range(200)]
    assert people.groups.tolist() == [index // 2 for index in range(200)]
    join = people.join
    assert (join.matched, join.users, join.shared, join.without_outcome, join.without_endpoint) == (
        200,
        100,
        100,
        1,
        1,
    )


def test_measures_ages_against_each_outcomes_date_unless_one_time_is_given(tmp_path: Path) -> None:
    spec = FeatureSpec((Feature(name="age", path="CreationDate", kind="age"),))
    documents = [{"Id": str(index), "CreationDate": "2026-01-01"} for index in range(60)]
    endpoints = write(tmp_path / "e.jsonl", to_lines(documents))
    start = parse_time("2026-01-01")
    outcome_table = OutcomeTable(
        key="Id",
        outcomes={str(index): index % 2 for index in range(60)},
        dates={str(index): start + 86_400.0 * index for index in range(60)},
    )
    assert gather_people([endpoints], outcome_table, spec, None, stay_silent).matrix[
        :, 0
    ].tolist() == list(range(60))
    assert set(
        gather_people([endpoints], outcome_table, spec, start + 86_400, stay_silent)
        .matrix[:, 0]
        .tolist()
    ) == {1.0}


def test_sees_the_same_people_as_another_spec_does(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    endpoints = write(tmp_path / "e.jsonl", to_lines(documents))
    outcome_table = by_id(
        dict(zip((document["Id"] for document in documents), outcomes, strict=True))
    )
    other = FeatureSpec(
        (
            Feature(
                name="plan", path="Attributes.Plan", kind="category", options={"values": ("pro",)}
            ),
        )
    )
    people = gather_people([endpoints], outcome_table, VISITS, None, stay_silent, rival=other)
    assert people.rival is not None
    assert (people.rival == build_matrix(documents, other)).all()


def test_a_sample_holds_everybody_where_they_are_few(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    endpoints = write(tmp_path / "e.jsonl", to_lines(documents))
    outcome_table = by_id(
        dict(zip((document["Id"] for document in documents[:60]), outcomes, strict=False))
    )
    assert sample_people([endpoints], outcome_table, 0, stay_silent) == documents[:60]


def test_sets_the_same_users_aside_whenever_they_come_with_all_their_endpoints() -> None:
    names = [f"user user-{number}" for number in range(1_000)]
    draws = np.array([hash_to_fraction(name) for name in names])
    assert 0.15 < (draws < 0.2).mean() < 0.25
    spec, outcomes = VISITS, np.arange(2_000) // 2 % 2
    matrix = np.arange(2_000, dtype=np.float32).reshape(-1, 1)
    people = replace(
        make_scored(matrix, outcomes, spec, groups=np.arange(2_000) // 2), draws=np.repeat(draws, 2)
    )
    learnt, aside = reserve_users(people, 0.2)
    assert set(learnt.matrix[:, 0].astype(int) // 2).isdisjoint(aside.matrix[:, 0].astype(int) // 2)
    assert len(learnt.outcomes) + len(aside.outcomes) == 2_000
    assert aside.groups.max() + 1 == len(aside.outcomes) / 2
    with pytest.raises(
        DataError, match="expected 25 people or more with each outcome among those set aside"
    ):
        reserve_users(people, 0.001)
