"""Endpoints as the migration makes profiles of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.customer_profile import profile_to_document
from model.people.profiles import document_to_profile, write_number

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


@given(DOCUMENTS)
def test_what_is_read_back_is_what_was_there(document: dict[str, dict[str, object]]) -> None:
    back = profile_to_document(document_to_profile(document))
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


def test_what_is_no_map_is_left_out() -> None:
    assert document_to_profile(
        {"Id": "a", "Attributes": [1], "Metrics": "x", "User": None, "Location": 3}
    ) == {"profileId": "a"}


def test_large_numbers_keep_their_value() -> None:
    assert float(write_number(1e300)) == 1e300
    assert write_number(True) == "True"
