from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from model.errors import DataError
from model.features import FeatureSpec, build_matrix
from model.kinds import Feature
from model.training.datasets import OutcomeTable, read_outcomes
from model.training.gather import gather_people, learn_options, sample_people
from model.values import parse_time
from tests.training_people import ignore_progress, make_people, to_lines, write

VISITS = FeatureSpec((Feature(name="visits", path="Metrics.Visits", kind="number"),))


NAME = "endpoints.jsonl"


def by_id(outcomes: dict[str, int]) -> OutcomeTable:
    return OutcomeTable(key="Id", outcomes=outcomes)


def test_joins_rows_and_outcomes_whatever_the_order_of_either_file(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    endpoints = write(tmp_path / "endpoints.jsonl", to_lines(documents))
    names = dict(
        zip((document["Id"] for document in reversed(documents)), reversed(outcomes), strict=True)
    )
    people = gather_people([endpoints], by_id(names), VISITS, None, ignore_progress)
    assert people.outcomes.tolist() == outcomes
    assert people.matrix[:, 0].tolist() == [document["Metrics"]["Visits"] for document in documents]


def test_counts_every_line_and_names_the_unreadable_ones(tmp_path: Path) -> None:
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
    join = gather_people([endpoints], by_id(names), VISITS, None, ignore_progress).join
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
    places = [f"{endpoints}, line {number}: " for number in (104, 105, 106)]
    words = ["$.Id", "$.Metrics", "JSON"]
    assert len(join.refusals) == 3
    for refusal, place, word in zip(join.refusals, places, words, strict=True):
        assert refusal.startswith(place)
        assert word in refusal
        assert "seven" not in refusal


def test_counts_endpoints_that_miss_their_outcome_by_case_or_spaces_alone(
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
        [write(tmp_path / "e.jsonl", to_lines(documents))],
        by_id(names),
        VISITS,
        None,
        ignore_progress,
    ).join
    assert (join.matched, join.without_outcome, join.nearly) == (100, 100, 50)
    shouted = by_id({name.upper(): outcome for name, outcome in names.items()})
    with pytest.raises(
        DataError,
        match=r"no match between 200 endpoints and 150 outcomes; 150 would match if case",
    ):
        gather_people([tmp_path / "e.jsonl"], shouted, VISITS, None, ignore_progress)


def test_refuses_files_of_mostly_unreadable_lines(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    names = dict(zip((document["Id"] for document in documents), outcomes, strict=True))
    endpoints = write(tmp_path / "e.jsonl", to_lines(documents) + '{"Id": 5.5}\n' * 101)
    with pytest.raises(
        DataError,
        match=r"found 101 unreadable lines of 201; .*, line 101: \$\.Id",
    ):
        gather_people([endpoints], by_id(names), VISITS, None, ignore_progress)


def test_learns_the_values_that_twenty_people_have_the_most_frequent_first(tmp_path: Path) -> None:
    spec = FeatureSpec((Feature(name="plan", path="Attributes.Plan", kind="category"),))
    plans = [*["free"] * 30, *["pro"] * 20, *["rare"] * 19]
    endpoints = write(
        tmp_path / "e.jsonl",
        to_lines([{"Id": str(i), "Attributes": {"Plan": [plan]}} for i, plan in enumerate(plans)]),
    )
    learnt = learn_options(
        [endpoints], by_id({str(i): 0 for i in range(len(plans))}), spec, ignore_progress
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
    assert learn_options([tmp_path / "never-opened"], by_id({}), spec, ignore_progress) is spec


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", [NAME, "JSON lines, CSV, Parquet or ORC, found no record"]),
        ("\n\n", [NAME, "JSON lines, CSV, Parquet or ORC, found no record"]),
        ("Id,outcome\n", [NAME, "JSON lines, CSV, Parquet or ORC, found no record"]),
        ("{nobody\n", ["found 1 unreadable lines and no endpoint", f"{NAME}, line 1: ", "JSON"]),
        ("Id;outcome\n", [NAME, "comma", "found ;"]),
        (
            '{"Id": "z"}\n',
            ["to share Ids", "no match between 1 endpoints and 1 outcomes"],
        ),
        (
            '{"Id": "a"}\n',
            ["at least 25 people with each outcome", "1 with outcome 1 and 0 with outcome 0"],
        ),
        (gzip.compress(b'{"Id": "a"}\n' * 99, mtime=0)[:-9], [NAME, "undamaged", "line 99"]),
    ],
)
def test_refuses_endpoints_and_says_what_was_found_without_a_value(
    tmp_path: Path, content: str | bytes, words: list[str]
) -> None:
    path = write(tmp_path / NAME, content)
    with pytest.raises(DataError) as caught:
        gather_people([path], by_id({"a": 1}), VISITS, None, ignore_progress)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "nobody" not in message


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
    people = gather_people([endpoints], outcome_table, VISITS, None, ignore_progress)
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
    assert gather_people([endpoints], outcome_table, spec, None, ignore_progress).matrix[
        :, 0
    ].tolist() == list(range(60))
    assert set(
        gather_people([endpoints], outcome_table, spec, start + 86_400, ignore_progress)
        .matrix[:, 0]
        .tolist()
    ) == {1.0}


def test_builds_a_second_matrix_by_the_spec_of_the_bundle_in_use(tmp_path: Path) -> None:
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
    people = gather_people(
        [endpoints], outcome_table, VISITS, None, ignore_progress, others=[(other, None)]
    )
    (matrix,) = people.others
    assert (matrix == build_matrix(documents, other)).all()


def test_a_sample_of_few_people_holds_all_of_them(tmp_path: Path) -> None:
    documents, outcomes = make_people(100)
    endpoints = write(tmp_path / "e.jsonl", to_lines(documents))
    outcome_table = by_id(
        dict(zip((document["Id"] for document in documents[:60]), outcomes, strict=False))
    )
    assert sample_people([endpoints], outcome_table, 0, ignore_progress) == documents[:60]


@pytest.mark.parametrize(("inside", "outside"), [("{}", "{}.0"), ("{}.0", "{}")])
@pytest.mark.parametrize("key", ["Id", "UserId"])
def test_ids_that_differ_by_point_zero_match(
    tmp_path: Path, inside: str, outside: str, key: str
) -> None:
    documents = [
        {
            "Id": inside.format(index),
            "User": {"UserId": inside.format(1000 + index)},
            "Metrics": {"m": index},
        }
        for index in range(60)
    ]
    first = 1000 if key == "UserId" else 0
    rows = "".join(f"{outside.format(first + index)},{index % 2}\n" for index in range(60))
    people = gather_people(
        [write(tmp_path / "people.jsonl", to_lines(documents))],
        read_outcomes(write(tmp_path / "o.csv", f"{key},outcome\n{rows}")),
        FeatureSpec((Feature(name="m", path="Metrics.m", kind="number"),)),
        None,
        ignore_progress,
    )
    assert people.join.matched == 60
    assert bool(people.join.readings) == (outside == "{}.0")


def test_the_incumbents_ages_need_not_be_told_again(tmp_path: Path) -> None:
    ages = FeatureSpec((Feature(name="age", path="CreationDate", kind="age"),))
    documents, outcomes = make_people(100)
    dated = [{**document, "CreationDate": "2026-01-01"} for document in documents]
    endpoints = [write(tmp_path / NAME, to_lines(dated))]
    table = by_id({document["Id"]: out for document, out in zip(dated, outcomes, strict=True)})
    recorded = parse_time("2026-01-11")
    for reference, days in ((None, 10.0), (parse_time("2026-01-03"), 2.0)):
        people = gather_people(
            endpoints,
            table,
            VISITS,
            reference,
            ignore_progress,
            others=[(ages, recorded)],
        )
        (matrix,) = people.others
        assert set(matrix[:, 0].tolist()) == {days}
