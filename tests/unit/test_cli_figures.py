from __future__ import annotations

from typing import Any

from segment_scorer.cli.figures import describe_figures, describe_join

DATA = {
    "matched": 4_000,
    "responded": 2,
    "reserved": 800,
    "users_with_several_endpoints": 0,
    "without_outcome": 0,
    "without_endpoint": 0,
    "repeated": 0,
    "refused": 0,
}


def make_facts(**changed: Any) -> dict[str, Any]:
    figures = {"roc_auc": 0.75, "average_precision": 0.00123, "brier": 0.000452, "log_loss": 0.004}
    return {
        "threshold": 0.000452,
        "threshold_rule": "base_rate",
        "metrics": {
            **figures,
            "intervals": {name: [number, number] for name, number in figures.items()},
            "base_rate": 0.000625,
            "n": 3_200,
            "held_out": "by time",
            "at_threshold": {"reach": 0.0, "precision": None, "recall": 0.0},
        },
        "evaluation": {"deciles": [{"rate": 0.0012, "lift": 2.0, "gain": 0.2}], "profit": {}},
        **changed,
    }


def test_tells_everybodys_rate_beside_everybody_and_the_judged_ones_beside_the_judged() -> None:
    assert (
        dict(describe_join(DATA))["people"] == "4,000 with endpoint and outcome; 0.050% responded"
    )
    assert dict(describe_join(DATA))["set aside"] == "800 of them, never learnt from"
    assert "set aside" not in dict(describe_join({**DATA, "reserved": 0}))
    judged = dict(describe_figures(make_facts()))["judged on"]
    assert (
        judged
        == "3,200 later people held out by time, of whom 0.062% responded; 95 % intervals in brackets"
    )


def test_keeps_digits_that_count_and_says_nobody_once() -> None:
    told = dict(describe_figures(make_facts()))
    assert told["threshold"] == "0.000452, the base rate: keeps nobody"
    assert (
        told["Brier score"] == "0.000452 (0.000452 to 0.000452); 0.000625 for the base rate alone"
    )
    assert told["average precision"].startswith("0.00123 ")
    assert told["best tenth"].startswith("0.12% respond")


def test_says_who_was_judged_by_a_bundle_that_was_only_given_them() -> None:
    facts = make_facts()
    facts["metrics"]["held_out"] = "given"
    assert dict(describe_figures(facts))["judged on"].startswith("the 3,200 people given, of whom")


def test_says_profit_where_money_is_known() -> None:
    assert "profit" not in dict(describe_figures(make_facts()))
    facts = make_facts()
    facts["evaluation"]["profit"] = {
        "value": 9,
        "cost": 1,
        "kept": 70,
        "everybody": -5,
        "break_even": 0.1111,
        "at_break_even": 80,
    }
    assert dict(describe_figures(facts))["profit"] == (
        "At 9 a response and 1 a message it earns 70.00 per thousand people; messaging everybody -5.00, nobody 0. "
        "Cost / value is 0.1111: a threshold there earns 80.00."
    )
