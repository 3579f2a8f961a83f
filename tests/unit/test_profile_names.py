"""model/profile_names.py: the names of two migrations, recognised, read and written."""

from __future__ import annotations

from typing import Any

import pytest

from model.customer_profile import convert_profile, document_to_profile, profile_to_document
from model.profile_names import AWS, CHOICES, NAMINGS, PRONETX, Naming, recognise
from segment_scorer.cli.training_options import Migration

PERSON: dict[str, Any] = {
    "Id": "p",
    "Attributes": {"Plan": ["gold"], "Interests": ["music", "films"], "size_2": ["x"]},
    "Metrics": {"Visits": 3.0},
    "Demographic": {"Platform": "Android", "AppVersion": "1.2"},
    "Location": {"City": "C", "Latitude": 51.5},
    "User": {"UserId": "u", "UserAttributes": {"Tier": ["one"], "Plan": ["silver"]}},
}
FLAT: dict[str, dict[str, str]] = {
    "aws": {
        "Tier": "one",
        "Plan": "gold",
        "Interests_1": "music",
        "Interests_2": "films",
        "size_2": "x",
        "Metrics_Visits": "3",
        "Demographic_Platform": "Android",
        "Demographic_AppVersion": "1.2",
        "Latitude": "51.5",
    },
    "pronetx": {
        "User_Tier_0": "one",
        "User_Plan_0": "silver",
        "Plan_0": "gold",
        "Interests_0": "music",
        "Interests_1": "films",
        "size_2_0": "x",
        "Metric_Visits": "3",
        "Platform": "Android",
        "AppVersion": "1.2",
        "Latitude": "51.5",
    },
}
BOTH: dict[str, Naming] = {"aws": AWS, "pronetx": PRONETX}


def test_the_names_of_setting_and_option_are_those_of_the_table() -> None:
    assert NAMINGS == BOTH
    assert tuple(Migration) == CHOICES == ("auto", *BOTH)


@pytest.mark.parametrize("name", FLAT)
def test_each_migration_writes_its_own_names(name: str) -> None:
    assert document_to_profile(PERSON, NAMINGS[name])["attributes"] == FLAT[name]


@pytest.mark.parametrize("naming", [PRONETX, None])
def test_pronetxs_names_are_read_back_into_the_groups_that_they_came_from(
    naming: Naming | None,
) -> None:
    converted = convert_profile(document_to_profile(PERSON, PRONETX), naming)
    assert {"Id": "p", **converted.document} == PERSON
    assert not converted.ambiguous


@pytest.mark.parametrize("naming", [AWS, None])
def test_of_awss_names_attributes_are_read_into_both_groups(naming: Naming | None) -> None:
    converted = convert_profile(document_to_profile(PERSON, AWS), naming)
    both = PERSON["Attributes"] | {"Tier": ["one"]}
    assert converted.document["Attributes"] == both
    assert converted.document["User"] == {"UserId": "u", "UserAttributes": both}
    for group in ("Metrics", "Demographic", "Location"):
        assert converted.document[group] == PERSON[group]
    assert not converted.ambiguous


SIGNS: list[tuple[list[str], Naming, bool]] = [
    ([], AWS, False),
    (["Tier"], AWS, False),
    (["Tier", "X_1", "X_2"], AWS, False),
    (["Platform", "Tier"], AWS, False),
    (["Metrics_X", "Tier"], AWS, False),
    (["Demographic_Make"], AWS, False),
    (["Metric_X"], PRONETX, False),
    (["Metric_X", "Tier"], PRONETX, False),
    (["User_X_0", "Tier"], PRONETX, False),
    (["User_Name", "Tier"], AWS, False),
    (["X_0"], PRONETX, False),
    (["X_0", "X_1", "Y_0", "Platform", "Latitude"], PRONETX, False),
    (["X_0", "Tier"], AWS, True),
    (["X_0", "Metrics_X"], AWS, True),
    (["Metric_X", "Metrics_X"], AWS, True),
    (["Metric_X", "Demographic_Make"], AWS, True),
]


@pytest.mark.parametrize(("names", "naming", "ambiguous"), SIGNS)
def test_the_names_tell_the_migration_or_that_they_do_not(
    names: list[str], naming: Naming, ambiguous: bool
) -> None:
    assert recognise(dict.fromkeys(names, "1")) == (naming, ambiguous)
    assert recognise(dict.fromkeys(reversed(names), "1")) == (naming, ambiguous)


def test_ambiguous_names_are_read_as_awss_and_what_only_the_other_reading_finds_is_added() -> None:
    flat = {"Metrics_X": "1", "Metric_X": "2", "Metric_Y": "3", "Plan_0": "a", "Platform": "p"}
    converted = convert_profile({"attributes": flat})
    assert converted.ambiguous
    assert converted.document["Metrics"] == {"X": 1.0, "Y": 3.0}
    assert converted.document["Demographic"] == {"Platform": "p"}
    assert converted.document["Attributes"]["Plan_0"] == ["a"]
    assert converted.document["Attributes"]["Plan"] == ["a"]
    assert converted.document["Attributes"]["Platform"] == ["p"]


@pytest.mark.parametrize(
    ("naming", "document"),
    [
        (AWS, {"Metrics": {"X": 1.0}, "Attributes": {"Metric_Y": ["3"], "Plan_0": ["a"]}}),
        (PRONETX, {"Metrics": {"Y": 3.0}, "Attributes": {"Metrics_X": ["1"], "Plan": ["a"]}}),
    ],
    ids=NAMINGS,
)
def test_a_setting_says_how_ambiguous_names_are_read(
    naming: Naming, document: dict[str, Any]
) -> None:
    flat = {"Metrics_X": "1", "Metric_Y": "3", "Plan_0": "a"}
    converted = convert_profile({"attributes": flat}, naming)
    assert not converted.ambiguous
    for group, fields in document.items():
        assert converted.document[group] == fields


def test_a_bare_platform_that_no_other_name_explains_is_found_under_both_readings() -> None:
    document = profile_to_document({"attributes": {"Platform": "ios", "Tier": "gold"}})
    assert document["Demographic"] == {"Platform": "ios"}
    assert document["Attributes"] == {"Platform": ["ios"], "Tier": ["gold"]}


@pytest.mark.parametrize(
    "flat",
    [
        {"X_1": "b"},  # does not begin at 0
        {"X_0": "a", "X_2": "c"},  # a gap
        {"X": "x", "X_0": "a"},  # the name itself is there
        {"X_00": "a"},  # not how a number is written
        {"X_0000": "a"},
        {"_0": "a"},  # nothing is numbered
    ],
)
def test_names_that_are_no_series_of_pronetxs_stay_as_they_are(flat: dict[str, str]) -> None:
    document = profile_to_document({"attributes": flat}, PRONETX)
    expected = {name: [value] for name, value in flat.items()}
    assert document == {"Attributes": expected, "User": {"UserAttributes": expected}}
