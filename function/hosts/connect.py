"""Amazon Connect outbound campaigns' custom action: a batch of customer profiles in, one result a profile out.

Never leaves a profile out of the answer: being filtered is a decision field here. Never answers more than plain JSON types.
Source: Amazon Connect administrator guide, "Custom action" of outbound campaign journeys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from function.errors import ReplyError
from function.hosts.reading import LARGEST_REPLY, read_object, read_text
from function.policy import Rules
from function.records import Batch, Context, Decision, Endpoint, Reply
from model.customer_profile import profile_to_document
from model.document import inspect_document, is_encodable
from model.features import parse_time

NAME = "connect"
LIMIT_SECONDS = 30.0
LARGEST_RESULT = 32 * 1024
MOST_GROWTH = 12  # a character beyond the 65,536 first takes this many in JSON text in ASCII
# A run's id ends in its start: <campaign>#2026-07-03T10-04-00Z.
RUN_STARTED = re.compile(r"#(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})Z$", re.ASCII)


def is_event(event: Mapping[str, Any]) -> bool:
    """Whether the event has this host's shape."""
    return isinstance(read_object(event, "Items").get("CustomerProfiles"), list)


def parse_event(event: Mapping[str, Any]) -> Batch:
    """Read an event for which `is_event` holds. Each profile becomes an endpoint document by AWS's own migration table."""
    campaign = read_object(read_object(event, "InvocationMetadata"), "CampaignContext")
    endpoints = tuple(
        parse_profile(index, item) for index, item in enumerate(event["Items"]["CustomerProfiles"])
    )
    started = RUN_STARTED.search(read_text(campaign, "RunId") or "")
    reference = (
        parse_time(f"{started[1]}T{started[2]}:{started[3]}:{started[4]}Z") if started else None
    )
    context = Context(
        campaign_id=read_text(campaign, "CampaignId"),
        reference=None if reference is None or math.isnan(reference) else reference,
    )
    return Batch(host="connect", context=context, endpoints=endpoints)


def parse_profile(index: int, item: object) -> Endpoint:
    """One item of the event. Without a ProfileId it cannot be answered: its endpoint has the id "" and no document."""
    place = f"$.Items.CustomerProfiles[{index}]"
    id_ = read_text(item, "ProfileId") if isinstance(item, dict) else None
    if not id_ or not isinstance(item, dict) or not is_encodable(id_):
        return Endpoint(
            id="",
            document=None,
            problem=f"{place}.ProfileId: expected text of one character or more",
        )
    profile = read_profile(read_text(item, "CustomerData") or "")
    if profile is None:
        return Endpoint(
            id=id_,
            document=None,
            problem=f"{place}.CustomerData: expected the text of a JSON object",
        )
    document = profile_to_document(profile)
    problem = inspect_document(document)[0]
    return Endpoint(
        id=id_, document=document, problem=f"{place}.CustomerData{problem[1:]}" if problem else None
    )


def read_profile(text: str) -> dict[str, Any] | None:
    """The JSON object that CustomerData is the text of, or None.

    What msgspec refuses is read again as the Lambda runtime reads events: 1e400 and lone surrogates are JSON, however useless, so the
    profile is an unreadable endpoint, for which the policy decides, and not one that is no object at all.
    """
    try:
        profile = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        try:
            profile = json.loads(text)
        except (ValueError, RecursionError):
            return None
    return profile if isinstance(profile, dict) else None


def build_reply(batch: Batch, decisions: Sequence[Decision], rules: Rules, model: str) -> Reply:
    """`{"Items": {"CustomerProfiles": [{Id, ResultData}]}}`: every profile with an id, in the order received.

    ResultData is `{score, decision, band, holdout, reason, model}`, a few hundred bytes of the 32 KB allowed; where the policy copies
    attributes of the person's profile, also `external`, unless that would be too large. In mode shadow it says nothing but
    `decision = "keep"`, since the reply is to be what it would be without us.

    An answer beyond what Lambda returns loses every `external`; if it is still too large (tens of thousands of profiles) as many as fit
    are answered, in order, and the rest fail one by one in the journey; with `on_error = "raise"` it raises ReplyError.
    """
    items: list[dict[str, Any]] = []
    dropped = False
    for endpoint, decision in zip(batch.endpoints, decisions, strict=True):
        if endpoint.id:
            result = describe_decision(decision, rules, model)
            if decision.external and len(json.dumps(result)) > LARGEST_RESULT:
                del result["external"]
                dropped = True
            items.append({"Id": endpoint.id, "ResultData": result})
    if is_too_large(items):
        dropped = True
        for item in items:
            item["ResultData"].pop("external", None)
        if is_too_large(items):
            if rules.on_error == "raise" and rules.mode != "shadow":
                raise ReplyError(
                    "$.Items.CustomerProfiles: expected results that fit into Lambda's 6 MB reply"
                )
            items, decisions = take_what_fits(items, batch, decisions)
    return Reply(
        body={"Items": {"CustomerProfiles": items}},
        decisions=decisions,
        annotations_dropped=dropped,
    )


