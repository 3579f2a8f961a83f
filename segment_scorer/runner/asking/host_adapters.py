"""The two hosts' sides of a call: what is sent for a batch, and what became of each person by the answer.

Takes records and config; gives events, and fates. Only the modules in `function.hosts` know the shapes. Keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from function.errors import ReplyError
from function.hosts.connect import CONNECT
from function.hosts.pinpoint import PINPOINT
from function.records import Band, Campaign, Decision, Reason
from model.customer_profile import document_to_profile
from model.people.records import Record
from segment_scorer.runner.config import RunConfig

KEPT, FILTERED, FAILED = "kept", "filtered", "failed"
_encode = msgspec.json.Encoder().encode
REASONS = {reason.value: reason for reason in Reason}


# What became of one person: kept, filtered or failed; the record to keep; and the decision, where it can be known. A plain tuple, since
# one is made for everybody.
Outcome: TypeAlias = tuple[str, dict[str, Any] | None, Decision | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAdapter:
    """One host's manner. `most_bytes`: of the records in one event, so that the event stays below Lambda's 6 MB.

    make_entry   a record -> what of it goes into the event
    build_event  id -> entry -> the event
    read_reply   the reply and the ids sent -> id -> what was answered; raises ReplyError
    classify     id, its record, what was answered (None: nothing), the decision if it was seen -> Outcome
    """

    limit_seconds: float
    most_bytes: int
    make_entry: Callable[[Record], Any]
    build_event: Callable[[Mapping[str, Any], RunConfig], dict[str, Any]]
    read_reply: Callable[[object, Any], Mapping[str, dict[str, Any]]]
    classify: Callable[[str, Record, dict[str, Any] | None, Decision | None], Outcome]


def name_campaign(config: RunConfig) -> Campaign:
    """The campaign that the run's events name."""
    return Campaign(
        application_id=config.application_id,
        campaign_id=config.campaign_id,
        treatment_id=config.treatment_id,
        activity_id=config.activity_id,
        scheduled_time=config.scheduled_time,
    )


def build_pinpoint_event(people: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    """Pinpoint's campaign hook event."""
    return PINPOINT.build_event(people, name_campaign(config))


def classify_definition(
    id_: str, _record: Record, definition: dict[str, Any] | None, decision: Decision | None
) -> Outcome:
    """On Pinpoint whoever is in the answer is kept, as returned; everybody else is left out."""
    if definition is None:
        return FILTERED, None, decision
    kept = {"Id": id_, **definition}
    if "Id" in definition:
        kept["Id"] = id_
    return KEPT, kept, decision


def drop_id(record: Record) -> dict[str, Any]:
    """A definition as a hook gets it: without its Id."""
    record.document.pop("Id", None)
    return record.document


def write_customer_data(record: Record) -> str:
    """The profile as JSON text, its own or the one that AWS's migration would have made of the endpoint."""
    profile = record.profile if record.profile is not None else document_to_profile(record.document)
    return _encode(profile).decode()


def build_connect_event(people: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    """Connect's custom action event."""
    return CONNECT.build_event(people, name_campaign(config))


def read_results(reply: object, sent: Any) -> dict[str, dict[str, Any]]:
    """`CONNECT.read_reply`, which measures results as JSON, of an answer that may hold anything."""
    try:
        _encode(reply)
    except (
        TypeError,
        ValueError,
        RecursionError,
        OverflowError,
    ) as error:  # of a function in this process
        raise ReplyError("$: expected JSON") from error
    return CONNECT.read_reply(reply, sent)


def classify_result(
    id_: str, record: Record, result: dict[str, Any] | None, decision: Decision | None
) -> Outcome:
    """On Connect every profile is answered for itself: one without a decision is an error, for that profile only."""
    outcome = {"keep": KEPT, "drop": FILTERED}.get(str((result or {}).get("decision")), FAILED)
    if result is None or outcome == FAILED:
        return FAILED, None, None
    kept = record.profile if record.profile is not None else {**record.document, "Id": id_}
    return outcome, kept if outcome == KEPT else None, decision or read_result(result)


def read_result(result: Mapping[str, Any]) -> Decision:
    """The decision that a ResultData tells of. In modes annotate and shadow `keep` is what happens, not what the rules say."""
    score, reason, band = result.get("score"), result.get("reason"), result.get("band")
    keep = result.get("decision") == "keep"
    plain = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    return Decision(
        keep=keep,
        stays=keep,
        reason=REASONS.get(reason, Reason.UNKNOWN) if isinstance(reason, str) else Reason.UNKNOWN,
        score=float(score) if plain else None,  # type: ignore[arg-type]  # `plain` says that it is a number
        band=Band(name=band, at_least=0.0) if isinstance(band, str) and band else None,
        holdout=result.get("holdout") is True,
    )


HOST_ADAPTERS = {
    "pinpoint": HostAdapter(
        limit_seconds=PINPOINT.limit_seconds,
        most_bytes=5_000_000,
        make_entry=drop_id,
        build_event=build_pinpoint_event,
        read_reply=PINPOINT.read_reply,
        classify=classify_definition,
    ),
    "connect": HostAdapter(
        limit_seconds=CONNECT.limit_seconds,
        most_bytes=2_500_000,  # JSON text inside JSON: every quote takes two bytes
        make_entry=write_customer_data,
        build_event=build_connect_event,
        read_reply=read_results,
        classify=classify_result,
    ),
}
