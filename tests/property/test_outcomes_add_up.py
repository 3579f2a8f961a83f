"""Law: every received endpoint has exactly one outcome, and the counts are those of the reply."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.records import Reason
from tests.fakes import Watcher, read_log
from tests.rooms import make_handler
from tests.strategies import HOOK_EVENTS, POLICIES

COUNT_OF = {
    "unreadable": "unreadable",
    "holdout": "held_out",
    "no_scores": "unscored",
    "sparse": "sparse",
}


def list_received(event: dict[str, Any], reply: dict[str, Any]) -> list[Any]:
    """The people of an event; nobody of a refused request."""
    if "requestContext" in event:
        content = json.loads(event["body"])
        accepted = reply["statusCode"] == 200
        return content.get("people", [content]) if accepted else []
    return list(event.get("Endpoints") or event.get("Items", {}).get("CustomerProfiles") or ())


@given(event=HOOK_EVENTS, policy=POLICIES, working=st.booleans())
def test_received_is_the_sum_of_outcomes(
    event: dict[str, Any], policy: dict[str, Any], working: bool
) -> None:
    watcher, log = Watcher(), io.StringIO()
    reply = make_handler(policy, working=working, observer=watcher, stream=log)(event)
    (line,) = [line for line in read_log(log.getvalue()) if line.get("message") == "batch"]
    received = list_received(event, reply)
    reasons = [decision.reason for decision in watcher.decisions]
    assert line["received"] == len(received) == line["kept"] + line["filtered"] == len(reasons)
    assert set(reasons) <= set(Reason) - {Reason.SHADOW, Reason.UNKNOWN}
    assert {count: line[count] for count in COUNT_OF.values()} == {
        count: reasons.count(reason) for reason, count in COUNT_OF.items()
    }
    if "Endpoints" in event:
        assert line["kept"] == len(reply)
    elif "requestContext" in event:
        answered = json.loads(reply["body"]).get("people", [])
        assert line["kept"] == sum(person["decision"] == "keep" for person in answered)
    else:
        assert line["kept"] == sum(
            item["ResultData"]["decision"] == "keep" for item in reply["Items"]["CustomerProfiles"]
        )
    assert line["would_filter"] <= (0 if policy.get("mode", "filter") == "filter" else line["kept"])
