"""Amazon Connect's events: a live one's shape, AWS's printed example, and batches of any size."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import ScorerTimeout
from function.hosts.connect import CONNECT, LARGEST_RESULT
from function.hosts.reading import LARGEST_REPLY
from model.features import read_spec
from model.values import parse_time
from tests.fakes import FakeClock, FakeContext, FakeScorer, Watcher, make_bundle, write_policy
from tests.rooms import make_handler
from tests.strategies import make_connect_event

EVENTS = Path(__file__).parents[1] / "events"
FIELDS = {"score", "decision", "selected", "band", "holdout", "reason", "model"}


def read_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_bytes())
    return event


def answer(event: Mapping[str, Any], **policy: Any) -> dict[str, dict[str, Any]]:
    """Id -> ResultData, after what Connect documents of a reply was checked."""
    reply = make_handler(policy)(event)
    assert len(json.dumps(reply)) <= LARGEST_REPLY
    items = reply["Items"]["CustomerProfiles"]
    sent = [item["ProfileId"] for item in event["Items"]["CustomerProfiles"]]
    assert [item["Id"] for item in items] == sent, "every ProfileId is answered, in order"
    assert all(len(json.dumps(item["ResultData"])) <= LARGEST_RESULT for item in items)
    read = CONNECT.read_reply(json.loads(json.dumps(reply)), sent)
    assert list(read) == list(dict.fromkeys(sent))
    return read


def test_a_live_events_profiles_are_read_with_only_the_fields_that_they_have() -> None:
    event = read_event("connect-live")
    batch = CONNECT.parse_event(event)
    assert batch.context.reference == parse_time("2026-08-14T09:30:00Z")
    bare, first, second, none = [endpoint.document or {} for endpoint in batch.endpoints]
    assert all(endpoint.typed and endpoint.problem is None for endpoint in batch.endpoints)
    assert (none, batch.ambiguous) == ({}, 0)
    assert set(bare) == {"Attributes", "User"}
    assert (first["ChannelType"], first["Address"]) == ("EMAIL", "some@example.com")
    assert first["Attributes"]["platform"] == ["android"]
    assert first["Metrics"] == {"score": 0.75}
    assert second["Location"] == {
        "City": "Somewhere",
        "Country": "US",
        "PostalCode": "00000",
        "Region": "AB",
    }
    decisions = [result["decision"] for result in answer(event, threshold=0.5).values()]
    assert decisions == ["drop", "keep", "drop", "drop"]


def test_awss_printed_example_is_read_with_its_other_name_of_an_address_and_without_a_time() -> (
    None
):
    event = read_event("connect-documentation")
    batch = CONNECT.parse_event(event)
    assert batch.context.campaign_id == "campaign-12345"
    assert batch.context.reference is None
    assert [endpoint.document for endpoint in batch.endpoints] == [
        {
            "ChannelType": "EMAIL",
            "Address": f"{name.lower()}@example.com",
            "Profile": {"FirstName": name, "LastName": "One"},
        }
        for name in ("Some", "Another")
    ]
    assert all(set(result) == FIELDS for result in answer(event).values())


@pytest.mark.parametrize("missing", ["ResultData", "Id"])
def test_a_result_without_data_is_an_answer_and_a_profile_without_a_result_is_none(
    missing: str,
) -> None:
    items = [{"Id": "a", "ResultData": {"decision": "keep"}}, {"Id": "b", "ResultData": None}]
    items.append({"Id": "c"} if missing == "ResultData" else {"Id": "a"})
    read = CONNECT.read_reply({"Items": {"CustomerProfiles": items}}, ["a", "b", "c"])
    assert read["b"] == {}
    assert read.get("c") == ({} if missing == "ResultData" else None)


def make_profiles(count: int, **data: Any) -> dict[str, Any]:
    return make_connect_event(
        [
            {
                "ProfileId": f"{index:032x}",
                "CustomerData": json.dumps(
                    {
                        "accountNumber": f"user-{index}",
                        "attributes": {"Metrics_score": str(index % 100 / 100)},
                        **data,
                    }
                ),
                "IdempotencyToken": f"{index:064x}",
            }
            for index in range(count)
        ]
    )


@pytest.mark.parametrize("count", [1, 50, 1_000])
def test_every_profile_of_a_batch_of_any_size_is_answered_by_its_own_score(count: int) -> None:
    read = answer(make_profiles(count), threshold=0.5, band=[{"name": "high", "at_least": 0.9}])
    assert len(read) == count
    for index, result in enumerate(read.values()):
        assert result["score"] == index % 100 / 100
        assert result["decision"] == ("keep" if index % 100 >= 50 else "drop")


def test_the_largest_results_of_1000_profiles_fit_into_lambdas_reply() -> None:
    name = "x" * 50  # a band's longest name
    read = answer(make_profiles(1_000), band=[{"name": name, "at_least": 0.0}])
    assert {result["band"] for result in read.values()} == {name}
    assert len(json.dumps(list(read.values()))) < LARGEST_REPLY / 10


@pytest.mark.parametrize("count", [1, 50, 1_000])
@pytest.mark.parametrize(("left", "budget"), [(60.0, 29.5), (3.0, 2.5)])
def test_a_batch_of_any_size_is_scored_in_one_call_within_what_connect_or_lambda_leaves(
    tmp_path: Path, count: int, left: float, budget: float
) -> None:
    clock = FakeClock()
    scorer = FakeScorer(clock=clock, takes=100.0, error=ScorerTimeout("too slow"))
    environ = {"SCORER_BUNDLE": str(make_bundle(tmp_path / "tiny"))}
    handler = build_handler(environ, scorer=scorer, stream=io.StringIO(), clock=clock)
    reply = handler(make_profiles(count), FakeContext(left, clock))
    assert [len(matrix) for matrix in scorer.matrices] == [count]
    assert scorer.timeouts == [pytest.approx(budget)]
    assert clock.now - 1000.0 < left
    results = [item["ResultData"] for item in reply["Items"]["CustomerProfiles"]]
    assert [result["reason"] for result in results] == ["no_scores"] * count


def test_a_profiles_own_facts_and_calculated_attributes_serve_as_features_and_in_policies(
    tmp_path: Path,
) -> None:
    spec = {
        "feature": [
            {"name": "orders", "path": "Calculated.Orders", "kind": "number"},
            {"name": "days", "path": "Profile.BirthDate", "kind": "age"},
        ]
    }
    policy = '[[exclude]]\npath = "Profile.PartyType"\nequals = "BUSINESS"\nreason = "business"\n'
    environ = {
        "SCORER_BUNDLE": str(make_bundle(tmp_path / "tiny", read_spec(spec))),
        "SCORER_POLICY": str(write_policy(tmp_path / "policy.toml", policy)),
    }
    watcher = Watcher()
    handler = build_handler(environ, observer=watcher, stream=io.StringIO())
    facts = [
        {"birthDate": "1990-07-03", "calculatedAttributes": {"Orders": "0.75"}},
        {"partyTypeString": "BUSINESS", "calculatedAttributes": {"Orders": 0.25}},
    ]
    items = [
        {"ProfileId": str(index), "CustomerData": json.dumps(data)}
        for index, data in enumerate(facts)
    ]
    run = {"RunId": "c#1990-07-13T00-00-00Z"}
    reply = handler(make_connect_event(items, run), FakeContext(30.0))
    first, second = [item["ResultData"] for item in reply["Items"]["CustomerProfiles"]]
    assert (first["score"], first["decision"]) == (0.75, "keep")
    assert (second["reason"], second["excluded_by"]) == ("excluded", "business")
    assert watcher.accounts[0].matrix[0].tolist() == [0.75, 10.0]
