"""Host adapters for the runner: build the event for a batch, and classify each person by the reply.

Input: records and the run's configuration. Output: events and outcomes. Stateless.
Event and reply formats belong to `function.hosts`; this module only calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from function.errors import ReplyError
from function.exclude_values import REASON
from function.hosts.connect import CONNECT
from function.hosts.host import Host
from function.hosts.pinpoint import PINPOINT
from function.hosts.web import WEB
from function.records import Band, Campaign, Context, Decision, Reason
from model.customer_profile import document_to_profile, profile_to_event
from model.people.records import Record
from model.profile_names import AWS
from model.score_kind import ScoreKind
from segment_scorer.runner.asking.web_caller import check_status
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.summary import Status

REASONS = {reason.value: reason for reason in Reason}
RESULT_STATUS = {"keep": Status.KEPT, "drop": Status.FILTERED}
_encode = msgspec.json.Encoder().encode


class Outcome(NamedTuple):
    """What happened to one person.

    status    kept, filtered or failed
    record    the record to write, if kept
    decision  the policy's decision, if the host reports it
    """

    status: Status
    record: dict[str, Any] | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAdapter:
    """How the runner uses one host.

    most_bytes   of the records in one event, so that the event stays below Lambda's 6 MB
    make_entry   record, configuration -> its part of the event
    read_reply   reply, ids sent -> id -> its part of the reply; raises ReplyError
    classify     id, record, its part of the reply (None: missing), decision if known, what scores
                 mean -> Outcome
    has_url      the event holds a request, which can be sent to a URL
    """

    host: Host
    most_bytes: int
    make_entry: Callable[[Record, RunConfig], Any]
    read_reply: Callable[[object, Any], Mapping[str, dict[str, Any]]]
    classify: Callable[[str, Record, dict[str, Any] | None, Decision | None, ScoreKind], Outcome]
    has_url: bool = False

    def build_event(self, people: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
        """Build the event for a batch: id -> entry."""
        campaign = Campaign(
            application_id=config.application_id,
            campaign_id=config.campaign_id,
            treatment_id=config.treatment_id,
            activity_id=config.activity_id,
            scheduled_time=config.scheduled_time,
        )
        return self.host.build_event(people, campaign)


def read_campaign(adapter: HostAdapter, config: RunConfig) -> Context:
    """The campaign as a host's event tells it: Connect's has no application and no treatment."""
    return adapter.host.parse_event(adapter.build_event({}, config)).context


def drop_id(record: Record, _config: RunConfig) -> dict[str, Any]:
    """Make the definition that Pinpoint sends: the document without its Id."""
    record.document.pop("Id", None)
    return record.document


def classify_definition(
    id_: str,
    _record: Record,
    definition: dict[str, Any] | None,
    decision: Decision | None,
    _score: ScoreKind,
) -> Outcome:
    """Classify by Pinpoint's reply: ids in it are kept, as returned, all others are filtered."""
    if definition is None:
        return Outcome(Status.FILTERED, None, decision)
    kept = {"Id": id_, **definition}
    if "Id" in definition:
        kept["Id"] = id_
    return Outcome(Status.KEPT, kept, decision)


def take_document(record: Record, _config: RunConfig) -> dict[str, Any]:
    """Take the document as it is; the host writes the Id into it."""
    return record.document


def write_customer_data(record: Record, config: RunConfig) -> str:
    """Write the profile as an event has it. An endpoint is migrated, by AWS's guide if none is set.

    A function that is told which migration named the attributes so finds them.
    """
    made = (
        document_to_profile(record.document, config.naming or AWS)
        if record.profile is None
        else profile_to_event(record.profile)
    )
    return _encode(made).decode()


def read_results(reply: object, sent: Any) -> dict[str, dict[str, Any]]:
    """Read Connect's reply. A function in this process may return values that JSON cannot hold."""
    try:
        _encode(reply)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ReplyError("$: expected JSON, found values that JSON cannot hold") from error
    return CONNECT.read_reply(reply, sent)


