"""Law: a value decides the same on the endpoint and in a store, which changes nothing else."""

from __future__ import annotations

import copy
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.bootstrap import Handler, build_handler
from tests.fake_external import FakeStore, make_external_bundle, make_store
from tests.fakes import make_bundle, make_event

TEXT = st.text("a1.é\0🎉", max_size=3)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
SCORES = st.none() | st.integers(-2, 2) | st.floats(-0.5, 1.5)
USERS = st.sampled_from(["u", "v", "w", "ü/\u0000", "🎉"])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("bundles")
    return str(make_bundle(folder / "inline")), str(make_external_bundle(folder / "external"))


@pytest.fixture(scope="module")
def answer_inline(bundles: tuple[str, str]) -> Handler:
    return build_handler({"SCORER_BUNDLE": bundles[0]}, stream=io.StringIO())


def ask(handle: Handler, endpoints: dict[str, Any]) -> dict[str, Any]:
    event = make_event(endpoints)
    before = copy.deepcopy(event)
    reply = handle(event, None)
    assert event == before
    json.dumps(reply, allow_nan=False)
    return {id_: definition.get("Attributes") for id_, definition in reply.items()}


@given(scores=st.dictionaries(USERS, SCORES), people=st.lists(USERS, max_size=8))
def test_a_number_in_the_store_decides_as_the_same_number_on_the_endpoint(
    bundles: tuple[str, str],
    answer_inline: Handler,
    scores: dict[str, float | None],
    people: list[str],
) -> None:
    inline = {
        f"e{index}": {"User": {"UserId": user}, "Metrics": {"score": scores.get(user)}}
        for index, user in enumerate(people)
    }
    bare = {id_: {"User": endpoint["User"]} for id_, endpoint in inline.items()}
    expected = ask(answer_inline, inline)
    with tempfile.TemporaryDirectory() as folder:
        file = make_store(
            Path(folder, "p.sqlite"), {user: {"score": score} for user, score in scores.items()}
        )
        environ = {"SCORER_BUNDLE": bundles[1], "SCORER_EXTERNAL": f"sqlite:{file}"}
        assert ask(build_handler(environ, stream=io.StringIO()), bare) == expected


@given(
    external=st.dictionaries(
        USERS, st.none() | st.dictionaries(st.sampled_from(["score", "a", "b"]), JSON)
    ),
    people=st.lists(
        st.dictionaries(
            st.sampled_from(["User", "Attributes", "External", "x"]),
            JSON | st.builds(dict, UserId=USERS),
        ),
        max_size=6,
    ),
)
def test_everybody_is_answered_and_no_external_attribute_goes_back_uncopied(
    tmp_path_factory: pytest.TempPathFactory,
    bundles: tuple[str, str],
    external: dict[str, Any],
    people: list[Any],
) -> None:
    policy = tmp_path_factory.getbasetemp() / "external.toml"
    policy.write_text("mode = 'annotate'\n[external]\nA = 'External.a'\nB = 'External.b'\n")
    environ = {"SCORER_BUNDLE": bundles[1], "SCORER_POLICY": str(policy)}
    handle = build_handler(environ, external=FakeStore(external), stream=io.StringIO())
    event = {f"e{index}": person for index, person in enumerate(people)}
    reply = handle(make_event(copy.deepcopy(event)), None)
    assert list(reply) == list(event)
    for id_, definition in reply.items():
        added = {name: value for name, value in definition.items() if value != event[id_].get(name)}
        assert set(added) <= {"Attributes"}
        written = {
            name: texts for name, texts in added.get("Attributes", {}).items() if name in {"A", "B"}
        }
        assert all(isinstance(text, str) for texts in written.values() for text in texts)
    json.dumps(reply, allow_nan=False)
