"""Every host through the same checks, on which the pipeline and the runner rely."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from function.hosts import HOSTS, Host
from function.hosts.pinpoint import PINPOINT
from function.hosts.web import WEB
from function.records import HostName
from tests.fakes import Watcher, make_event
from tests.rooms import make_handler
from tests.strategies import make_connect_event, make_web_event

EVENTS = Path(__file__).parents[1] / "events"
SECONDS: dict[HostName, float] = {"pinpoint": 15.0, "connect": 30.0, "web": 30.0}


def person(score: float, user: str) -> dict[str, Any]:
    return {"Metrics": {"score": score}, "User": {"UserId": user}}


def profile(score: float, user: str) -> str:
    return json.dumps({"accountNumber": user, "attributes": {"Metrics_score": str(score)}})


PEOPLE = {f"p{index}": (index / 20, f"user-{index}") for index in range(20)}


def make_events(people: Mapping[str, tuple[float, str]]) -> dict[HostName, dict[str, Any]]:
    """The same people as each host sends them."""
    return {
        "pinpoint": make_event({id_: person(*one) for id_, one in people.items()}),
        "connect": make_connect_event(
            [{"ProfileId": id_, "CustomerData": profile(*one)} for id_, one in people.items()]
        ),
        "web": make_web_event(
            {
                "people": [{"Id": id_, **person(*one)} for id_, one in people.items()],
                "campaign": {"campaign_id": "campaign"},
            }
        ),
    }


def kept(host: Host, reply: Any, sent: list[str]) -> list[str]:
    """Who is to be messaged, as the runner reads it."""
    read = host.read_reply(reply, sent)
    return (
        list(read)
        if host is PINPOINT
        else [id_ for id_, data in read.items() if data["decision"] == "keep"]
    )


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Host:
    name: HostName = request.param
    return HOSTS[name]


@pytest.fixture
def recorded(host: Host) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{host.name}.json").read_text("utf-8"))
    return event


def test_a_host_has_its_documented_limit(host: Host) -> None:
    assert SECONDS[host.name] == host.limit_seconds


def test_a_host_recognises_its_own_event_by_its_shape_and_no_other(
    host: Host, recorded: dict[str, Any]
) -> None:
    assert host.is_event(recorded)
    for other in HOSTS.values():
        assert other.is_event(recorded) == (other is host)
    assert not host.is_event({})


def test_a_batch_names_its_host_and_keeps_the_order(host: Host) -> None:
    batch = host.parse_event(make_events(PEOPLE)[host.name])
    assert batch.host == host.name
    assert [endpoint.id for endpoint in batch.endpoints] == list(PEOPLE)
    assert all(endpoint.problem is None for endpoint in batch.endpoints)


def test_the_recorded_event_is_answered_and_not_changed(
    host: Host, recorded: dict[str, Any]
) -> None:
    before = deepcopy(recorded)
    reply = make_handler({})(recorded)
    assert recorded == before
    sent = [endpoint.id for endpoint in host.parse_event(recorded).endpoints]
    assert 0 < len(kept(host, reply, sent)) < len(sent)
    assert json.loads(json.dumps(reply, allow_nan=False)) == reply


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"keep": "below"},
        {"threshold": {"reach": 0.3}},
        {"mode": "annotate"},
        {"mode": "shadow"},
        {"holdout": {"percent": 50, "salt": "s"}},
        {"mode": "annotate", "holdout": {"percent": 50}},
        {"override": [{"campaign_id": "campaign", "threshold": 0.9}]},
    ],
)
def test_the_same_people_under_the_same_policy_and_model_get_the_same_decisions_from_every_host(
    policy: dict[str, Any],
) -> None:
    seen, replies = {}, {}
    for name, event in make_events(PEOPLE).items():
        watcher = Watcher()
        reply = make_handler(policy, observer=watcher)(event)
        replies[name] = kept(HOSTS[name], reply, list(PEOPLE))
        seen[name] = watcher.decisions
    assert all(decisions == seen["pinpoint"] for decisions in seen.values())
    assert all(reply == replies["pinpoint"] for reply in replies.values())


@pytest.mark.parametrize("on_error", ["keep", "drop"])
def test_a_batch_without_scores_ends_alike(on_error: str) -> None:
    for name, event in make_events(PEOPLE).items():
        reply = make_handler({"on_error": on_error}, working=False)(event)
        assert kept(HOSTS[name], reply, list(PEOPLE)) == (
            list(PEOPLE) if on_error == "keep" else []
        )


def test_zero_people_are_answered(host: Host) -> None:
    assert kept(host, make_handler({})(make_events({})[host.name]), []) == []


def test_a_batch_larger_than_the_documented_one_is_accepted(host: Host) -> None:
    people = {f"p{index}": (0.9, "u") for index in range(120)}
    assert len(kept(host, make_handler({})(make_events(people)[host.name]), list(people))) == 120


def test_one_bad_person_costs_nobody_else(host: Host) -> None:
    event = make_events(PEOPLE)[host.name]
    expected = kept(host, make_handler({})(event), list(PEOPLE))
    if host is PINPOINT:
        event["Endpoints"] = {"bad": {"Metrics": "none"}, **event["Endpoints"]}
    elif host is WEB:
        content = json.loads(event["body"])
        content["people"].insert(0, {"Id": "bad", "Metrics": "none"})
        event["body"] = json.dumps(content)
    else:
        event["Items"]["CustomerProfiles"].insert(
            0, {"ProfileId": "bad", "CustomerData": '{"attributes":"none"}'}
        )
    assert kept(host, make_handler({})(event), ["bad", *PEOPLE]) == ["bad", *expected]
    assert kept(host, make_handler({"unreadable": "drop"})(event), ["bad", *PEOPLE]) == expected
