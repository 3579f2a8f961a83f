"""Custom action of Amazon Connect outbound campaigns, both sides of it.

Never leaves a profile out of the reply: whether to message a person is a field of the result.
Source: Amazon Connect administrator guide, "Custom action" of outbound campaign journeys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from function.errors import ReplyError
from function.hosts.host import Host
from function.hosts.reading import LARGEST_REPLY, read_object, read_text
from function.hosts.results import describe_result
from function.marshaller import measure_reply
from function.policy import Rules, leave_out
from function.records import Batch, Campaign, Context, Decision, Endpoint, HostName, Reply
from model.customer_profile import convert_profile
from model.document import clean_value, is_encodable, is_typed
from model.errors import name_kind
from model.profile_names import Naming, flatten_texts
from model.values import parse_time

LARGEST_RESULT = 32 * 1024
# A control character takes 6 bytes in JSON, any other at most 4.
MOST_GROWTH = 6
# A run's id ends in its start, <campaign>#2026-07-03T10-04-00Z, in events that were seen. AWS's own
# example, run-67890, has no time.
RUN_STARTED = re.compile(r"#(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})Z$", re.ASCII)


class ConnectHost(Host):
    """Amazon Connect: a batch is a list of customer profiles, and the reply a list of results."""

    name: HostName = "connect"
    annotates = False
    tells_attributes = False
    tells_decisions = True
    limit_seconds = 30.0

    def __init__(self, naming: Naming | None = None) -> None:
        """`naming` says how attributes are named; None: those of each profile tell it."""
        self._naming = naming

    def is_event(self, event: Mapping[str, Any]) -> bool:
        """Whether `$.Items.CustomerProfiles` is a list."""
        return isinstance(read_object(event, "Items").get("CustomerProfiles"), list)

    def parse_event(self, event: Mapping[str, Any]) -> Batch:
        """Read an event for which `is_event` holds.

        Each profile becomes an endpoint document by the table of migrations.
        """
        campaign = read_object(read_object(event, "InvocationMetadata"), "CampaignContext")
        context = Context(
            campaign_id=read_text(campaign, "CampaignId"),
            reference=read_start(read_text(campaign, "RunId") or ""),
        )
        profiles = event["Items"]["CustomerProfiles"]
        parsed = [parse_profile(index, item, self._naming) for index, item in enumerate(profiles)]
        return Batch(
            host="connect",
            context=context,
            endpoints=tuple(endpoint for endpoint, _, _ in parsed),
            unencodable=sum(lost for _, lost, _ in parsed),
            ambiguous=sum(ambiguous for _, _, ambiguous in parsed),
        )

    def name_document(self, index: int) -> str:
        """See `Host`."""
        return f"$.Items.CustomerProfiles[{index}].CustomerData"

    def build_reply(
        self, batch: Batch, decisions: Sequence[Decision], rules: Rules, model: str
    ) -> Reply:
        """Build `{"Items": {"CustomerProfiles": [{Id, ResultData}]}}`, in the order received.

        Every profile with an id gets a result: see `describe_decision`. A result over 32 KB loses
        its `external`. A reply that is larger than Lambda allows loses every `external`. If it is
        still too large (tens of thousands of profiles), the reply holds as many results as fit, in
        order, and the journey fails the other profiles one by one. With `on_error = "raise"` it
        raises ReplyError instead.
        """
        items: list[dict[str, Any]] = []
        dropped = False
        for endpoint, decision in zip(batch.endpoints, decisions, strict=True):
            if endpoint.id:
                result = describe_decision(decision, rules, model)
                if decision.external and measure_reply(result) > LARGEST_RESULT:
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
                        "$.Items.CustomerProfiles: expected results that fit into Lambda's "
                        "6 MB reply"
                    )
                items, decisions = take_fitting(items, batch, decisions)
        return Reply(
            body={"Items": {"CustomerProfiles": items}},
            decisions=decisions,
            annotations_dropped=dropped,
        )

    def build_event(self, people: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
        """Build the event for a batch, ProfileId -> CustomerData (JSON text)."""
        # Connect writes the start of a run into its id; `parse_event` measures ages against it.
        started = campaign.scheduled_time[:19].replace(":", "-")
        run_id = f"{campaign.campaign_id}#{started}Z"
        return {
            "InvocationMetadata": {
                "CampaignContext": {
                    "CampaignId": campaign.campaign_id,
                    "RunId": run_id,
                    "ActionId": campaign.activity_id,
                    "CampaignName": campaign.campaign_id,
                }
            },
            "Items": {
                "CustomerProfiles": [
                    {
                        "ProfileId": id_,
                        "CustomerData": data,
                        "IdempotencyToken": f"{run_id}:{index}",
                    }
                    for index, (id_, data) in enumerate(people.items())
                ]
            },
        }

    def read_reply(self, reply: object, sent: Collection[str]) -> dict[str, dict[str, Any]]:
        """Read ProfileId -> ResultData. Raises ReplyError for another form or an unknown profile.

        ResultData is optional: a result without it is empty. A profile without a result, or with
        one that is no object or over 32 KB, is missing from what is returned: that profile alone
        has failed.
        """
        items = (
            read_object(reply, "Items").get("CustomerProfiles") if isinstance(reply, dict) else None
        )
        if not isinstance(items, list):
            raise ReplyError(f"$.Items.CustomerProfiles: expected a list, found {name_kind(items)}")
        known, results = set(sent), {}
        for index, item in enumerate(items):
            id_ = read_text(item, "Id") if isinstance(item, dict) else None
            if id_ not in known:
                found = "no text" if id_ is None else "another id"
                raise ReplyError(
                    f"$.Items.CustomerProfiles[{index}].Id: expected a ProfileId of the event, "
                    f"found {found}"
                )
            result = {} if item.get("ResultData") is None else item["ResultData"]
            if isinstance(result, dict) and measure_reply(result) <= LARGEST_RESULT:
                results[str(id_)] = result
        return results


CONNECT = ConnectHost()


def read_start(run_id: str) -> float | None:
    """The start of a run in seconds since 1970 UTC, which its id ends in; None if it does not."""
    started = RUN_STARTED.search(run_id)
    if started is None:
        return None
    seconds = parse_time(f"{started[1]}T{started[2]}:{started[3]}:{started[4]}Z")
    return None if math.isnan(seconds) else seconds


def parse_profile(index: int, item: object, naming: Naming | None) -> tuple[Endpoint, int, bool]:
    """Read one item of the event.

    Also counts what no JSON text in UTF-8 can carry in its profile, and says whether the names of
    its attributes are ambiguous.
    An item without a ProfileId cannot be answered: its endpoint has the id "" and no document.
    """
    path = f"$.Items.CustomerProfiles[{index}]"
    id_ = read_text(item, "ProfileId") if isinstance(item, dict) else None
    if not id_ or not isinstance(item, dict) or not is_encodable(id_):
        problem = f"{path}.ProfileId: expected text of one character or more"
        return Endpoint(id="", document=None, problem=problem), 0, False
    profile, lost = read_profile(read_text(item, "CustomerData") or "")
    if profile is None:
        problem = f"{path}.CustomerData: expected the text of a JSON object"
        return Endpoint(id=id_, document=None, problem=problem), 0, False
    document, ambiguous = convert_profile(profile, naming)
    return Endpoint(id=id_, document=document, typed=is_typed(document)), lost, ambiguous


def read_profile(text: str) -> tuple[dict[str, Any] | None, int]:
    """Read the JSON object in CustomerData, None if there is none; and count what is left out.

    msgspec refuses 1e400, NaN and lone surrogates, which the Lambda runtime accepts. The standard
    library reads such a profile here. What no JSON text in UTF-8 can carry is then left out, as
    Pinpoint's host does: it is missing, and the rest of the profile counts.
    """
    lost = 0
    try:
        profile = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        try:
            profile, lost = clean_value(json.loads(text))
        except (ValueError, RecursionError):
            return None, 0
    return (profile, lost) if isinstance(profile, dict) else (None, 0)


def describe_decision(decision: Decision, rules: Rules, model: str) -> dict[str, Any]:
    """Build one profile's ResultData: score, decision, selected, band, holdout, reason, model.

    A journey's "Check attributes" block reads `$.LambdaInvocation.ResultData.decision`. If the
    policy copies external attributes, `external` holds them; of who is excluded, `excluded_by`
    holds the rule. In mode shadow the result tells only
    `decision`, so that no journey can branch on scores.
    """
    shown = {} if rules.mode == "shadow" else decision.external
    external = {"external": flatten_texts(shown)} if shown else {}
    return {**describe_result(decision, rules), "model": model, **external}


def is_too_large(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the reply is larger than Lambda allows. Encodes it only if an upper bound says so."""
    bound = sum(LARGEST_RESULT + MOST_GROWTH * len(item["Id"]) for item in items)
    if bound <= LARGEST_REPLY:
        return False
    return measure_reply({"Items": {"CustomerProfiles": items}}) > LARGEST_REPLY


def take_fitting(
    items: Sequence[dict[str, Any]], batch: Batch, decisions: Sequence[Decision]
) -> tuple[list[dict[str, Any]], list[Decision]]:
    """Take items in order while they fit; and mark the decisions of the others as left out."""
    taken: list[dict[str, Any]] = []
    answered: list[Decision] = []
    size, left = len('{"Items":{"CustomerProfiles":[]}}'), iter(items)
    for endpoint, decision in zip(batch.endpoints, decisions, strict=True):
        item = next(left) if endpoint.id else None
        more = measure_reply(item) + len(",")
        fits = item is not None and size + more <= LARGEST_REPLY
        if item is not None and fits:
            taken.append(item)
            size += more
        answered.append(decision if fits or not decision.sent else leave_out(decision))
    return taken, answered
