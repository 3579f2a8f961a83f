"""Law: a field that neither model nor policy reads never makes a person unreadable."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.records import Reason
from model.errors import DataError
from model.features import FeatureSpec
from model.kinds import Feature
from model.training.datasets import OutcomeTable
from model.training.gather import gather_people
from model.training.infer import infer_spec
from tests.fakes import Watcher, make_endpoint, make_event
from tests.rooms import make_handler
from tests.strategies import ANY_JSON, DEEP, KIND, SCORES, make_connect_event, move_score
from tests.training_people import ignore_progress, make_people, to_lines

# The tiny model reads Metrics.score; the policy writes into Attributes.
TOP_LEVEL = ("Address", "ChannelType", "OptOut", "User", "Location", "Demographic", "Unknown")
GROUPS = ("Metrics", "Attributes", "User", "Location", "Demographic")
VALUES = st.one_of(ANY_JSON, DEEP)
KINDS = st.sampled_from(["response", "uplift"])
UNREAD = st.fixed_dictionaries(
    {
        "fields": st.dictionaries(st.sampled_from(TOP_LEVEL), VALUES, max_size=3),
        "within": st.dictionaries(
            st.tuples(st.sampled_from(GROUPS), st.sampled_from(["a", "UserId", "Latitude"])),
            VALUES,
            max_size=3,
        ),
    }
)


def spoil_unread(endpoint: dict[str, Any], unread: dict[str, Any]) -> dict[str, Any]:
    """The endpoint with any JSON where nothing reads it."""
    spoilt = {**endpoint, **unread["fields"]}
    for (group, name), value in unread["within"].items():
        if isinstance(spoilt.setdefault(group, {}), dict):
            spoilt[group] = {**spoilt[group], name: value}
    return spoilt


def decide_one(event: dict[str, Any], kind: str) -> tuple[Reason, float | None]:
    """The decision on one person. Scores of kind uplift are from -1 to 1."""
    watcher = Watcher()
    make_handler({"unreadable": "drop", KIND: kind}, observer=watcher)(event)
    (decision,) = watcher.decisions
    return decision.reason, decision.score


@given(score=SCORES, unread=UNREAD, kind=KINDS)
def test_an_endpoint_gets_the_same_reason_and_score_whatever_stands_where_nothing_reads(
    score: float | None, unread: dict[str, Any], kind: str
) -> None:
    endpoint = make_endpoint(score)
    found = decide_one(make_event({"a": endpoint}), kind)
    assert decide_one(make_event({"a": spoil_unread(endpoint, unread)}), kind) == found
    if score is not None and kind == "uplift":
        assert found[1] == pytest.approx(move_score(score), abs=6e-5)


@given(
    score=st.floats(0, 1),
    fields=st.dictionaries(
        st.sampled_from(["accountNumber", "address", "emailAddress", "firstName"]), VALUES
    ),
    flat=st.dictionaries(st.sampled_from(["Metrics_a", "Latitude", "X_1", "X_2"]), VALUES),
    kind=KINDS,
)
def test_a_profile_gets_the_same_reason_and_score_whatever_stands_where_nothing_reads(
    score: float, fields: dict[str, Any], flat: dict[str, Any], kind: str
) -> None:
    def ask(profile: dict[str, Any]) -> tuple[Reason, float | None]:
        item = {"ProfileId": "p", "CustomerData": json.dumps(profile)}
        return decide_one(make_connect_event([item]), kind)

    attributes = {"Metrics_score": score}
    assert ask({**fields, "attributes": {**flat, **attributes}}) == ask({"attributes": attributes})


# Files of people hold JSON that msgspec reads: see model.people.records for the rest.
READABLE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3), st.floats(0, 1)),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.text(max_size=3), below, max_size=3)
    ),
)
VISITS = FeatureSpec((Feature(name="visits", path="Metrics.Visits", kind="number"),))


@given(
    fields=st.dictionaries(st.sampled_from(TOP_LEVEL), READABLE, max_size=3),
    metric=READABLE,
)
def test_training_loses_nobody_to_a_field_that_the_spec_does_not_read(
    fields: dict[str, Any], metric: Any
) -> None:
    documents, outcomes = make_people(60)
    names = dict(zip((document["Id"] for document in documents), outcomes, strict=True))
    table = OutcomeTable(key="Id", outcomes=names)
    spoilt = [
        {**document, **fields, "Metrics": {**document["Metrics"], "Unread": metric}}
        for document in documents
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "people.jsonl"
        path.write_text(to_lines(spoilt), "utf-8")
        people = gather_people([path], table, VISITS, None, ignore_progress)
    assert people.join.refused == 0
    visits = [document["Metrics"]["Visits"] for document in documents]
    assert people.matrix[:, 0].tolist() == visits


@given(fields=st.dictionaries(st.sampled_from([*TOP_LEVEL, "Metrics", "Attributes"]), READABLE))
def test_a_spec_is_inferred_or_refused_whatever_the_people_hold(fields: dict[str, Any]) -> None:
    documents, _ = make_people(60)
    spoilt = [{**document, **fields} for document in documents[:30]]
    with suppress(DataError):
        infer_spec([*spoilt, *documents[30:]], dated=True)
