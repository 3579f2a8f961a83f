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
from function.exclude_values import A_VALUE, EXCLUDE_KEYS
from function.exclusion import CONDITIONS, Exclude
from function.holdout import Holdout
from function.policy import Policy, Rules
from function.policy_file import describe_rules, load_policy, read_policy
from function.policy_values import KEYS
from function.records import Band
from model.feature_paths import READABLE
from model.score_kind import RESPONSE, UPLIFT, ScoreKind

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
            on_other_kind="on_error",
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
        "on_other_kind",
        "on_missing_time",
        "unreadable",
        "min_present",
        "sparse",
        "score_attribute",
        "band_attribute",
        "metric",
        "holdout",
        "band",
        "exclude",
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
    ("on_other_kind", "score", "on_other_kind", "score"),
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
        "exclude",
        [
            {"path": "Metrics.Mails", "reason": "cap", "at_least": 3},
            {"path": "Attributes.Country", "reason": "abroad", "one_of": ["DE", 1]},
            {"path": "EffectiveDate", "reason": "old", "older_than_days": 0},
        ],
        "excludes",
        (
            Exclude(path="Metrics.Mails", reason="cap", condition="at_least", wanted=3),
            Exclude(
                path="Attributes.Country", reason="abroad", condition="one_of", wanted=("DE", 1)
            ),
            Exclude(path="EffectiveDate", reason="old", condition="older_than_days", wanted=0),
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


def rule(**condition: Any) -> dict[str, Any]:
    return {"path": "Metrics.a", "reason": "a", **condition}


RULE = rule(missing=True)
SLUG = "expected 1 to 40 small letters, digits and _, a letter first"
CONDITIONED = ", ".join(CONDITIONS)
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
    ({"on_other_kind": "keep"}, "on_other_kind: expected one of on_error, score"),
    ({"on_missing_time": "now"}, "on_missing_time: expected one of score, no_scores"),
    ({"external": []}, "external: expected a table"),
    ({"exclude": {}}, "exclude: expected [[exclude]] tables"),
    ({"exclude": [RULE] * 51}, "exclude: expected at most 50 rules"),
    (
        {"exclude": [{"reason": "a", "missing": True}]},
        "exclude[0].path: expected the path of a value, such as Metrics.Mails",
    ),
    ({"exclude": [RULE | {"path": "Address"}]}, f"exclude[0]: expected path to be {READABLE}"),
    ({"exclude": [RULE | {"reason": "Too many"}]}, f"exclude[0].reason: {SLUG}"),
    ({"exclude": [RULE | {"reason": 1}]}, f"exclude[0].reason: {SLUG}"),
    ({"exclude": [RULE | {"equals": 1}]}, f"exclude[0]: expected one condition of {CONDITIONED}"),
    (
        {"exclude": [{"path": "Metrics.a", "reason": "a"}]},
        f"exclude[0]: expected one condition of {CONDITIONED}",
    ),
    (
        {"exclude": [RULE | {"at_lest": 1}]},
        f"exclude[0].at_lest: unknown key; expected one of {', '.join(sorted(EXCLUDE_KEYS))}",
    ),
    ({"exclude": [rule(at_least="3")]}, "exclude[0].at_least: expected a number"),
    ({"exclude": [rule(at_most=True)]}, "exclude[0].at_most: expected a number"),
    ({"exclude": [rule(at_most=float("nan"))]}, "exclude[0].at_most: expected a number"),
    (
        {"exclude": [rule(older_than_days=-1)]},
        "exclude[0].older_than_days: expected 0 or more days",
    ),
    ({"exclude": [rule(missing="yes")]}, "exclude[0].missing: expected true or false"),
    ({"exclude": [rule(equals="")]}, f"exclude[0].equals: expected {A_VALUE}"),
    (
        {"exclude": [rule(one_of=[])]},
        f"exclude[0].one_of: expected a list of one or more of {A_VALUE}",
    ),
    ({"exclude": [rule(one_of=["a"] * 1001)]}, "exclude[0].one_of: expected at most 1,000 values"),
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
    ({"band": [{"name": "a", "reach": 10}]}, f"band[0].reach: {NUMBER}"),
    (
        {"band": [{"name": "a", "reach": 0.1, "at_least": 0.5}]},
        "band[0]: expected at_least or reach",
    ),
    (
        {"band": [{"name": "a", "at_least": 0, "title": ""}]},
        (
            "band[0].title: unknown key; expected one of at_least, body_override, name, reach, "
            "title_override"
        ),
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
    assert set(describe_rules(read({}).rules)) == {*KEYS, "bands", "excludes"} - {"band", "exclude"}


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


EFFECTS = tuple(index / 1000 - 0.02 for index in range(101))  # a fifth of them negative


def read_uplift(table: dict[str, Any], score: ScoreKind = UPLIFT) -> Policy:
    return read_policy(table, threshold=0.004, quantiles=EFFECTS, score=score)


@pytest.mark.parametrize("threshold", [-1, -0.25, -0.0001, 0, 1.0])
def test_a_threshold_of_uplift_scores_may_be_negative(threshold: float) -> None:
    assert read_uplift({"threshold": threshold}).rules.threshold == threshold


def test_bands_of_uplift_scores_may_begin_below_zero() -> None:
    names = [("put off", -1), ("unmoved", -0.001), ("moved", 0.001)]
    bands = [{"name": name, "at_least": at_least} for name, at_least in names]
    rules = read_uplift({"band": bands}).rules
    found = [rules.band_for(score) for score in (-0.5, -0.001, 0.0, 0.001, 0.3)]
    assert [band.name for band in found if band] == [
        "put off", "unmoved", "unmoved", "moved", "moved",
    ]  # fmt: skip


def test_a_reach_reads_negative_quantiles() -> None:
    assert read_uplift({"threshold": {"reach": 0.9}}).rules.threshold == pytest.approx(-0.01)
    below = {"threshold": {"reach": 0.1}, "keep": "below"}
    assert read_uplift(below).rules.threshold == pytest.approx(-0.01)
    assert not read_uplift({"threshold": {"reach": 0.9}}).warnings


def test_the_models_threshold_is_the_manifests() -> None:
    assert read_uplift({}).rules.threshold == 0.004


@pytest.mark.parametrize(
    ("table", "score", "words"),
    [
        ({"threshold": -0.1}, RESPONSE, "threshold: expected a number from 0 to 1, found"),
        ({"threshold": 1.5}, UPLIFT, "threshold: expected a number from -1 to 1, which uplift"),
        (
            {"threshold": 0.5},
            ScoreKind("uplift", -0.25, 0.25),
            "threshold: expected a number from -0.25 to 0.25, which uplift scores are, found a",
        ),
        (
            {"band": [{"name": "a", "at_least": -0.1}]},
            RESPONSE,
            "band[0].at_least: expected a number from 0 to 1, found a number out of range",
        ),
        (
            {"override": [{"campaign_id": "c", "threshold": -2}]},
            UPLIFT,
            "override[0].threshold: expected a number from -1 to 1",
        ),
    ],
)
def test_a_threshold_out_of_the_kinds_range_is_refused(
    table: dict[str, Any], score: ScoreKind, words: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read_uplift(table, score)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("table", "found"), [({}, "the model's"), ({"threshold": {"reach": 0.3}}, "a reach")]
)
def test_the_bundle_recommends_nothing_for_scores_of_another_kind(
    table: dict[str, Any], found: str
) -> None:
    with pytest.raises(SettingsError, match=f"another kind than the bundle's, found {found}"):
        read_policy(table, threshold=None, quantiles=(), score=UPLIFT)
    rules = read_policy({"threshold": -0.5}, threshold=None, quantiles=(), score=UPLIFT).rules
    assert rules.threshold == -0.5


def test_a_band_by_reach_begins_where_that_share_of_people_score_more() -> None:
    bands = [{"name": "top", "reach": 0.1}, {"name": "middle", "reach": 0.4}]
    found = read({"band": [*bands, {"name": "rest", "reach": 1.0}]})
    assert {band.name: round(band.at_least, 9) for band in found.rules.bands} == {
        "top": 0.9,
        "middle": 0.6,
        "rest": 0.0,
    }
    assert not found.warnings


def test_a_band_by_reach_of_one_holds_everybody_also_with_the_lowest_possible_score() -> None:
    assert read_uplift({"band": [{"name": "rest", "reach": 1.0}]}).rules.bands[0].at_least == -1.0


def test_a_band_by_reach_that_equal_scores_spoil_gets_a_warning() -> None:
    scores = (0.1,) * 60 + (0.7,) * 41
    band = {"name": "top", "reach": 0.5}
    found = read_policy({"band": [band]}, threshold=0.4, quantiles=scores)
    assert found.warnings == (
        (
            "band[0].reach: expected 50.0 % of the people the model was evaluated on, but many "
            "have the same score: the band begins at 100.0 %"
        ),
    )


def test_a_band_by_reach_needs_scores_of_the_bundles_kind() -> None:
    with pytest.raises(
        SettingsError, match=r"band\[0\].reach: expected at_least in place of a reach"
    ):
        read_policy(
            {"threshold": 0.1, "band": [{"name": "top", "reach": 0.5}]},
            threshold=None,
            quantiles=(),
        )


@pytest.mark.parametrize("percent", [0.0, 1, 10.0])
def test_an_ordinary_percent_is_not_questioned(percent: float) -> None:
    assert not read({"holdout": {"percent": percent}}).warnings


def test_a_percent_that_looks_like_a_share_is_questioned() -> None:
    assert read({"holdout": {"percent": 0.1}}).warnings == (
        "holdout.percent: 0.1 is 0.1 % of users, not a share; for 10 % write 10",
    )
    found = read({"override": [{"campaign_id": "c", "holdout": {"percent": 0.25}}]}).warnings
    assert found == (
        "override[0].holdout.percent: 0.25 is 0.25 % of users, not a share; for 25 % write 25",
    )
