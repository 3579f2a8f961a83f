"""function/policy_file.py: every key, its default, its errors; all problems at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from function.errors import SettingsError
from function.holdout import Holdout
from function.policy import Policy, Rules
from function.policy_file import describe_rules, load_policy, read_policy
from function.policy_values import KEYS
from function.records import Band

NUMBER = "expected a number from 0 to 1"


def read(table: dict[str, Any]) -> Policy:
    return read_policy(table, threshold=0.4, quantiles=tuple(index / 100 for index in range(101)))


def refuse(table: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as raised:
        read(table)
    return str(raised.value)


def test_an_empty_policy_has_every_default() -> None:
    assert read({}) == Policy(
        rules=Rules(
            mode="filter",
            threshold=0.4,
            keep="at_least",
            decimals=4,
            on_error="keep",
            on_missing_external="on_error",
            on_missing_time="score",
            unreadable="keep",
            min_present=0.0,
            sparse="keep",
            external={},
            score_attribute="Score",
            band_attribute="",
            metric="Score",
            holdout=Holdout(percent=0.0, salt="", attribute=""),
            bands=(),
        )
    )


def test_the_keys_come_in_the_order_the_documentation_has() -> None:
    assert list(KEYS) == [
        "mode",
        "threshold",
        "keep",
        "decimals",
        "on_error",
        "on_missing_external",
        "on_missing_time",
        "unreadable",
        "min_present",
        "sparse",
        "score_attribute",
        "band_attribute",
        "metric",
        "holdout",
        "band",
        "external",
    ]


VALUES: list[tuple[str, Any, str, Any]] = [
    ("mode", "annotate", "mode", "annotate"),
    ("mode", "shadow", "mode", "shadow"),
    ("threshold", "model", "threshold", 0.4),
    ("threshold", 0.25, "threshold", 0.25),
    ("threshold", 1, "threshold", 1.0),
    ("threshold", {"reach": 0.3}, "threshold", pytest.approx(0.7)),
    ("keep", "below", "keep", "below"),
    ("decimals", 0, "decimals", 0),
    ("decimals", 15, "decimals", 15),
    ("on_error", "drop", "on_error", "drop"),
    ("on_error", "raise", "on_error", "raise"),
    ("on_missing_external", "score", "on_missing_external", "score"),
    ("on_missing_time", "no_scores", "on_missing_time", "no_scores"),
    ("unreadable", "drop", "unreadable", "drop"),
    ("min_present", 0.5, "min_present", 0.5),
    ("sparse", "drop", "sparse", "drop"),
    ("score_attribute", "", "score_attribute", ""),
    ("score_attribute", "x" * 50, "score_attribute", "x" * 50),
    ("band_attribute", "Band", "band_attribute", "Band"),
    ("metric", "CreditScore", "metric", "CreditScore"),
    (
        "holdout",
        {"percent": 12.5, "salt": "s", "attribute": "C"},
        "holdout",
        Holdout(percent=12.5, salt="s", attribute="C"),
    ),
    ("holdout", {}, "holdout", Holdout()),
    (
        "band",
        [
            {"name": "low", "at_least": 0},
            {"name": "high", "at_least": 0.5, "title_override": "t", "body_override": "b"},
        ],
        "bands",
        (
            Band(name="high", at_least=0.5, title_override="t", body_override="b"),
            Band(name="low", at_least=0.0),
        ),
    ),
    (
        "external",
        {"Tier": "External.tier", "Odd": "External.a.b"},
        "external",
        {"Tier": "tier", "Odd": "a.b"},
    ),
]


@pytest.mark.parametrize(("key", "raw", "field", "value"), VALUES)
def test_every_key_is_read(key: str, raw: Any, field: str, value: Any) -> None:
    assert getattr(read({key: raw}).rules, field) == value


def test_every_key_of_the_schema_has_a_case_here() -> None:
    assert {key for key, *_ in VALUES} == set(KEYS)


THRESHOLD = 'threshold: expected "model", a number from 0 to 1, or { reach = share }'
SHORT_NAME = "expected a name of at most 50 characters, which is Pinpoint's limit"
SOME_TEXT = "expected text of one character or more"
NAMES = "score_attribute, band_attribute, holdout.attribute"
TIE = "both match the same events with equal specificity"
UNKNOWN = f"unknown key; expected one of {', '.join(KEYS)}"
HOLDOUT_KEYS = "unknown key; expected one of attribute, percent, salt"
ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"mode": "filtre"}, "mode: expected one of filter, annotate, shadow"),
    ({"mode": ["filter"]}, "mode: expected one of filter, annotate, shadow"),
    ({"threshold": "high"}, THRESHOLD),
    ({"threshold": {"share": 0.3}}, THRESHOLD),
    ({"threshold": {"reach": 30}}, f"threshold.reach: {NUMBER}"),
    ({"threshold": 1.5}, f"threshold: {NUMBER}"),
    ({"threshold": float("nan")}, f"threshold: {NUMBER}"),
    ({"threshold": float("inf")}, f"threshold: {NUMBER}"),
    ({"threshold": True}, f"threshold: {NUMBER}"),
    ({"threshold": [0.5]}, f"threshold: {NUMBER}"),
    ({"keep": "above"}, "keep: expected one of at_least, below"),
    ({"decimals": 16}, "decimals: expected a whole number from 0 to 15"),
    ({"decimals": 2.0}, "decimals: expected a whole number from 0 to 15"),
    ({"decimals": True}, "decimals: expected a whole number from 0 to 15"),
    ({"on_error": "ignore"}, "on_error: expected one of keep, drop, raise"),
    ({"on_missing_external": "keep"}, "on_missing_external: expected one of on_error, score"),
    ({"on_missing_time": "now"}, "on_missing_time: expected one of score, no_scores"),
    ({"external": []}, "external: expected a table"),
    (
        {"external": {"Tier": "tier"}},
        "external.Tier: expected a path below External, such as External.Tier",
    ),
    ({"external": {"Score": "External.s"}}, f"{NAMES}, external: expected different names"),
    ({"unreadable": "raise"}, "unreadable: expected one of keep, drop"),
    ({"min_present": -0.1}, f"min_present: {NUMBER}"),
    ({"sparse": ""}, "sparse: expected one of keep, drop"),
    ({"score_attribute": 5}, "score_attribute: expected text"),
    ({"score_attribute": "x" * 51}, f"score_attribute: {SHORT_NAME}"),
    ({"band_attribute": "x" * 51}, f"band_attribute: {SHORT_NAME}"),
    ({"metric": "x" * 51}, f"metric: {SHORT_NAME}"),
    ({"metric": ""}, f"metric: {SOME_TEXT}"),
    ({"holdout": 5}, "holdout: expected a table"),
    ({"holdout": {"percent": 101}}, "holdout.percent: expected a number from 0 to 100"),
    ({"holdout": {"percent": "5"}}, "holdout.percent: expected a number from 0 to 100"),
    ({"holdout": {"salt": 1}}, "holdout.salt: expected text"),
    ({"holdout": {"attribute": "x" * 51}}, f"holdout.attribute: {SHORT_NAME}"),
    (
        {"holdout": {"percent": 5, "threshold": 0.5}},
        (
            f"holdout.threshold: {HOLDOUT_KEYS}; "
            "keys of the whole policy stand above the first [table]"
        ),
    ),
    ({"holdout": {"share": 5}}, f"holdout.share: {HOLDOUT_KEYS}"),
    ({"band": {"name": "x"}}, "band: expected [[band]] tables"),
    (
        {"band": ["high"]},
        f"band[0]: expected a table; band[0].name: {SOME_TEXT}; band[0].at_least: {NUMBER}",
    ),
    ({"band": [{"name": "", "at_least": 0}]}, f"band[0].name: {SOME_TEXT}"),
    ({"band": [{"name": "a"}]}, f"band[0].at_least: {NUMBER}"),
    (
        {"band": [{"name": "a", "at_least": 0, "title": ""}]},
        "band[0].title: unknown key; expected one of at_least, body_override, name, title_override",
    ),
    (
        {"band": [{"name": "a", "at_least": 0}, {"name": "a", "at_least": 1}]},
        "band: expected every name once",
    ),
    (
        {"band": [{"name": "a", "at_least": 0}, {"name": "b", "at_least": 0}]},
        "band: expected every at_least once",
    ),
    (
        {"band": [{"name": "a" * 1_001, "at_least": 0}]},
        "band[0].name: expected at most 1,000 characters",
    ),
    (
        {"band": [{"name": "a", "at_least": 0, "body_override": 1}]},
        "band[0].body_override: expected text",
    ),
    ({"treshold": 0.5}, f"treshold: {UNKNOWN}"),
    ({"campaign_id": "c"}, f"campaign_id: {UNKNOWN}"),
    ({"override": {}}, "override: expected [[override]] tables"),
    ({"override": ["x"]}, "override[0]: expected a table"),
    (
        {"override": [{"threshold": 0.5}]},
        "override[0]: expected one or more of application_id, campaign_id, treatment_id",
    ),
    ({"override": [{"treatment_id": 0}]}, f"override[0].treatment_id: {SOME_TEXT}"),
    ({"override": [{"campaign_id": "c", "threshold": 2}]}, f"override[0].threshold: {NUMBER}"),
    ({"override": [{"campaign_id": "c", "override": []}]}, f"override[0].override: {UNKNOWN}"),
    (
        {"override": [{"campaign_id": "c"}, {"campaign_id": "c"}]},
        f"override[0], override[1]: {TIE}",
    ),
    (
        {"override": [{"campaign_id": "c"}, {"treatment_id": "1"}]},
        f"override[0], override[1]: {TIE}; add one that combines their ids",
    ),
    (
        {"override": [{"campaign_id": "b", "keep": 1}, {"campaign_id": "c"}, {"campaign_id": "c"}]},
        f"override[0].keep: expected one of at_least, below; override[1], override[2]: {TIE}",
    ),
    ({"score_attribute": "A", "band_attribute": "A"}, f"{NAMES}: expected different names"),
    ({"score_attribute": "A", "holdout": {"attribute": "A"}}, f"{NAMES}: expected different names"),
]


@pytest.mark.parametrize(("table", "sentence"), ERRORS)
def test_every_key_refuses_what_it_cannot_use(table: dict[str, Any], sentence: str) -> None:
    assert re.sub(r", found [^;]+", "", refuse(table)) == sentence


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ({"mode": "filtre"}, "other text"),
        ({"mode": ["filter"]}, "a list"),
        ({"threshold": True}, "true or false"),
        ({"threshold": 1.5}, "a number out of range"),
        ({"threshold": {"share": 0.3}}, "another table"),
        ({"decimals": 2.0}, "a number with a fraction"),
        ({"decimals": 16}, "a number out of range"),
        ({"holdout": 5}, "a number"),
        ({"metric": ""}, "empty text"),
        ({"metric": "x" * 51}, "51"),
        ({"band": {"name": "x"}}, "one table"),
        ({"band": [{"name": "a"}]}, "nothing"),
        ({"band": [{"name": "a", "at_least": 0}, {"name": "a", "at_least": 1}]}, "1 repeated"),
        ({"external": {"Tier": "tier"}}, "another path"),
        ({"override": [{"threshold": 0.5}]}, "none"),
        ({"score_attribute": "A", "band_attribute": "A"}, "one twice"),
    ],
)
def test_an_error_says_what_was_found_and_never_the_value(
    table: dict[str, Any], found: str
) -> None:
    assert refuse(table).endswith(f", found {found}")


def test_an_old_key_is_refused_with_its_new_name() -> None:
    assert refuse({"on_missing_profiles": "score"}) == (
        "on_missing_profiles: unknown key; on_missing_profiles is now on_missing_external"
    )


def test_one_error_lists_every_problem() -> None:
    table = {
        "mode": "x",
        "treshold": 1,
        "decimals": -1,
        "holdout": {"percent": -1},
        "override": [{"keep": "x"}],
    }
    assert re.sub(r", found [^;]+", "", refuse(table)).split("; ") == [
        "mode: expected one of filter, annotate, shadow",
        "treshold: unknown key",
        f"expected one of {', '.join(KEYS)}",
        "decimals: expected a whole number from 0 to 15",
        "holdout.percent: expected a number from 0 to 100",
        "override[0]: expected one or more of application_id, campaign_id, treatment_id",
        "override[0].keep: expected one of at_least, below",
    ]


CONTROL = "expected a name without control characters, found one with some"
CONTROLLED: list[tuple[dict[str, Any], str]] = [
    ({"score_attribute": "Sc\tore"}, f"score_attribute: {CONTROL}"),
    ({"band_attribute": "Band\x00"}, f"band_attribute: {CONTROL}"),
    ({"metric": "Score\r\n"}, f"metric: {CONTROL}"),
    ({"holdout": {"attribute": "\x1b[31m"}}, f"holdout.attribute: {CONTROL}"),
    ({"band": [{"name": "a\x7f", "at_least": 0}]}, f"band[0].name: {CONTROL}"),
    ({"external": {"a\n": "External.x"}}, f"external.'a\\n': {CONTROL}"),
    (
        {"override": [{"campaign_id": "c", "metric": "\u2028"}]},
        f"override[0].metric: {CONTROL}",
    ),
]


@pytest.mark.parametrize(("table", "sentence"), CONTROLLED)
def test_names_of_attributes_and_bands_hold_no_control_characters(
    table: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read(table)
    assert str(raised.value) == sentence


def test_an_unknown_key_is_cut_and_shown_without_control_characters() -> None:
    with pytest.raises(SettingsError) as raised:
        read({"a\x1b[31m": 1, "k" * 5_000: 1, "holdout": {"b\n": 1}})
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1_500


def test_two_overrides_may_meet_where_a_third_with_more_ids_decides() -> None:
    policy = read(
        {
            "override": [
                {"campaign_id": "c"},
                {"treatment_id": "1"},
                {"campaign_id": "c", "treatment_id": "1"},
            ]
        }
    )
    assert [len(override.ids) for override in policy.overrides] == [2, 1, 1]


def test_two_overrides_that_no_event_can_match_are_no_tie() -> None:
    assert len(read({"override": [{"campaign_id": "a"}, {"campaign_id": "b"}]}).overrides) == 2


def test_an_override_merges_its_keys_singly_and_replaces_tables_whole() -> None:
    policy = read(
        {
            "decimals": 2,
            "threshold": {"reach": 0.3},
            "holdout": {"percent": 5, "salt": "s"},
            "band": [{"name": "a", "at_least": 0}, {"name": "b", "at_least": 0.5}],
            "override": [
                {
                    "campaign_id": "c",
                    "keep": "below",
                    "holdout": {"percent": 10},
                    "band": [{"name": "z", "at_least": 0.1}],
                }
            ],
        }
    )
    (override,) = policy.overrides
    assert (override.rules.decimals, override.rules.keep) == (2, "below")
    assert override.rules.threshold == pytest.approx(
        0.3
    )  # 30 % stay, counted from the other end now
    assert override.rules.holdout == Holdout(percent=10.0, salt="")
    assert [band.name for band in override.rules.bands] == ["z"]


WARNINGS: list[tuple[dict[str, Any], str]] = [
    (
        {"score_attribute": "a/b"},
        "score_attribute: Pinpoint advises against # : ? \\ / in attribute names",
    ),
    (
        {"band": [{"name": "a" * 101, "at_least": 0}]},
        "band[0].name: over 100 characters, Pinpoint's limit for an attribute's value",
    ),
    (
        {"band": [{"name": "a", "at_least": 0, "body_override": "x" * 1_601}]},
        "band[0].body_override: over 1,600 characters, the limit for SMS",
    ),
    (
        {"band": [{"name": "a", "at_least": 0, "title_override": "é" * 2_049}]},
        "band[0]: title_override and body_override take over 4,096 bytes, the limit for push",
    ),
]


@pytest.mark.parametrize(("table", "sentence"), WARNINGS)
def test_what_is_unwise_is_warned_about_and_not_refused(
    table: dict[str, Any], sentence: str
) -> None:
    assert read(table).warnings == (sentence,)


def test_a_value_of_a_hundred_characters_is_not_warned_about() -> None:
    assert (
        read({"band": [{"name": "a" * 100, "at_least": 0, "body_override": "x" * 1_600}]}).warnings
        == ()
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "expected a policy (TOML), found no file"),
        (b"mode = ", "expected a readable TOML file in UTF-8"),
        (b"mode = '\xff'", "expected a readable TOML file in UTF-8"),
        (b"a = " + b"[" * 5_000, "expected a readable TOML file in UTF-8"),
        (b"decimals = " + b"9" * 5_000, "expected a readable TOML file in UTF-8"),
        (
            b"#" * 10_001,
            "expected a readable TOML file in UTF-8; found: more than 10,000 bytes in line 1",
        ),
        (
            b"\n" * ((16 << 20) + 1),
            "expected at most 16,777,216 bytes, found more",
        ),
        (b"\xef\xbb\xbfmode = 5", "mode: expected one of filter, annotate, shadow"),
        (b"mode = 5", "mode: expected one of filter, annotate, shadow"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        load_policy(path, threshold=0.4, quantiles=(0.0, 1.0))
    assert str(raised.value).startswith(f"{path}: {sentence}")


def test_the_shipped_policy_is_valid() -> None:
    path = Path(__file__).parents[2] / "function" / "policy.toml"
    assert (
        load_policy(path, threshold=0.4, quantiles=(0.0, 1.0)).rules
        == read(tomllib.loads(path.read_text("utf-8"))).rules
    )


def test_rules_are_described_with_every_default_filled_in() -> None:
    assert set(describe_rules(read({}).rules)) == {*KEYS, "bands"} - {"band"}


@pytest.mark.parametrize("kind", ["a directory", "a pipe", "a device"])
def test_anything_but_a_file_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "policy.toml"
    make: dict[str, Callable[[], object]] = {
        "a directory": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
        "a device": lambda: path.symlink_to("/dev/zero"),
    }
    make[kind]()
    with pytest.raises(SettingsError, match=f"policy.toml: expected a file, found {kind}"):
        load_policy(path, threshold=0.5, quantiles=(0.0, 1.0))
