"""function/external/lookup.py in the pipeline: who gets which external attributes."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import ExternalRejected, ExternalTimeout, ExternalUnavailable, SettingsError
from tests.fake_external import FakeStore, make_external_bundle
from tests.fakes import (
    FakeClock,
    FakeContext,
    FakeScorer,
    make_bundle,
    make_endpoint,
    make_event,
    read_log,
    write_policy,
)


class Bench:
    """A function over a fake store, with what it logged."""

    def __init__(
        self,
        tmp_path: Path,
        store: FakeStore,
        policy: str = "",
        bundle: Path | None = None,
        **environ: str,
    ) -> None:
        self.log = io.StringIO()
        self.scorer = FakeScorer()
        settings = {
            "SCORER_BUNDLE": str(bundle or make_external_bundle(tmp_path / "bundle")),
            "SCORER_POLICY": str(write_policy(tmp_path / "policy.toml", policy)),
            **environ,
        }
        self._clock = FakeClock()
        self._handle = build_handler(
            settings, scorer=self.scorer, external=store, stream=self.log, clock=self._clock
        )

    def ask(self, endpoints: dict[str, Any]) -> dict[str, Any]:
        return self._handle(make_event(endpoints), FakeContext(15.0, self._clock))

    @property
    def line(self) -> dict[str, Any]:
        (line,) = [line for line in read_log(self.log.getvalue()) if line.get("message") == "batch"]
        return line


def person(user: str | None, **changes: Any) -> dict[str, Any]:
    return make_endpoint(User={} if user is None else {"UserId": user}, **changes)


def test_a_batch_costs_one_look_up_of_each_key_once(tmp_path: Path) -> None:
    store = FakeStore({"u": {"score": 0.75}, "v": {"score": 0.25}})
    bench = Bench(tmp_path, store)
    assert list(bench.ask({"a": person("u"), "b": person("v"), "c": person("u")})) == ["a", "c"]
    assert store.asked == [["u", "v"]]
    assert bench.line["external_found"] == 3


def test_nobody_with_a_key_means_no_look_up(tmp_path: Path) -> None:
    store = FakeStore()
    bench = Bench(tmp_path, store)
    bench.ask({"a": person(None), "b": person("")})
    assert store.asked == []
    assert bench.line["external_missing"] == 2


def test_a_person_without_a_profile_is_scored_with_missing_values_and_counted(
    tmp_path: Path,
) -> None:
    bench = Bench(
        tmp_path, FakeStore({"u": {"score": 0.75}}), "score_attribute = 'S'\nmode = 'annotate'\n"
    )
    reply = bench.ask({"a": person("u"), "b": person("nobody")})
    assert [reply[id_]["Attributes"]["S"] for id_ in reply] == [["0.7500"], ["0.0000"]]
    assert (
        bench.line["external_found"],
        bench.line["external_missing"],
        bench.line["external_failed"],
    ) == (1, 1, 0)


def test_a_profile_that_cannot_be_read_costs_only_its_own_person(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeStore({"u": {"score": 0.75}, "v": None}), "mode = 'annotate'\n")
    reply = bench.ask({"a": person("u"), "b": person("v")})
    assert reply["a"]["Attributes"]["Score"] == ["0.7500"]
    assert (bench.line["external_unreadable"], bench.line["external_missing"]) == (1, 0)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("user_id", "u"),
        ("endpoint_id", "a"),
        ("Attributes.CustomerNumber", "7"),
        ("Attributes.with.dots", "dotted"),
        ("User.UserAttributes.Account", "acc"),
        ("Metrics.Number", "12"),
    ],
)
def test_the_key_is_found_where_the_settings_say(tmp_path: Path, key: str, wanted: str) -> None:
    store = FakeStore()
    document = {
        "Attributes": {"CustomerNumber": ["7", "8"], "with.dots": "dotted"},
        "Metrics": {"Number": 12},
        "User": {"UserId": "u", "UserAttributes": {"Account": ["acc"]}},
    }
    Bench(tmp_path, store, SCORER_EXTERNAL_KEY=key).ask({"a": document})
    assert store.asked == [[wanted]]


def test_the_profile_never_goes_back_to_the_host_and_the_event_is_not_changed(
    tmp_path: Path,
) -> None:
    event = {"a": person("u"), "b": {"Metrics": "not a map", "User": {"UserId": "u"}}}
    before = copy.deepcopy(event)
    reply = Bench(
        tmp_path, FakeStore({"u": {"score": 0.75, "secret": "x"}}), "score_attribute = ''\n"
    ).ask(event)
    assert event == before
    assert reply == before


def test_what_an_endpoint_says_of_itself_as_external_is_not_believed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeStore(), "mode = 'annotate'\n")
    assert bench.ask({"a": person("u", External={"score": 1.0})})["a"]["Attributes"]["Score"] == [
        "0.0000"
    ]


@pytest.mark.parametrize(
    "error", [ExternalUnavailable("x"), ExternalTimeout("x"), ExternalRejected("x")]
)
def test_a_failed_look_up_is_by_default_a_batch_without_scores(tmp_path: Path, error: Any) -> None:
    bench = Bench(tmp_path, FakeStore(error=error))
    event = {"a": person("u"), "b": person("v")}
    assert bench.ask(event) == event
    assert bench.scorer.matrices == []
    assert (bench.line["unscored"], bench.line["external_failed"]) == (2, 1)
    assert bench.line["error"] == bench.line["external_error"] == type(error).__name__


def test_on_error_says_what_becomes_of_a_batch_whose_look_up_failed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeStore(error=ExternalTimeout("x")), 'on_error = "drop"\n')
    assert bench.ask({"a": person("u")}) == {}


def test_on_error_raise_raises_what_the_store_raised(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, FakeStore(error=ExternalTimeout("what was expected")), 'on_error = "raise"\n'
    )
    with pytest.raises(ExternalTimeout, match="what was expected"):
        bench.ask({"a": person("u")})


def test_shadow_raises_nothing_for_a_failed_look_up(tmp_path: Path) -> None:
    event = {"a": person("u")}
    assert (
        Bench(
            tmp_path,
            FakeStore(error=ExternalTimeout("x")),
            'on_error = "raise"\nmode = "shadow"\n',
        ).ask(event)
        == event
    )


def test_on_missing_external_score_scores_with_missing_values(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        FakeStore(error=ExternalTimeout("x")),
        'on_missing_external = "score"\non_error = "raise"\n',
    )
    assert bench.ask({"a": person("u")}) == {}
    assert (
        bench.line["unscored"],
        bench.line["external_failed"],
        bench.line["external_missing"],
    ) == (0, 1, 0)
    assert (bench.line.get("error"), bench.line["external_error"]) == (None, "ExternalTimeout")


def test_a_failed_look_up_keeps_nobody_from_being_scored_by_a_model_that_reads_no_profile(
    tmp_path: Path,
) -> None:
    bench = Bench(
        tmp_path,
        FakeStore(error=ExternalTimeout("x")),
        '[external]\nTier = "External.tier"\n',
        bundle=make_bundle(tmp_path / "inline"),
    )
    assert list(
        bench.ask({"a": make_endpoint(0.75, User={"UserId": "u"}), "b": make_endpoint(0.25)})
    ) == ["a"]


def test_the_look_up_waits_no_longer_than_its_own_limit_or_the_budget(tmp_path: Path) -> None:
    store = FakeStore()
    Bench(tmp_path, store, SCORER_EXTERNAL_TIMEOUT_MS="300").ask({"a": person("u")})
    assert store.timeouts == [0.3]
    late, clock = FakeStore(), FakeClock()
    bundle = make_external_bundle(tmp_path / "b")
    handle = build_handler(
        {"SCORER_BUNDLE": str(bundle)}, external=late, stream=io.StringIO(), clock=clock
    )
    handle(make_event({"a": person("u")}), FakeContext(1.0, clock))
    assert late.timeouts == [0.5]


def test_external_copies_fields_of_the_profile_into_attributes_as_lists_of_texts(
    tmp_path: Path,
) -> None:
    stored = {
        "score": 0.75,
        "tier": "gold",
        "points": 1200,
        "rate": 0.5,
        "vip": True,
        "likes": ["jazz", 3],
        "none": None,
        "empty": "",
    }
    policy = "score_attribute = ''\n[external]\n" + "".join(
        f"{name.title()} = 'External.{name}'\n" for name in (*stored, "absent")
    )
    bench = Bench(tmp_path, FakeStore({"u": stored}), policy)
    reply = bench.ask({"a": person("u", Attributes={"Tier": ["silver"], "None": ["as received"]})})
    assert reply["a"]["Attributes"] == {
        "None": ["as received"],
        "Score": ["0.75"],
        "Tier": ["gold"],
        "Points": ["1200"],
        "Rate": ["0.5"],
        "Vip": ["true"],
        "Likes": ["jazz", "3"],
    }
    assert bench.line["external_dropped"] == 0


def test_a_policy_alone_may_read_profiles(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "inline")
    bench = Bench(
        tmp_path,
        FakeStore({"u": {"tier": "gold"}}),
        '[external]\nTier = "External.tier"\n',
        bundle=bundle,
    )
    assert bench.ask({"a": make_endpoint(0.75, User={"UserId": "u"})})["a"]["Attributes"] == {
        "Tier": ["gold"],
        "Score": ["0.7500"],
    }


def test_values_that_can_be_no_text_are_left_out_and_counted(tmp_path: Path) -> None:
    stored = {
        "score": 0.75,
        "bad": ["\ud800", float("nan"), float("inf"), {"a": 1}, [1], "fine"],
        "map": {"a": 1},
    }
    bench = Bench(
        tmp_path,
        FakeStore({"u": stored}),
        "score_attribute = ''\n[external]\nBad = 'External.bad'\nMap = 'External.map'\n",
    )
    assert bench.ask({"a": person("u")})["a"]["Attributes"] == {"Bad": ["fine"]}
    assert bench.line["external_dropped"] == 6


def test_external_is_written_on_whoever_stays_without_a_score_but_not_in_shadow(
    tmp_path: Path,
) -> None:
    store = FakeStore({"u": {"tier": "gold"}})
    policy = 'min_present = 0.5\n[external]\nTier = "External.tier"\n'
    assert Bench(tmp_path, store, policy).ask({"a": person("u")})["a"]["Attributes"] == {
        "Tier": ["gold"]
    }
    assert (
        Bench(tmp_path, store, f'mode = "shadow"\n{policy}').ask({"a": person("u")})["a"][
            "Attributes"
        ]
        == {}
    )


def test_an_unreadable_endpoint_gets_nothing_copied_whatever_it_calls_external(
    tmp_path: Path,
) -> None:
    bench = Bench(
        tmp_path, FakeStore({"u": {"tier": "gold"}}), '[external]\nTier = "External.tier"\n'
    )
    event = {
        key: person("u", Attributes=[], External=value)
        for key, value in {"a": 1, "b": {"tier": "forged"}}.items()
    }
    assert bench.ask(event) == event


@pytest.mark.parametrize(("user_id", "unreadable"), [([], 1), (5.5, 1), (101, 0), (None, 0)])
def test_the_type_of_the_key_matters_where_a_store_is_looked_up(
    tmp_path: Path, user_id: Any, unreadable: int
) -> None:
    bench = Bench(tmp_path, FakeStore({"101": {"score": 0.75}}))
    bench.ask({"a": {**person(None), "User": {"UserId": user_id}}})
    assert bench.line["unreadable"] == unreadable
    assert bench.line["external_found"] == (user_id == 101)


def test_an_override_replaces_external_whole(tmp_path: Path) -> None:
    policy = (
        '[external]\nA = "External.a"\n[[override]]\ncampaign_id = "campaign"\n'
        '[override.external]\nB = "External.b"\n'
    )
    bench = Bench(tmp_path, FakeStore({"u": {"a": "1", "b": "2", "score": 1}}), policy)
    assert bench.ask({"a": person("u")})["a"]["Attributes"] == {"B": ["2"], "Score": ["1.0000"]}


def test_a_reply_that_external_attributes_make_too_large_loses_its_annotations_and_nobody(
    tmp_path: Path,
) -> None:
    stored = {"score": 0.75, "text": "\U0001f389" * 32_000}
    bench = Bench(tmp_path, FakeStore({"u": stored}), "[external]\nText = 'External.text'\n")
    event = {f"id{index}": person("u") for index in range(50)}
    assert bench.ask(event) == event
    assert bench.line["annotations_dropped"] == 1


def connect_event() -> dict[str, Any]:
    return {
        "Items": {
            "CustomerProfiles": [
                {
                    "ProfileId": "p",
                    "CustomerData": '{"accountNumber": "u"}',
                    "IdempotencyToken": "t",
                }
            ]
        }
    }


def test_connect_gets_the_copied_fields_in_its_result_as_single_texts(tmp_path: Path) -> None:
    store = FakeStore({"u": {"score": 0.75, "tier": "gold", "likes": ["jazz", "blues"]}})
    policy = write_policy(
        tmp_path / "p.toml", "[external]\nTier = 'External.tier'\nLikes = 'External.likes'\n"
    )
    environ = {
        "SCORER_BUNDLE": str(make_external_bundle(tmp_path / "b")),
        "SCORER_POLICY": str(policy),
    }
    reply = build_handler(environ, external=store, stream=io.StringIO())(connect_event(), None)
    result = reply["Items"]["CustomerProfiles"][0]["ResultData"]
    assert (result["score"], result["external"]) == (
        0.75,
        {"Tier": "gold", "Likes_1": "jazz", "Likes_2": "blues"},
    )


def test_connect_is_answered_without_the_copied_fields_when_they_are_too_large(
    tmp_path: Path,
) -> None:
    store = FakeStore({"u": {"score": 0.75, "tier": "x" * 40_000}})
    policy = write_policy(tmp_path / "p.toml", "[external]\nTier = 'External.tier'\n")
    environ = {
        "SCORER_BUNDLE": str(make_external_bundle(tmp_path / "b")),
        "SCORER_POLICY": str(policy),
    }
    log = io.StringIO()
    reply = build_handler(environ, external=store, stream=log)(connect_event(), None)
    assert "external" not in reply["Items"]["CustomerProfiles"][0]["ResultData"]
    assert [
        line["annotations_dropped"]
        for line in read_log(log.getvalue())
        if line.get("message") == "batch"
    ] == [1]


def test_a_model_that_reads_profiles_is_refused_without_a_store(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"SCORER_EXTERNAL: expected a store, sqlite:PATH or dynamodb:TABLE"
    ):
        build_handler(
            {"SCORER_BUNDLE": str(make_external_bundle(tmp_path / "b"))}, stream=io.StringIO()
        )


def test_a_store_that_nobody_reads_is_not_opened_and_said_so(tmp_path: Path) -> None:
    log = io.StringIO()
    environ = {
        "SCORER_BUNDLE": str(make_bundle(tmp_path / "b")),
        "SCORER_EXTERNAL": f"sqlite:{tmp_path}/none.sqlite",
    }
    build_handler(environ, stream=log)
    assert "neither the model nor the policy reads External attributes" in log.getvalue()


def test_without_a_store_the_log_says_nothing_of_external_attributes(tmp_path: Path) -> None:
    log = io.StringIO()
    build_handler({"SCORER_BUNDLE": str(make_bundle(tmp_path / "b"))}, stream=log)(
        make_event({"a": make_endpoint(0.5)}), None
    )
    assert "external" not in log.getvalue()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("external = 3", "external: expected a table, found a number"),
        (
            "[external]\nTier = 'Attributes.tier'",
            "external.Tier: expected a path below External, such as External.Tier, found",
        ),
        (
            "[external]\nTier = 'External.'",
            "external.Tier: expected a path below External, such as External.Tier, found",
        ),
        (
            "[external]\nTier = 3",
            "external.Tier: expected a path below External, such as External.Tier, found",
        ),
        ("[external]\n'' = 'External.x'", "external.: expected text of one character or more"),
        (
            f"[external]\n{'x' * 51} = 'External.x'",
            "expected a name of at most 50 characters, which is Pinpoint's limit",
        ),
        (
            "[external]\nScore = 'External.x'",
            "band_attribute, holdout.attribute, external: expected different names",
        ),
        ("on_missing_external = 'keep'", "on_missing_external: expected one of on_error, score"),
    ],
)
def test_a_policy_with_a_wrong_external_key_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        Bench(tmp_path, FakeStore(), text)
    assert sentence in str(raised.value)
