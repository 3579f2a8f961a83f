from __future__ import annotations

import tomllib
from typing import Any

import pytest

from model.errors import DataError
from model.features import read_spec
from model.training.infer import infer_spec, name_feature, write_features

PEOPLE = 200


def make_documents(**columns: Any) -> list[dict[str, Any]]:
    """People whose attributes are made by functions of their number; None is missing."""
    return [
        {
            "Id": f"p{index}",
            "Attributes": {
                name: [make(index)] for name, make in columns.items() if make(index) is not None
            },
        }
        for index in range(PEOPLE)
    ]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda index: ["red", "green", "blue"][index % 3], "category"),
        (lambda index: str(index % 7 * 1.5), "number"),
        (lambda index: str(index % 7) if index % 5 else "N/A", "number"),
        (lambda index: ["yes", "no"][index % 2], "flag"),
        (lambda index: ["True", "False", "unknown"][index % 3], "flag"),
        (lambda index: f"2025-01-{index % 28 + 1:02}", "age"),
        (lambda index: f"202501{index % 28 + 1:02}", "age"),
        (lambda index: f"0{index % 9}104", "category"),
        (lambda index: "seen" if index % 2 else None, "category"),
        (lambda index: f"{index % 5}.12.33", "category"),
    ],
)
def test_infers_the_kind_of_a_text(make: Any, kind: str) -> None:
    spec = infer_spec(make_documents(X=make), dated=True).spec
    assert [(feature.path, feature.kind) for feature in spec.features] == [("Attributes.X", kind)]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda index: f"someone{index}@example.invalid", "an address"),
        (lambda index: f"+44 20 7946 {index:04}", "an address"),
        (lambda index: f"user-{index}", "an identifier"),
        (lambda index: str(100_000 + index), "an identifier: a different whole number"),
        (lambda index: "I would like to say that " * 4 + str(index % 3), "long texts"),
        (lambda index: f"{index % 9},5", "numbers with a decimal comma"),
        (lambda index: f"1.{index % 9}00,25", "numbers with a decimal comma"),
        (lambda index: f"{index % 9 + 1},234,000.5", "numbers with thousands separators"),
        (lambda index: f"€{index % 9}.50", "numbers with a currency or percent sign"),
        (lambda index: f"{index % 9 + 30 * (index % 2)}.2.2025", "dates in several formats"),
        (lambda index: f"{index % 28 + 1}.12.2025", "a date; an age needs --as-of TIME"),
        (lambda index: "always", "the same value for everyone"),
        (lambda index: "x" if index < 19 else None, "fewer than 20 people have it"),
        (lambda index: str(index % 60) + "rd street", "no value that 20 people share"),
        (lambda index: f"2025-01-{index % 28 + 1:02}", "a date; an age needs --as-of TIME"),
    ],
)
def test_leaves_out_a_path_without_information_and_says_why(make: Any, reason: str) -> None:
    inference = infer_spec(
        make_documents(X=make, Plan=lambda index: ["free", "pro"][index % 2]), dated=False
    )
    assert [feature.path for feature in inference.spec.features] == ["Attributes.Plan"]
    assert dict(inference.left_out)["Attributes.X"].startswith(reason)


def test_says_which_paths_a_feature_is_read_from() -> None:
    documents = [
        {**document, "Recency": index % 9, "metrics": {"Freq": index % 7}}
        for index, document in enumerate(make_documents())
    ]
    for index, document in enumerate(documents):
        document["Attributes"] = {"Plan": ["free", "pro"][index % 2]}
    reasons = dict(infer_spec(documents, dated=False).left_out)
    assert reasons.keys() == {"Id", "Recency", "metrics"}
    for name in ("Recency", "metrics"):
        assert "read from Metrics, Attributes, User.UserAttributes, " in reasons[name]


def test_never_takes_identifiers_addresses_or_fields_that_the_campaign_changes() -> None:
    documents = [
        {
            "Id": str(index),
            "Address": ["a", "b"][index % 2],
            "OptOut": ["ALL", "NONE"][index % 2],
            "EndpointStatus": ["ACTIVE", "INACTIVE"][index % 2],
            "CohortId": str(index % 100),
            "RequestId": str(index % 2),
            "EffectiveDate": f"2025-01-{index % 28 + 1:02}",
            "ChannelType": ["EMAIL", "SMS"][index % 2],
            "User": {"UserId": str(index % 50)},
        }
        for index in range(PEOPLE)
    ]
    inference = infer_spec(documents, dated=True)
    assert [feature.path for feature in inference.spec.features] == ["ChannelType"]
    assert {path for path, _ in inference.left_out} == set(documents[0]) - {
        "ChannelType",
        "User",
    } | {"User.UserId"}


