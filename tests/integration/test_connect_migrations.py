"""10,000 people of CDNOW: the same score as endpoint, and as the profile of either migration."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from function.bootstrap import Handler, build_handler
from function.hosts import HOSTS
from function.records import Account, Campaign, HostName
from model.customer_profile import document_to_profile, profile_to_document
from model.features import build_matrix, read_spec
from model.people.records import Record
from model.profile_names import NAMINGS
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS
from segment_scorer.runner.config import RunConfig

PEOPLE, BATCH = 10_000, 500
CAMPAIGN = Campaign(
    application_id="a",
    campaign_id="c",
    treatment_id="0",
    activity_id="x",
    scheduled_time="1997-09-30T00:00:00.000Z",
)
CONFIG = RunConfig(scheduled_time=CAMPAIGN.scheduled_time, activity_id="x")
# What the shipped model does not read, of everybody: attributes of the endpoint and of the user,
# one value and several, a device and a place
MORE: Mapping[str, tuple[str, ...]] = {
    "Attributes.Plan": ("gold", "silver", "none"),
    "User.UserAttributes.Tier": ("one", "two"),
    "Attributes.Interests": ("music", "films"),
    "Demographic.Platform": ("ios", "android"),
    "Location.Country": ("GB", "US"),
}
SPEC = read_spec(
    {
        "feature": [
            *(
                {"name": path, "path": path, "kind": "category", "values": list(values)}
                for path, values in MORE.items()
            ),
            {"name": "interests", "path": "Attributes.Interests", "kind": "count"},
            {"name": "purchases", "path": "Metrics.Purchases", "kind": "number"},
            {"name": "latitude", "path": "Location.Latitude", "kind": "number"},
        ]
    }
)


@pytest.fixture(scope="module")
def people(cdnow_files: Path) -> list[dict[str, Any]]:
    with gzip.open(cdnow_files / "endpoints.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(file, PEOPLE)]


def score(
    handler: Handler, host: HostName, people: list[dict[str, Any]], naming: str = "aws"
) -> Iterator[Any]:
    """Score, decision and band of each person, from a host's event."""
    adapter = HOST_ADAPTERS[host]
    for start in range(0, len(people), BATCH):
        entries = {
            person["Id"]: adapter.make_entry(
                Record(
                    dict(person),
                    document_to_profile(person, NAMINGS[naming]) if host == "connect" else None,
                ),
                CONFIG,
            )
            for person in people[start : start + BATCH]
        }
        handler(HOSTS[host].build_event(entries, CAMPAIGN), None)
        yield from ((each.score, each.sent, each.reason) for each in DECISIONS.pop().decisions)


DECISIONS: list[Account] = []


def test_everybody_has_the_same_score_as_endpoint_and_as_either_profile(
    people: list[dict[str, Any]],
) -> None:
    handler = build_handler({}, observer=DECISIONS.append, stream=io.StringIO())
    as_endpoints = list(score(handler, "pinpoint", people))
    assert len(as_endpoints) == PEOPLE
    assert len({one for one, *_ in as_endpoints}) > 1_000
    assert not any(one is None for one, *_ in as_endpoints)
    for naming in NAMINGS:
        assert list(score(handler, "connect", people, naming)) == as_endpoints


def test_attributes_devices_and_places_give_the_same_features_too(
    people: list[dict[str, Any]],
) -> None:
    documents = [add_more(person, index) for index, person in enumerate(people[:1_000])]
    expected = build_matrix(documents, SPEC)
    assert (np.isfinite(expected).mean(axis=0) > 0.5).all()
    for naming in NAMINGS.values():
        profiles = [document_to_profile(document, naming) for document in documents]
        back = [profile_to_document(json.loads(json.dumps(profile))) for profile in profiles]
        np.testing.assert_array_equal(build_matrix(back, SPEC), expected)


def add_more(person: Mapping[str, Any], index: int) -> dict[str, Any]:
    picked = {path: values[index % len(values)] for path, values in MORE.items()}
    return {
        **person,
        "Attributes": {
            "Plan": [picked["Attributes.Plan"]],
            "Interests": list(MORE["Attributes.Interests"][: 1 + index % 2]),
        },
        "Demographic": {"Platform": picked["Demographic.Platform"]},
        "Location": {"Country": picked["Location.Country"], "Latitude": index / 7 - 90},
        "User": {
            **person.get("User", {}),
            "UserAttributes": {"Tier": [picked["User.UserAttributes.Tier"]]},
        },
    }