def read_answer(reply: object, sent: Any) -> dict[str, dict[str, Any]]:
    """Read an answer over HTTP. Raises HookUnreachable if the function refuses every caller so."""
    if isinstance(reply, dict):
        check_status(reply.get("statusCode"))
    return WEB.read_reply(reply, sent)


def classify_result(
    id_: str,
    record: Record,
    result: dict[str, Any] | None,
    decision: Decision | None,
    score: ScoreKind,
) -> Outcome:
    """Classify by a reply of results: a person without a valid decision failed, and only that one.

    The host over HTTP tells the attributes that the policy writes: a kept document gets them.
    """
    status = RESULT_STATUS.get(str((result or {}).get("decision")), Status.FAILED)
    if result is None or status == Status.FAILED:
        return Outcome(Status.FAILED)
    kept = None
    if status == Status.KEPT:
        kept = record.profile if record.profile is not None else {**record.document, "Id": id_}
        if record.profile is None and result.get("attributes"):
            kept = write_attributes(kept, result["attributes"])
    return Outcome(status, kept, decision or read_result(result, score))


def write_attributes(document: dict[str, Any], attributes: object) -> dict[str, Any]:
    """Write attributes into a document, as Pinpoint's reply has them; not over other content."""
    own = document.get("Attributes") or {}
    if not isinstance(own, dict) or not isinstance(attributes, dict):
        return document
    return {**document, "Attributes": {**own, **attributes}}


def read_result(result: Mapping[str, Any], kind: ScoreKind) -> Decision:
    """Read a ResultData. What it does not tell is None, and so is a score out of its range.

    In mode shadow it tells neither who was selected nor who is in the control group: it says null
    and false of everybody. Earlier releases had no `selected`.
    """
    score, reason, band = result.get("score"), result.get("reason"), result.get("band")
    selected, holdout = result.get("selected"), result.get("holdout")
    rule = result.get("excluded_by")
    is_shadow = reason == Reason.SHADOW or result.get("selected", "absent") is None
    return Decision(
        selected=selected if isinstance(selected, bool) else None,
        holdout=holdout if isinstance(holdout, bool) and not is_shadow else None,
        sent=result.get("decision") == "keep",
        reason=REASONS.get(reason, Reason.UNKNOWN) if isinstance(reason, str) else Reason.UNKNOWN,
        score=float(score) if kind.holds(score) else None,  # type: ignore[arg-type]  # is a number
        band=Band(name=band, at_least=kind.low) if isinstance(band, str) and band else None,
        excluded_by=rule if isinstance(rule, str) and REASON.fullmatch(rule) else "",
    )


HOST_ADAPTERS = {
    "pinpoint": HostAdapter(
        host=PINPOINT,
        most_bytes=5_000_000,
        make_entry=drop_id,
        read_reply=PINPOINT.read_reply,
        classify=classify_definition,
    ),
    "connect": HostAdapter(
        host=CONNECT,
        most_bytes=2_500_000,  # JSON inside a JSON string: every quote takes two bytes
        make_entry=write_customer_data,
        read_reply=read_results,
        classify=classify_result,
    ),
    "web": HostAdapter(
        host=WEB,
        most_bytes=2_000_000,  # the host refuses more than 3,000,000 bytes
        make_entry=take_document,
        read_reply=read_answer,
        classify=classify_result,
        has_url=True,
    ),
}


def read_score(definition: dict[str, Any], attribute: str, kind: ScoreKind) -> str | None:
    """Read the score that the policy wrote on a kept endpoint; None if it is out of its range."""
    attributes = definition.get("Attributes")
    values = attributes.get(attribute) if attribute and isinstance(attributes, dict) else None
    text = values[0] if isinstance(values, list) and values else values
    if not isinstance(text, str):
        return None
    try:
        score = float(text)
    except ValueError:
        return None
    return text if kind.holds(score) else None
