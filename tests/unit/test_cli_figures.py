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


def test_gives_the_rate_of_all_people_and_the_rate_of_the_people_measured() -> None:
    assert (
        dict(describe_join(DATA))["people"] == "4,000 with endpoint and outcome; 0.050% responded"
    )
    assert dict(describe_join(DATA))["reserved"] == "800 of them, never learnt from"
    assert "reserved" not in dict(describe_join({**DATA, "reserved": 0}))
    judged = dict(describe_figures(make_facts()))["measured on"]
    assert judged.startswith("3,200 later people held out by time; 0.062% responded")


def test_keeps_significant_digits_and_says_if_no_one_is_kept() -> None:
    told = dict(describe_figures(make_facts()))
    assert told["threshold"] == "0.000452, the response rate: keeps no one"
    assert told["Brier score"] == "0.000452 (0.000452 to 0.000452); without a model 0.000625"
    assert told["average precision"].startswith("0.00123 ")
    assert told["best decile"].startswith("0.12% respond")


def test_says_that_a_bundle_was_measured_on_the_people_given() -> None:
    facts = make_facts()
    facts["metrics"]["held_out"] = "given"
    assert dict(describe_figures(facts))["measured on"].startswith("the 3,200 people given; ")


def test_shows_profit_if_money_is_known() -> None:
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
    profit = dict(describe_figures(facts))["profit"]
    for words in ("9 per response", "1 per message", "at most 70.00", "at most -5.00 if everyone"):
        assert words in profit
    assert "0.1111, it is at most 80.00" in profit
