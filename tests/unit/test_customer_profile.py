"""model/customer_profile.py: AWS's migration table, read in both directions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.customer_profile import (
    ADDRESSES,
    CHANNELS,
    LOCATION,
    PROFILE,
    document_to_profile,
    profile_to_document,
    profile_to_event,
)
from model.document import is_typed
from model.paths import compile_paths, find_problem
from model.profile_names import NAMINGS, Naming, write_number

# profile -> endpoint document, a row of the migration table each
TABLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"accountNumber": "u"}, {"User": {"UserId": "u"}}),
    ({"AccountNumber": "u"}, {"User": {"UserId": "u"}}),
    (
        {"attributes": {"X": "a"}},
        {"Attributes": {"X": ["a"]}, "User": {"UserAttributes": {"X": ["a"]}}},
    ),
    (
        {"Attributes": {"X": "a"}},
        {"Attributes": {"X": ["a"]}, "User": {"UserAttributes": {"X": ["a"]}}},
    ),
    (
        {"attributes": {"X_1": "a", "X_2": "b"}},
        {"Attributes": {"X": ["a", "b"]}, "User": {"UserAttributes": {"X": ["a", "b"]}}},
    ),
    ({"attributes": {"Metrics_X": "1.5"}}, {"Metrics": {"X": 1.5}}),
    ({"attributes": {"Metrics_X": 2}}, {"Metrics": {"X": 2}}),
    ({"attributes": {"Demographic_Platform": "Android"}}, {"Demographic": {"Platform": "Android"}}),
    (
        {"address": {"city": "C", "country": "GB", "postalCode": "P", "county": "R"}},
        {"Location": {"City": "C", "Country": "GB", "PostalCode": "P", "Region": "R"}},
    ),
    ({"address": {"province": "R"}}, {"Location": {"Region": "R"}}),
    ({"address": {"county": "R", "province": "other"}}, {"Location": {"Region": "R"}}),
    ({"Address": {"City": "C"}}, {"Location": {"City": "C"}}),
    (
        {"attributes": {"Latitude": "51.5", "Longitude": "-0.1"}},
        {"Location": {"Latitude": 51.5, "Longitude": -0.1}},
    ),
    ({"phoneNumber": "+1"}, {"ChannelType": "SMS", "Address": "+1"}),
    ({"mobilePhoneNumber": "+1"}, {"ChannelType": "SMS", "Address": "+1"}),
    ({"emailAddress": "a@example.com"}, {"ChannelType": "EMAIL", "Address": "a@example.com"}),
    ({"phoneNumber": "+1", "emailAddress": "a@example.com"}, {}),
    (
        {"phoneNumber": "", "emailAddress": "a@example.com"},
        {"ChannelType": "EMAIL", "Address": "a@example.com"},
    ),
    ({"email": "a@example.com"}, {"ChannelType": "EMAIL", "Address": "a@example.com"}),
    ({"firstName": "A", "profileId": "p"}, {"Profile": {"FirstName": "A"}}),
    ({"BirthDate": "1980-02-01"}, {"Profile": {"BirthDate": "1980-02-01"}}),
    ({"gender": "", "genderString": "X"}, {"Profile": {"Gender": "X"}}),
    ({"PartyTypeString": "INDIVIDUAL"}, {"Profile": {"PartyType": "INDIVIDUAL"}}),
    ({"calculatedAttributes": {"Orders": "3"}}, {"Calculated": {"Orders": "3"}}),
    ({"CalculatedAttributes": {"Orders": 3}}, {"Calculated": {"Orders": 3}}),
    ({"shippingAddress": {"city": "not read"}, "foundByItems": []}, {}),
]


@pytest.mark.parametrize(("profile", "document"), TABLE)
def test_a_profile_is_mapped_back_by_awss_own_migration_table(
    profile: dict[str, Any], document: dict[str, Any]
) -> None:
    assert profile_to_document(profile) == document
    assert is_typed(document)


@pytest.mark.parametrize(
    "flat",
    [
        {"X_1": "a"},  # one value: a name that ends in a number
        {"X_1": "a", "X_3": "c"},  # a gap
        {"X_2": "a", "X_3": "c"},  # does not begin at 1
        {"X": "x", "X_1": "a", "X_2": "b"},  # the name itself is there
        {"X_01": "a", "X_02": "b"},  # not how AWS writes them
    ],
)
def test_names_that_are_no_numbered_series_stay_as_they_are(flat: dict[str, Any]) -> None:
    assert profile_to_document({"attributes": flat})["Attributes"] == {
        name: [value] for name, value in flat.items()
    }


READ = compile_paths(
    [
        "Metrics.X",
        "Attributes.X",
        "User.UserAttributes.X",
        "Location.Latitude",
        "Location.City",
        "User.UserId",
        "Profile.BirthDate",
        "Calculated.Orders",
    ]
)
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"attributes": {"Metrics_X": "many"}}, "$.Metrics.X: expected a number, found text"),
    ({"attributes": {"Latitude": "north"}}, "$.Location.Latitude: expected a number, found text"),
    ({"attributes": "text"}, "$.Metrics: expected an object, found text"),
    ({"address": []}, "$.Location: expected an object, found a list"),
    ({"accountNumber": []}, "$.User.UserId: expected text, found a list"),
    ({"accountNumber": 5.5}, "$.User.UserId: expected text, found a number"),
    ({"birthDate": {}}, "$.Profile.BirthDate: expected text, found an object"),
    ({"calculatedAttributes": "many"}, "$.Calculated: expected an object, found text"),
    (
        {"calculatedAttributes": {"Orders": {}}},
        (
            "$.Calculated.Orders: expected text, a number, true, false, or a list of them, "
            "found an object"
        ),
    ),
]


@pytest.mark.parametrize(("profile", "problem"), WRONG)
def test_a_field_of_the_wrong_type_makes_the_document_unreadable_where_it_is_read(
    profile: dict[str, Any], problem: str
) -> None:
    document = profile_to_document(profile)
    assert not is_typed(document)
    assert find_problem(document, READ) == problem
    assert find_problem(document, compile_paths(["Demographic.Make", "ChannelType"])) in (
        None,
        "$.Demographic: expected an object, found text",
    )


@pytest.mark.parametrize(
    "profile",
    [
        {"attributes": {"Metrics_X": "1e400"}},
        {"attributes": {"Metrics_X": "NULL", "Metrics_Unread": "many"}},
        {"accountNumber": 5, "emailAddress": 5},
    ],
)
def test_missing_numbers_whole_ids_and_unread_fields_are_usable(profile: dict[str, Any]) -> None:
    assert find_problem(profile_to_document(profile), READ) is None


@pytest.mark.parametrize("group", ["Attributes", "Metrics", "Demographic", "User.UserAttributes"])
def test_attributes_that_are_no_object_are_named_wherever_one_is_read(group: str) -> None:
    document = profile_to_document({"attributes": ["text"], "accountNumber": "u"})
    problem = f"$.{group}: expected an object, found a list"
    assert find_problem(document, compile_paths([f"{group}.X"])) == problem
    assert find_problem(document, compile_paths(["User.UserId"])) is None


def test_a_profile_is_not_changed() -> None:
    profile = {"attributes": {"X_1": ["a"], "X_2": "b"}, "address": {"city": "C"}}
    profile_to_document(profile)
    assert profile == {"attributes": {"X_1": ["a"], "X_2": "b"}, "address": {"city": "C"}}


NAMES = st.text("abcXYZ", min_size=1, max_size=6)
TEXTS = st.text(min_size=1, max_size=8)
DOCUMENTS = st.fixed_dictionaries(
    {
        "Attributes": st.dictionaries(
            NAMES, st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=4
        ),
        "Metrics": st.dictionaries(
            NAMES, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4
        ),
        "Demographic": st.fixed_dictionaries({"Locale": TEXTS}),
        "Location": st.fixed_dictionaries(
            {"City": TEXTS, "Country": TEXTS, "Latitude": st.floats(-90, 90)}
        ),
        "User": st.fixed_dictionaries({"UserId": TEXTS}),
    }
)


@pytest.mark.parametrize("naming", NAMINGS.values(), ids=NAMINGS)
@given(DOCUMENTS)
def test_a_document_that_became_a_profile_is_read_back_as_it_was(
    naming: Naming, document: dict[str, dict[str, object]]
) -> None:
    for known in (naming, None):
        back = profile_to_document(document_to_profile(document, naming), known)
        for group in ("Attributes", "Metrics", "Demographic", "Location"):
            assert back[group] == document[group]
        assert back["User"]["UserId"] == document["User"]["UserId"]


def test_maps_channels_and_several_values_as_the_migration_does() -> None:
    document = {
        "Id": "a",
        "ChannelType": "SMS",
        "Address": "+49 30 1",
        "Attributes": {"Plan": ["gold", "old"], "One": "x"},
        "User": {"UserAttributes": {"One": ["hidden"], "Two": [7]}},
        "Metrics": {"Visits": 3.0, "Spend": 2.5, "None": None},
    }
    assert document_to_profile(document) == {
        "profileId": "a",
        "phoneNumber": "+49 30 1",
        "attributes": {
            "One": "x",
            "Two": "7",
            "Plan_1": "gold",
            "Plan_2": "old",
            "Metrics_Visits": "3",
            "Metrics_Spend": "2.5",
        },
    }


def test_a_group_that_is_no_object_is_left_out() -> None:
    assert document_to_profile(
        {"Id": "a", "Attributes": [1], "Metrics": "x", "User": None, "Location": 3}
    ) == {"profileId": "a"}


def test_large_numbers_keep_their_value() -> None:
    assert float(write_number(1e300)) == 1e300
    assert write_number(True) == "True"


def test_every_row_of_the_table_is_written_where_it_is_read() -> None:
    for row in (*LOCATION, *CHANNELS):
        assert row.written in row.read, row
    for channel, written in ADDRESSES.items():
        profile = document_to_profile({"ChannelType": channel, "Address": "x"})
        assert profile == {written: "x"}
        assert profile_to_document(profile)["Address"] == "x"
    for row in LOCATION:
        document = {"Location": {row.field: "x"}}
        assert document_to_profile(document) == {"address": {row.written: "x"}}
        assert profile_to_document({"address": {row.written: "x"}}) == document
    for row in PROFILE:
        document = {"Profile": {row.field: "x"}}
        assert document_to_profile(document) == {row.written: "x"}
        assert profile_to_document({row.written: "x"}) == document
    calculated = {"Calculated": {"Orders": "3"}}
    assert profile_to_document(document_to_profile(calculated)) == calculated


def test_an_exported_profile_is_sent_as_live_events_are() -> None:
    exported = {
        "ProfileId": "p",
        "FirstName": "",
        "LastName": None,
        "FoundByItems": [],
        "Address": {"City": "C", "PostalCode": ""},
        "Attributes": {"Plan": "gold", "empty": "", "Metric_X": "0"},
        "CalculatedAttributes": {"Orders": "3"},
        "BirthDate": "1980-02-01",
    }
    assert profile_to_event(exported) == {
        "profileId": "p",
        "address": {"city": "C"},
        "attributes": {"Plan": "gold", "Metric_X": "0"},
        "birthDate": "1980-02-01",
    }
    assert exported["Address"] == {"City": "C", "PostalCode": ""}
