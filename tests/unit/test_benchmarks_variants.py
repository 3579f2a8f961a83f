"""tools/benchmarks/variants.py: what the warm call is measured with, and whom each may keep."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from function.bootstrap import build_handler
from function.hosts import HOSTS
from function.policy import Rules
from model.kinds import KINDS
from tools.benchmarks.rows.warm_settings import ECHOES
from tools.benchmarks.variants import (
    POLICIES,
    SHIPPED,
    SPEC,
    AnswerError,
    Kept,
    Variant,
    add_attributes,
    keep_everybody,
    keep_same,
    list_variants,
    make_events,
    read_kept,
)

ROOT = Path(__file__).parents[2]
VARIANTS = list_variants("127.0.0.1:1")
# Those that need neither a store, a service nor a bundle of their own.
PLAIN = [each for each in VARIANTS if set(each.environ) <= {"SCORER_POLICY"}]


@pytest.fixture(scope="module")
def people() -> list[dict[str, Any]]:
    event = json.loads((ROOT / "examples/events/cdnow-five-customers.json").read_text("utf-8"))
    five = [{"Id": id_, **document} for id_, document in event["Endpoints"].items()]
    return [
        add_attributes({**document, "Id": f"{document['Id']}-{number}"})
        for number in range(10)
        for document in five
    ]


def answer(variant: Variant, people: list[dict[str, Any]]) -> Kept:
    (event,) = make_events(people)[variant.host]
    reply = build_handler(variant.environ, stream=io.StringIO())(event, None)
    return read_kept(variant.host, reply, [document["Id"] for document in people])


@pytest.fixture(scope="module")
def shipped(people: list[dict[str, Any]]) -> Kept:
    return answer(SHIPPED, people)


@pytest.mark.parametrize("variant", PLAIN, ids=lambda variant: variant.label)
def test_a_variant_keeps_whom_it_should_and_tells_scores(
    variant: Variant, people: list[dict[str, Any]], shipped: Kept
) -> None:
    variant.check(answer(variant, people), shipped, [document["Id"] for document in people])


def test_every_host_mode_and_kind_of_feature_and_every_policy_file_is_measured() -> None:
    assert {variant.host for variant in VARIANTS} == set(HOSTS) == set(ECHOES)
    policies = {Path(variant.environ.get("SCORER_POLICY", "")).name for variant in VARIANTS} - {""}
    assert policies == {file.name for file in POLICIES.iterdir()}
    modes = {tomllib.loads((POLICIES / name).read_text("utf-8"))["mode"] for name in policies}
    assert modes == set(get_args(get_type_hints(Rules)["mode"]))
    features = tomllib.loads(SPEC.read_text("utf-8"))["feature"]
    assert {feature["kind"] for feature in features} == set(KINDS)


@pytest.mark.parametrize(
    ("variant", "kept", "sentence"),
    [
        (Variant(label="a host", keeps=keep_same), {"a": 0.8}, "a host: it should keep other"),
        (Variant(label="all", keeps=keep_everybody), {"a": 0.9}, "all: it should keep other"),
        (Variant(label="all", keeps=keep_everybody), {"a": 0.9, "b": None}, "expected a score"),
        (Variant(label="all", keeps=keep_everybody), {"a": 0.9, "b": 1.5}, "expected a score"),
        (
            Variant(label="shadow", keeps=keep_everybody, scored=False),
            {"a": 0.9, "b": None},
            "expected a score",
        ),
    ],
)
def test_a_wrong_answer_ends_the_table(variant: Variant, kept: Kept, sentence: str) -> None:
    with pytest.raises(AnswerError, match=sentence):
        variant.check(kept, {"a": 0.9}, ["a", "b"])


def test_a_host_that_tells_decisions_must_tell_one_on_everybody() -> None:
    reply = {"Items": {"CustomerProfiles": [{"Id": "a", "ResultData": {"decision": "drop"}}]}}
    assert read_kept("connect", reply, ["a"]) == {}
    with pytest.raises(AnswerError, match="connect: expected a decision on everybody"):
        read_kept("connect", reply, ["a", "b"])
