"""Hypothesis strategies: JSON values, sound and spoilt endpoints, every host's events, policies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from random import Random
from typing import Any

from hypothesis import strategies as st

from function.records import HostName
from tests.fakes import make_event

# Text as JSON can carry it: lone surrogates, NUL, DEL and astral characters included.
TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.sampled_from([10**30, 10**400, 2**1024, 1e308, 5e-324, -0.0]),
)
# Long texts that nearly are numbers or dates, and what data platforms write for a missing value
LONG_TEXTS = (
    "1" * 14_000,
    "1" * 14_000 + "x",
    "0." * 7_000,
    " " * 14_000,
    "1e" * 7_000,
    "." + "9" * 65,
    "2026-01-31T12:00:00." + "0" * 14_000,
)
MARKERS = ("\\N", "NULL", "NaN", "NA", "None", "#N/A", "n/a", "<NA>", "(null)", " null ")
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
ANY_JSON = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(TEXT, below, max_size=4)),
    max_leaves=12,
)
DEEP = st.integers(20, 300).map(lambda depth: json.loads("[" * depth + "]" * depth))
WORDS = st.text("abcdefgh/é😀\x7f ", max_size=8)
IDS = st.text("abcdefgh/é😀\x7f", min_size=1, max_size=6)
SCORES = st.one_of(st.none(), st.floats(0, 1), st.integers(0, 20).map(lambda number: number / 20))
CHANNELS = st.sampled_from(["GCM", "APNS", "SMS", "EMAIL", "VOICE", "PUSH", "CUSTOM"])


def make_definition(
    score: float | None, channel: str, attributes: dict[str, list[str]], user: str, unknown: Any
) -> dict[str, Any]:
    """A sound endpoint definition that the tiny bundle gives `score`."""
    return {
        "ChannelType": channel,
        "Address": "someone@example.com",
        "Attributes": attributes,
        "Metrics": {} if score is None else {"score": score},
        "User": {"UserId": user} if user else {},
        **({} if unknown is None else {"Unknown": unknown}),
    }


SOUND = st.builds(
    make_definition,
    SCORES,
    CHANNELS,
    st.dictionaries(WORDS, st.lists(WORDS, max_size=3), max_size=3),
    WORDS,
    st.one_of(st.none(), st.lists(st.integers(0, 9), max_size=3)),
)
FIELDS = st.sampled_from([
    "Id", "ChannelType", "Address", "OptOut", "Attributes", "Metrics", "Demographic", "Location",
    "User", "CreationDate", "Unknown",
])  # fmt: skip
GROUPS = st.sampled_from(["Attributes", "Metrics", "Demographic", "Location", "User"])
SPOILT = st.one_of(
    ANY_JSON,
    DEEP,
    st.dictionaries(FIELDS, ANY_JSON, max_size=4),
    st.builds(
        lambda sound, name, value: {**sound, name: value}, SOUND, FIELDS, st.one_of(ANY_JSON, DEEP)
    ),
    st.builds(
        lambda sound, group, name, value: {**sound, group: {name: value}},
        SOUND,
        GROUPS,
        st.one_of(TEXT, st.just("score")),
        st.one_of(ANY_JSON, st.sampled_from([*MARKERS, *LONG_TEXTS])),
    ),
)
ENDPOINTS = st.one_of(SOUND, SOUND, SOUND, SPOILT)
SOUND_EVENTS = st.dictionaries(IDS, SOUND, max_size=8).map(make_event)
PINPOINT_EVENTS = st.builds(
    lambda endpoints, changes: make_event(endpoints, **changes),
    st.dictionaries(st.one_of(IDS, IDS, TEXT), ENDPOINTS, max_size=8),
    st.dictionaries(
        st.sampled_from(
            ["ScheduledTime", "CampaignId", "TreatmentId", "ApplicationId", "MessageConfiguration"]
        ),
        ANY_JSON,
        max_size=2,
    ),
)

# Names of both migrations to customer profiles
FLAT_NAMES = (
    *("Metrics_score", "Demographic_Make", "X_1", "X_2", "X_3", "Latitude"),
    *("Metric_score", "User_X_0", "X_0", "Platform"),
)
PROFILES = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "attributes": st.one_of(
                st.dictionaries(
                    st.one_of(TEXT, st.sampled_from(FLAT_NAMES)),
                    SCALARS,
                    max_size=4,
                ),
                ANY_JSON,
            ),
            "accountNumber": st.one_of(WORDS, ANY_JSON),
            "address": ANY_JSON,
            "emailAddress": st.one_of(WORDS, ANY_JSON),
            "phoneNumber": st.one_of(WORDS, ANY_JSON),
            "birthDate": st.one_of(WORDS, ANY_JSON),
            "calculatedAttributes": ANY_JSON,
        },
    ),
    st.builds(
        lambda name, score: {"attributes": {name: str(score)}},
        st.sampled_from(["Metrics_score", "Metric_score"]),
        st.floats(0, 1),
    ),
    ANY_JSON,
)
CUSTOMER_DATA = st.one_of(
    PROFILES.map(json.dumps),
    PROFILES.map(json.dumps),
    TEXT,
    ANY_JSON,
    st.just('{"attributes":{"Metrics_score":1e400}}'),
)
ITEMS = st.one_of(
    st.builds(lambda id_, data: {"ProfileId": id_, "CustomerData": data}, IDS, CUSTOMER_DATA),
    st.builds(
        lambda id_, data: {"ProfileId": id_, "CustomerData": data},
        st.one_of(TEXT, ANY_JSON),
        CUSTOMER_DATA,
    ),
    ANY_JSON,
)


def make_connect_event(items: list[Any], campaign: Any = None) -> dict[str, Any]:
    """An Amazon Connect custom action's event, invented."""
    context = {
        "CampaignId": "campaign",
        "RunId": "campaign#2026-07-03T10-04-00Z",
        "ActionId": "action",
        "CampaignName": "name",
    }
    return {
        "InvocationMetadata": {"CampaignContext": context if campaign is None else campaign},
        "Items": {"CustomerProfiles": items},
    }