def test_a_metric_of_whole_numbers_is_a_number_unless_it_identifies_people() -> None:
    documents = [
        {
            "Id": str(index),
            "Metrics": {"Spend": index * 7919 % 100_003, "Row": index, "CustomerId": index * 31},
        }
        for index in range(PEOPLE)
    ]
    inference = infer_spec(documents, dated=False)
    assert [feature.path for feature in inference.spec.features] == ["Metrics.Spend"]


def test_a_list_gives_its_values_and_how_many_there_are() -> None:
    documents = [
        {"Id": str(index), "Attributes": {"Likes": ["tea", "cake", "jam"][: index % 4]}}
        for index in range(PEOPLE)
    ]
    features = infer_spec(documents, dated=False).spec.features
    assert [(feature.name, feature.kind) for feature in features] == [
        ("likes", "category"),
        ("likes_count", "count"),
    ]


def test_takes_a_value_that_a_document_holds_twice_once() -> None:
    plans = [["free"], ["pro"]]
    documents = [
        {
            "Id": str(index),
            "Attributes": {"Plan": plans[index % 2]},
            "User": {"UserAttributes": {"Plan": plans[index % 2]}},
        }
        for index in range(PEOPLE)
    ]
    inference = infer_spec(documents, dated=False)
    assert [feature.path for feature in inference.spec.features] == ["Attributes.Plan"]
    assert ("User.UserAttributes.Plan", "the same as Attributes.Plan") in inference.left_out


def test_equal_values_of_different_people_are_different_features() -> None:
    inference = infer_spec(
        make_documents(
            Odd=lambda index: "yes" if index % 2 else None,
            Even=lambda index: None if index % 2 else "yes",
        ),
        dated=False,
    )
    assert [feature.path for feature in inference.spec.features] == [
        "Attributes.Even",
        "Attributes.Odd",
    ]


def test_refuses_people_without_any_feature() -> None:
    with pytest.raises(
        DataError, match=r"^expected metrics, attributes, .*found only .*: Id: an identifier"
    ):
        infer_spec([{"Id": str(index)} for index in range(PEOPLE)], dated=False)


def test_names_are_short_and_unique() -> None:
    assert name_feature("Metrics.RecencyDays", "number", set()) == "recency_days"
    assert name_feature("Attributes.Plan", "category", {"plan"}) == "attributes_plan"
    assert (
        name_feature("Attributes.Plan", "category", {"plan", "attributes_plan"})
        == "attributes_plan_2"
    )
    assert name_feature("CreationDate", "age", set()) == "creation_date_age"
    assert name_feature("User.UserAttributes.a.b", "category", set()) == "a_b"
    assert name_feature("Attributes.名前", "category", set()) == "feature"


def test_writes_a_spec_that_reads_back_with_a_reason_for_each_path_left_out() -> None:
    inference = infer_spec(
        make_documents(Plan=lambda index: ["free", "pro"][index % 2], Same=lambda index: "x"),
        dated=False,
    )
    text = write_features(inference)
    assert read_spec(tomllib.loads(text)) == inference.spec
    assert "#   Attributes.Same: the same value for everyone\n" in text
    assert "#   Id: an identifier\n" in text


def test_the_order_of_people_changes_nothing() -> None:
    documents = make_documents(
        Plan=lambda index: ["free", "pro"][index % 2], Size=lambda index: str(index % 9)
    )
    assert infer_spec(documents, dated=False).spec == infer_spec(documents[::-1], dated=False).spec


def test_personal_facts_of_a_profile_are_no_features_and_calculated_attributes_are() -> None:
    documents = [
        {
            "Profile": {"Gender": ["FEMALE", "MALE"][index % 2], "BirthDate": f"19{index % 90:02}"},
            "Calculated": {"Orders": str(index % 7)},
        }
        for index in range(PEOPLE)
    ]
    inference = infer_spec(documents, dated=True)
    assert [feature.path for feature in inference.spec.features] == ["Calculated.Orders"]
    ((path, reason),) = inference.left_out
    assert path == "Profile"
    assert reason.startswith("personal facts of a customer profile; a spec may name one")