def is_too_large(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the answer is beyond what Lambda returns. It is encoded to be measured only when it has profiles enough for that."""
    bound = sum(LARGEST_RESULT + MOST_GROWTH * len(item["Id"]) for item in items)
    return (
        bound > LARGEST_REPLY
        and len(json.dumps({"Items": {"CustomerProfiles": items}})) > LARGEST_REPLY
    )


def take_what_fits(
    items: Sequence[dict[str, Any]], batch: Batch, decisions: Sequence[Decision]
) -> tuple[list[dict[str, Any]], list[Decision]]:
    """As many of the items as Lambda returns, in order; and the decisions, row for row, whoever is not answered being left out."""
    taken: list[dict[str, Any]] = []
    answered: list[Decision] = []
    size, left = len('{"Items": {"CustomerProfiles": []}}'), iter(items)
    for endpoint, decision in zip(batch.endpoints, decisions, strict=True):
        item = next(left) if endpoint.id else None
        more = len(json.dumps(item)) + len(", ")
        fits = item is not None and size + more <= LARGEST_REPLY
        if item is not None and fits:
            taken.append(item)
            size += more
        answered.append(
            decision
            if fits or not decision.stays
            else Decision(keep=False, stays=False, reason="no_scores")
        )
    return taken, answered


def describe_decision(decision: Decision, rules: Rules, model: str) -> dict[str, Any]:
    """One profile's ResultData. A journey's "Check attributes" block reads `$.LambdaInvocation.ResultData.decision`."""
    if rules.mode == "shadow":
        return {
            "score": None,
            "decision": "keep" if decision.stays else "drop",
            "band": None,
            "holdout": False,
            "reason": "shadow" if decision.stays else decision.reason,
            "model": model,
        }
    external = {"external": flatten_texts(decision.external)} if decision.external else {}
    return {
        "score": decision.score,
        "decision": "keep" if decision.stays else "drop",
        "band": decision.band.name if decision.band else None,
        "holdout": decision.holdout,
        "reason": decision.reason,
        "model": model,
        **external,
    }


def flatten_texts(attributes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """One text a name, as AWS's migration of endpoints to profiles has it: several values of X become X_1, X_2, ..."""
    flat: dict[str, str] = {}
    for name, texts in attributes.items():
        flat |= (
            {name: texts[0]}
            if len(texts) == 1
            else {f"{name}_{index}": text for index, text in enumerate(texts, 1)}
        )
    return flat


def build_event(
    profiles: Mapping[str, str], *, campaign_id: str, run_id: str, action_id: str
) -> dict[str, Any]:
    """The event that Connect sends for a batch, ProfileId -> CustomerData (JSON text). The idempotency token is the ProfileId's place."""
    return {
        "InvocationMetadata": {
            "CampaignContext": {
                "CampaignId": campaign_id,
                "RunId": run_id,
                "ActionId": action_id,
                "CampaignName": campaign_id,
            }
        },
        "Items": {
            "CustomerProfiles": [
                {"ProfileId": id_, "CustomerData": data, "IdempotencyToken": f"{run_id}:{index}"}
                for index, (id_, data) in enumerate(profiles.items())
            ]
        },
    }


def read_reply(reply: object, sent: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read an answer as the host would: ProfileId -> ResultData. Raises ReplyError for what is no answer or names an unknown profile.

    A profile that is not answered, or whose ResultData is over 32 KB, is missing from the result: an error for that profile only.
    """
    items = read_object(reply, "Items").get("CustomerProfiles") if isinstance(reply, dict) else None
    if not isinstance(items, list):
        raise ReplyError("$.Items.CustomerProfiles: expected a list")
    known, results = set(sent), {}
    for index, item in enumerate(items):
        id_ = read_text(item, "Id") if isinstance(item, dict) else None
        if id_ not in known:
            raise ReplyError(
                f"$.Items.CustomerProfiles[{index}].Id: expected a ProfileId that the event held"
            )
        result = item.get("ResultData")
        if isinstance(result, dict) and len(json.dumps(result)) <= LARGEST_RESULT:
            results[str(id_)] = result
    return results