CONNECT_EVENTS = st.builds(
    make_connect_event, st.lists(ITEMS, max_size=8), st.one_of(st.none(), st.none(), ANY_JSON)
)
CAMPAIGNS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "campaign_id": st.one_of(st.just("campaign"), WORDS),
            "application_id": WORDS,
            "treatment_id": WORDS,
            "scheduled_time": st.sampled_from(["2026-01-31T19:00:16.843Z", "2026-01-31"]),
        },
    ),
)


def make_web_event(content: Any, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """A Function URL's event, called by somebody whom IAM has authenticated; invented.

    content  the body: text as it is, anything else as JSON
    """
    return {
        "version": "2.0",
        "rawPath": "/",
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": {
            "authorizer": {"iam": {"userId": "caller"}},
            "http": {"method": "POST", "path": "/"},
        },
        "body": content if isinstance(content, str) else json.dumps(content),
        "isBase64Encoded": False,
    }


DOCUMENTS = st.one_of(
    st.builds(lambda id_, document: {"Id": id_, **document}, IDS, SOUND),
    st.builds(lambda id_, document: {"Id": id_, **document}, IDS, SOUND),
    SOUND,
    SPOILT,
)
WEB_EVENTS = st.builds(
    make_web_event,
    st.one_of(
        st.builds(
            lambda people, campaign: {"people": people, "campaign": campaign},
            st.lists(DOCUMENTS, max_size=8),
            CAMPAIGNS,
        ),
        st.builds(
            lambda people, campaign: {"people": people, "campaign": campaign},
            st.lists(DOCUMENTS, max_size=8),
            st.one_of(CAMPAIGNS, ANY_JSON),
        ),
        DOCUMENTS,
    ).map(json.dumps),
    st.one_of(st.none(), st.none(), st.just({"scorer-budget-ms": "800"})),
)
EVENTS_OF: dict[HostName, st.SearchStrategy[dict[str, Any]]] = {
    "pinpoint": PINPOINT_EVENTS,
    "connect": CONNECT_EVENTS,
    "web": WEB_EVENTS,
}
HOOK_EVENTS = st.one_of(*EVENTS_OF.values())

