"""function/policy.py: scores in, decisions out."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest

from function.holdout import Holdout
from function.policy import (
    Policy,
    Rules,
    attributes_for,
    count_outcomes,
    decide,
    format_score,
)
from function.policy_file import read_policy
from function.reach import threshold_for_reach
from function.records import Context, Decision, Endpoint, Reason
from model.features import build_matrix, read_spec, share_present

PERCENTILES = tuple(index / 100 for index in range(101))
BANDS = [{"name": "high", "at_least": 0.75}, {"name": "middle", "at_least": 0.5}]


def read(**table: Any) -> Policy:
    return read_policy(table, threshold=0.5, quantiles=PERCENTILES)


def rules(**table: Any) -> Rules:
    return read(**table).rules


def person(id_: str = "a", user: str | None = None, **changes: Any) -> Endpoint:
    return Endpoint(id=id_, document={} if user is None else {"User": {"UserId": user}}, **changes)


def decide_for(
    score: float | None,
    share: float = 1.0,
    *,
    endpoint: Endpoint | None = None,
    scored: bool = True,
    **table: Any,
) -> Decision:
    scores = [score] if scored else None
    (decision,) = decide([endpoint or person()], scores, [share], rules(**table))
    return decision


UNREADABLE = Endpoint(
    id="a", document={}, problem="$.Endpoints[0].Metrics: Expected `object`, got `str`"
)
NO_OBJECT = Endpoint(id="a", document=None, problem="$.Endpoints[0]: Expected `object`, got `null`")


def test_keeps_an_endpoint_whose_score_equals_the_threshold() -> None:
    assert decide_for(0.5).sent
    assert not decide_for(0.4999).sent


def test_with_keep_below_an_endpoint_whose_score_equals_the_threshold_is_left_out() -> None:
    assert not decide_for(0.5, keep="below").sent
    assert decide_for(0.4999, keep="below").sent


def test_the_rounded_score_decides() -> None:
    assert decide_for(0.49996, decimals=4).score == 0.5
    assert decide_for(0.49996, decimals=4).sent
    assert not decide_for(0.49996, decimals=5).sent


def test_decision_band_and_attribute_use_the_same_rounded_number() -> None:
    decision = decide_for(0.7496, decimals=2, band=BANDS)
    assert decision.band is not None
    assert (decision.score, decision.band.name) == (0.75, "high")
    assert attributes_for(person(), decision, rules(decimals=2, band=BANDS)) == {"Score": ["0.75"]}


@pytest.mark.parametrize(
    ("decimals", "text"), [(0, "0"), (1, "0.1"), (4, "0.1235"), (15, "0.123456789012346")]
)
def test_a_score_is_written_with_the_policys_decimals(decimals: int, text: str) -> None:
    assert format_score(round(0.1234567890123456, decimals), decimals) == text


@pytest.mark.parametrize(
    ("score", "name"),
    [(1.0, "high"), (0.75, "high"), (0.74, "middle"), (0.5, "middle"), (0.49, None)],
)
def test_the_highest_band_that_fits_is_chosen_its_edge_included(
    score: float, name: str | None
) -> None:
    band = decide_for(score, band=BANDS[::-1]).band
    assert (band.name if band else None) == name


def test_a_batch_without_scores_is_kept_or_dropped_as_on_error_says() -> None:
    assert decide_for(None, scored=False) == Decision(
        selected=True, sent=True, reason=Reason.NO_SCORES
    )
    assert decide_for(None, scored=False, on_error="drop") == Decision(
        selected=False, sent=False, reason=Reason.NO_SCORES
    )


def test_an_unreadable_endpoint_is_kept_or_dropped_as_unreadable_says() -> None:
    assert decide_for(None, endpoint=UNREADABLE) == Decision(
        selected=True, sent=True, reason=Reason.UNREADABLE
    )
    assert decide_for(None, endpoint=UNREADABLE, unreadable="drop") == Decision(
        selected=False, sent=False, reason=Reason.UNREADABLE
    )


@pytest.mark.parametrize("mode", ["filter", "annotate", "shadow"])
@pytest.mark.parametrize("unreadable", ["keep", "drop"])
def test_what_is_no_object_is_left_out_whatever_the_policy(mode: str, unreadable: str) -> None:
    decision = decide_for(None, endpoint=NO_OBJECT, mode=mode, unreadable=unreadable)
    assert decision == Decision(selected=False, sent=False, reason=Reason.UNREADABLE)


def test_an_endpoint_below_min_present_is_sparse_and_has_no_score() -> None:
    assert decide_for(0.9, 0.49, min_present=0.5) == Decision(
        selected=True, sent=True, reason=Reason.SPARSE
    )
    assert decide_for(0.9, 0.49, min_present=0.5, sparse="drop") == Decision(
        selected=False, sent=False, reason=Reason.SPARSE
    )
    assert decide_for(0.9, 0.5, min_present=0.5).reason == "score"


@pytest.mark.parametrize("present", range(11))
def test_a_share_of_features_that_equals_min_present_is_enough(present: int) -> None:
    spec = read_spec(
        {
            "feature": [
                {"name": f"f{index}", "path": f"Metrics.f{index}", "kind": "number"}
                for index in range(10)
            ]
        }
    )
    matrix = build_matrix([{"Metrics": {f"f{index}": 1.0 for index in range(present)}}], spec)
    (share,) = share_present(matrix, spec)
    assert decide_for(0.9, share, min_present=present / 10).reason == "score"


def test_annotate_leaves_nobody_out_for_any_reason() -> None:
    held = {"percent": 100}
    decisions = [
        decide_for(0.1, mode="annotate"),
        decide_for(None, mode="annotate", scored=False, on_error="drop"),
        decide_for(None, 0.0, mode="annotate", min_present=1.0, sparse="drop"),
        decide_for(0.9, mode="annotate", holdout=held),
        decide_for(None, endpoint=UNREADABLE, mode="annotate", unreadable="drop"),
    ]
    assert [(decision.dropped, decision.sent) for decision in decisions] == [(True, True)] * 5
    assert count_outcomes(decisions)["would_filter"] == 5


def test_shadow_decides_and_counts_but_writes_nothing() -> None:
    decision = decide_for(
        0.1,
        mode="shadow",
        band=[{"name": "low", "at_least": 0}],
        holdout={"percent": 100, "attribute": "Control"},
    )
    assert (decision.selected, decision.sent, decision.holdout) == (False, True, True)
    assert (
        attributes_for(
            person(),
            decision,
            rules(
                mode="shadow",
                band_attribute="Band",
                holdout={"percent": 100, "attribute": "Control"},
            ),
        )
        == {}
    )


def test_the_order_of_reasons_is_holdout_unreadable_no_scores_sparse_score() -> None:
    everything: dict[str, Any] = {"holdout": {"percent": 100}, "min_present": 1.0}
    for endpoint in (UNREADABLE, NO_OBJECT):
        decision = decide_for(None, 0.0, endpoint=endpoint, scored=False, **everything)
        assert decision.reason == "holdout"
        assert decide_for(None, 0.0, endpoint=endpoint, scored=False).reason == "unreadable"
    assert decide_for(None, 0.0, scored=False, **everything).reason == "holdout"
    assert decide_for(None, 0.0, scored=False, min_present=1.0).reason == "no_scores"
    assert decide_for(0.9, 0.0, min_present=1.0).reason == "sparse"
    assert decide_for(0.9, 1.0, min_present=1.0).reason == "score"


HELD = {"percent": 100}
# What every rule says of a person: score, share of features present, what decide_for takes.
JUDGED: dict[str, tuple[float | None, float, dict[str, Any]]] = {
    "score": (0.99, 1.0, {}),
    "score, below": (0.01, 1.0, {"keep": "below"}),
    "no scores": (None, 1.0, {"scored": False}),
    "sparse": (None, 0.0, {"min_present": 1.0}),
    "unreadable": (None, 0.0, {"endpoint": UNREADABLE}),
}
DROPPED: dict[str, tuple[float | None, float, dict[str, Any]]] = {
    "score": (0.01, 1.0, {}),
    "score, below": (0.99, 1.0, {"keep": "below"}),
    "no scores": (None, 1.0, {"scored": False, "on_error": "drop"}),
    "sparse": (None, 0.0, {"min_present": 1.0, "sparse": "drop"}),
    "unreadable": (None, 0.0, {"endpoint": UNREADABLE, "unreadable": "drop"}),
    "no object": (None, 0.0, {"endpoint": NO_OBJECT}),
}


@pytest.mark.parametrize("rule", JUDGED)
def test_selected_is_what_every_rule_says_of_a_held_out_person_too(rule: str) -> None:
    score, share, changes = JUDGED[rule]
    held, free = (
        decide_for(score, share, holdout=HELD, **changes),
        decide_for(score, share, **changes),
    )
    assert held == Decision(
        selected=True, holdout=True, sent=False, reason=Reason.HOLDOUT, score=free.score
    )
    assert (free.selected, free.holdout, free.sent) == (True, False, True)


@pytest.mark.parametrize("rule", DROPPED)
def test_a_held_out_person_is_not_selected_if_a_rule_drops_the_person(rule: str) -> None:
    score, share, changes = DROPPED[rule]
    held, free = (
        decide_for(score, share, holdout=HELD, **changes),
        decide_for(score, share, **changes),
    )
    assert (held.selected, held.holdout, held.sent) == (False, True, False)
    assert (free.selected, free.holdout, free.sent) == (False, False, False)


@pytest.mark.parametrize("mode", ["annotate", "shadow"])
def test_annotate_and_shadow_send_the_control_group_and_say_who_was_selected(mode: str) -> None:
    for score, selected in ((0.9, True), (0.1, False)):
        decision = decide_for(score, mode=mode, holdout=HELD)
        assert (decision.selected, decision.holdout, decision.sent) == (selected, True, True)
        assert decision.dropped


def test_a_control_group_is_a_control_group_whatever_else_is_wrong() -> None:
    half = Holdout(percent=50)
    for number in range(200):
        user = f"u{number}"
        held = half.holds(person("e", user=user))
        broken = {"Metrics": "x", "User": {"UserId": user}}
        lost = {"Metrics": "x"}
        for endpoint in (
            Endpoint(id="e", document=broken, problem="$.Metrics: Expected `object`"),
            Endpoint(id="e", document=lost, user=user, problem="$.Metrics: Expected `object`"),
            Endpoint(id=user, document=lost, problem="$.Metrics: Expected `object`"),
            Endpoint(id=user, document=None, problem="$: Expected `object`"),
        ):
            decision = decide_for(None, endpoint=endpoint, holdout={"percent": 50})
            assert (decision.holdout, decision.reason == "holdout") == (held, held)
            if held:
                assert not decision.sent


@pytest.mark.parametrize("written", [101, 101.0, "101"])
def test_a_user_id_that_is_a_whole_number_is_drawn_as_its_text(written: object) -> None:
    endpoint = Endpoint(id="e", document={"User": {"UserId": written}}, problem="$: Expected `str`")
    assert Holdout(salt="s").draw(endpoint) == Holdout(salt="s").draw(person("e", user="101"))


@pytest.mark.parametrize(
    "written", [None, "", True, 1.5, math.nan, math.inf, 10**400, [], {"a": 1}]
)
def test_a_user_id_that_is_no_id_is_not_drawn_by(written: object) -> None:
    endpoint = Endpoint(id="e", document={"User": {"UserId": written}}, problem="$: Expected `str`")
    assert Holdout(salt="s").draw(endpoint) == Holdout(salt="s").draw(person("e"))


def test_a_person_without_any_id_is_in_no_control_group() -> None:
    nobody = Endpoint(id="", document=None, problem="$.ProfileId: expected text")
    decision = decide_for(None, endpoint=nobody, holdout=HELD)
    assert (decision.holdout, decision.reason) == (False, "unreadable")


def test_an_unreadable_person_is_marked_as_control_group_if_its_attributes_can_hold_it() -> None:
    table: dict[str, Any] = {
        "mode": "annotate",
        "holdout": {"percent": 100, "attribute": "Control"},
    }
    for attributes, written in (
        (None, {"Control": ["true"]}),
        ({"A": {"b": 1}}, {"Control": ["true"]}),
        ("text", {}),
        (["a"], {}),
    ):
        endpoint = Endpoint(id="a", document={"Attributes": attributes}, problem="$: Expected")
        decision = decide_for(None, endpoint=endpoint, **table)
        assert attributes_for(endpoint, decision, rules(**table)) == written


# First 8 bytes, big-endian, of BLAKE2b(salt + NUL + key): computed once with b2sum (coreutils), so
# without Python.
VECTORS = [
    ("", "user-1", 0xCFCA4D2AA98C0096),
    ("", "Grüße/😀", 0xCA551AA2E4CB4033),
    ("spring", "user-1", 0x84440BA34E42D169),
    ("spring", "Grüße/😀", 0xEBD01AD56F9DC9CE),
]


@pytest.mark.parametrize(("salt", "key", "first"), VECTORS)
def test_the_holdout_is_the_same_on_every_python_version(salt: str, key: str, first: int) -> None:
    assert Holdout(percent=1, salt=salt).draw(person(key)) == first / 2**64


def test_all_endpoints_of_one_user_have_the_same_draw() -> None:
    holdout = Holdout(percent=50, salt="s")
    assert (
        holdout.draw(person("a", user="u"))
        == holdout.draw(person("b", user="u"))
        == holdout.draw(person("u"))
    )
    assert holdout.draw(person("a")) != holdout.draw(person("b"))


def test_another_salt_draws_another_control_group() -> None:
    one, other = (
        [Holdout(percent=50, salt=salt).holds(person(str(n))) for n in range(200)]
        for salt in ("one", "other")
    )
    assert one != other


def test_an_empty_or_missing_user_id_falls_back_to_the_endpoints_own_id() -> None:
    holdout = Holdout(percent=50)
    assert holdout.draw(person("a", user="")) == holdout.draw(person("a"))
    assert holdout.draw(Endpoint(id="a", document={"User": None})) == holdout.draw(person("a"))


def test_no_percent_holds_nobody_and_a_hundred_holds_everybody() -> None:
    people = [person(str(number)) for number in range(1_000)]
    assert not any(Holdout(percent=0).holds(one) for one in people)
    assert all(Holdout(percent=100).holds(one) for one in people)


def test_the_digest_is_blake2b_of_salt_nul_key() -> None:
    digest = hashlib.blake2b(b"salt\0key").digest()
    assert Holdout(salt="salt").draw(person("key")) == int.from_bytes(digest[:8], "big") / 2**64


def test_the_holdout_attribute_marks_both_sides() -> None:
    table: dict[str, Any] = {
        "mode": "annotate",
        "score_attribute": "",
        "holdout": {"percent": 100, "attribute": "Control"},
    }
    held, free = decide_for(0.9, **table), decide_for(0.9)
    assert attributes_for(person(), held, rules(**table)) == {"Control": ["true"]}
    assert attributes_for(person(), free, rules(**table)) == {"Control": ["false"]}


def test_an_attribute_name_left_empty_writes_nothing() -> None:
    decision = decide_for(0.9, band=BANDS)
    assert attributes_for(person(), decision, rules(score_attribute="", band=BANDS)) == {}
    assert attributes_for(person(), decision, rules(band_attribute="Band", band=BANDS)) == {
        "Score": ["0.9000"],
        "Band": ["high"],
    }


def test_an_endpoint_without_a_score_gets_no_score_attribute() -> None:
    assert attributes_for(person(), decide_for(None, scored=False), rules()) == {}


@pytest.mark.parametrize(
    ("reach", "keep", "threshold"),
    [
        (0.3, "at_least", 0.7),
        (0.3, "below", 0.3),
        (0.0, "at_least", 1.0),
        (1.0, "at_least", 0.0),
        (0.305, "at_least", 0.695),
    ],
)
def test_reach_is_the_score_quantile_that_keeps_that_share(
    reach: float, keep: str, threshold: float
) -> None:
    assert threshold_for_reach(reach, PERCENTILES, keep) == pytest.approx(threshold)


def test_reach_reads_between_the_quantiles_it_has() -> None:
    assert threshold_for_reach(0.5, (0.0, 0.4, 1.0), "at_least") == 0.4
    assert threshold_for_reach(0.25, (0.0, 0.4, 1.0), "at_least") == pytest.approx(0.7)


OVERRIDDEN = {
    "override": [
        {"campaign_id": "c", "threshold": 0.2},
        {"campaign_id": "c", "treatment_id": "1", "threshold": 0.8},
        {"application_id": "x", "campaign_id": "c", "treatment_id": "1", "threshold": 0.9},
    ]
}


@pytest.mark.parametrize(
    ("context", "threshold"),
    [
        (Context(campaign_id="c", treatment_id="0"), 0.2),
        (Context(campaign_id="c", treatment_id="1"), 0.8),
        (Context(application_id="x", campaign_id="c", treatment_id="1"), 0.9),
        (Context(campaign_id="other", treatment_id="1"), 0.5),
        (Context(treatment_id="1"), 0.5),
        (Context(), 0.5),
    ],
)
def test_all_ids_of_an_override_must_match_and_most_ids_win(
    context: Context, threshold: float
) -> None:
    assert read(**OVERRIDDEN).rules_for(context).threshold == threshold


def test_decides_row_for_row() -> None:
    decisions = decide(
        [person("a"), UNREADABLE, person("c")], [0.9, None, 0.1], [1.0, 0.0, 1.0], rules()
    )
    assert [(decision.reason, decision.selected) for decision in decisions] == [
        ("score", True),
        ("unreadable", True),
        ("score", False),
    ]


def test_refuses_rows_that_do_not_fit_each_other() -> None:
    with pytest.raises(ValueError, match="zip"):
        decide([person("a")], [0.9, 0.1], [1.0], rules())


def test_counts_every_outcome_once() -> None:
    decisions = [
        decide_for(0.9),
        decide_for(0.1),
        decide_for(None, endpoint=NO_OBJECT),
        decide_for(0.9, holdout={"percent": 100}),
    ]
    assert count_outcomes(decisions) == {
        "received": 4,
        "kept": 1,
        "filtered": 3,
        "held_out": 1,
        "excluded": 0,
        "unreadable": 1,
        "unscored": 0,
        "sparse": 0,
        "would_filter": 0,
    }
