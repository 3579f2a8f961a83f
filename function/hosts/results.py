"""One person's decision as a result, for hosts whose reply tells decisions. Keeps nothing."""

from __future__ import annotations

from typing import Any

from function.policy import Rules
from function.records import Decision, Reason


def describe_result(decision: Decision, rules: Rules) -> dict[str, Any]:
    """Say score, decision, selected, band, holdout and reason of one person.

    Of who is excluded, `excluded_by` holds the rule. In mode shadow the result tells only
    `decision`, so that no campaign can branch on scores.
    """
    word = "keep" if decision.sent else "drop"
    if rules.mode == "shadow":
        reason = Reason.SHADOW if decision.sent else decision.reason
        return {
            "score": None,
            "decision": word,
            "selected": None,
            "band": None,
            "holdout": False,
            "reason": reason.value,
        }
    rule = {"excluded_by": decision.excluded_by} if decision.excluded_by else {}
    return {
        "score": 0.0 if decision.score == 0.0 else decision.score,  # no -0.0
        "decision": word,
        "selected": decision.selected,
        "band": decision.band.name if decision.band else None,
        "holdout": decision.holdout,
        "reason": decision.reason.value,
        **rule,
    }