BANDS = st.sampled_from([
    [],
    [
        {
            "name": "high", "at_least": 0.8,
            "title_override": "Hello é", "body_override": "Come back",
        },
        {"name": "low", "at_least": 0.0},
    ],
    [{"name": "middle", "at_least": 0.4, "body_override": "😀\x7f"}],
])  # fmt: skip
KIND = "(kind of scores)"  # not a key of a policy: tests.rooms takes it out
RESPONSE_POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["filter", "annotate", "shadow"]),
        "threshold": st.one_of(
            st.just("model"),
            st.floats(0, 1),
            st.builds(lambda reach: {"reach": reach}, st.floats(0, 1)),
        ),
        "keep": st.sampled_from(["at_least", "below"]),
        "decimals": st.integers(0, 15),
        "on_error": st.sampled_from(["keep", "drop"]),
        "unreadable": st.sampled_from(["keep", "drop"]),
        "on_other_kind": st.sampled_from(["on_error", "score"]),
        "on_missing_time": st.sampled_from(["score", "no_scores"]),
        "min_present": st.sampled_from([0.0, 0.5, 1.0]),
        "sparse": st.sampled_from(["keep", "drop"]),
        "score_attribute": st.sampled_from(["Score", ""]),
        "band_attribute": st.sampled_from(["Band", ""]),
        "holdout": st.builds(
            lambda percent, attribute: {"percent": percent, "salt": "s", "attribute": attribute},
            st.sampled_from([0, 10, 50, 100]),
            st.sampled_from(["", "Control"]),
        ),
        "band": BANDS,
    },
)


def move_score(number: float) -> float:
    """A number from 0 to 1 -> the same place in the range of uplift scores, -1 to 1."""
    return 2 * number - 1


def make_uplift_policy(policy: dict[str, Any]) -> dict[str, Any]:
    """The same policy for uplift scores: half of its thresholds and bands are negative."""
    moved = {**policy, KIND: "uplift"}
    if isinstance(policy.get("threshold"), float):
        moved["threshold"] = move_score(policy["threshold"])
    moved["band"] = [
        {**band, "at_least": move_score(band["at_least"])} for band in policy.get("band", [])
    ]
    return moved


POLICIES = st.one_of(RESPONSE_POLICIES, RESPONSE_POLICIES.map(make_uplift_policy))


# A policy's overrides, of which the events of `make_event` and of Connect match one.
MANY_OVERRIDES = [
    {"campaign_id": f"campaign-{index}" if index else "campaign", "threshold": index % 10 / 10}
    for index in range(5_000)
]
NASTY = (
    None,
    True,
    False,
    0,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "\x00",
    "\x7f",
    "1e400",
    *MARKERS,
    *LONG_TEXTS,
    [],
    {},
    [[]],
    {"": {}},
)
MANY_NAMES = {f"a{index}": ["x"] for index in range(1_001)}


def spoil(value: Any, random: Random, parts: Sequence[Any]) -> Any:
    """Copy a JSON value; leave out, double or replace one part of it.

    The replacement is a nasty value or one of `parts`.
    """
    if isinstance(value, dict | list) and value and random.random() < 0.85:
        key = (
            random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
        )
        fresh = copy(value)
        if random.random() < 0.1:
            del fresh[key]
        elif isinstance(fresh, dict) and random.random() < 0.1:
            fresh[random.choice(("\ud800", "Score", "score", "x" * 60))] = fresh[key]
        else:
            fresh[key] = spoil(fresh[key], random, parts)
        return fresh
    if random.random() < 0.01:
        return MANY_NAMES
    return random.choice(parts) if parts and random.random() < 0.3 else random.choice(NASTY)
