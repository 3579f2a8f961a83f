"""Decisions over HTTP, for every sender that can call a URL; both sides of it.

Answers every person of a request, in order. Never answers a caller that has not proved who it is.
Sources: AWS Lambda developer guide, "Invoking Lambda function URLs" (payload format 2.0); RFC 9457,
"Problem Details for HTTP APIs".
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from function.errors import ReplyError
from function.hosts.host import Host
from function.hosts.reading import LARGEST_REPLY, read_object, read_text
from function.hosts.results import describe_result
from function.hosts.web_request import Access, read_request
from function.marshaller import measure_reply
from function.policy import Rules, attributes_for
from function.records import (
    Batch,
    Campaign,
    Context,
    Decision,
    Endpoint,
    HostName,
    RefusedRequest,
    Reply,
)
from model.document import inspect_document, is_encodable
from model.errors import name_kind
from model.paths import find_user

LONGEST_ID = 256  # characters
# JSON text as text inside JSON: quotes and backslashes take two bytes instead of one.
MOST_GROWTH = 2
# Beside the body: status, headers and punctuation.
LONGEST_HEAD = 500
OK = 200
# RFC 9110, section 15.5; the module `http` has them too, and would be loaded at every cold start.
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
}
MORE_HEADERS = {401: {"www-authenticate": "Bearer"}, 405: {"allow": "POST"}}
_encode = msgspec.json.Encoder().encode


class WebHost(Host):
    """A caller over HTTP: a batch is a list of documents, and the reply a list of decisions."""

    name: HostName = "web"
    annotates = False
    tells_attributes = True
    tells_decisions = True
    # API Gateway developer guide, quotas of HTTP APIs: an integration has at most 30 s.
    limit_seconds = 30.0

    def __init__(self, access: Access = Access()) -> None:  # noqa: B008  # frozen
        """`access` says who is answered."""
        self._access = access

    def is_event(self, event: Mapping[str, Any]) -> bool:
        """Whether `$.requestContext.http` is an object, as in payload format 2.0."""
        return bool(read_object(read_object(event, "requestContext"), "http"))

    def parse_event(self, event: Mapping[str, Any]) -> Batch:
        """Read an event for which `is_event` holds. A refused request is a batch of nobody."""
        request = read_request(event, self._access)
        if isinstance(request, RefusedRequest):
            return Batch(host="web", context=Context(), endpoints=(), refusal=request)
        parsed = [parse_person(index, value) for index, value in enumerate(request.people)]
        return Batch(
            host="web",
            context=request.context,
            endpoints=tuple(endpoint for endpoint, _ in parsed),
            unencodable=sum(lost for _, lost in parsed),
            patience=request.patience,
        )

    def name_document(self, index: int) -> str:
        """See `Host`. A single document counts as the first of a list."""
        return f"$.people[{index}]"

    def build_reply(
        self,
        batch: Batch,
        decisions: Sequence[Decision],
        rules: Rules,
        model: str,  # noqa: ARG002  # only Connect's reply names the model
    ) -> Reply:
        """Build the answer: `{"people": [...]}`, one entry a person in the order received.

        An answer that is larger than Lambda allows loses every `attributes`. It then fits: a
        request has at most 200 people, an id at most 256 characters, a band 1,000. A refused
        request is answered by a problem (RFC 9457).
        """
        if batch.refusal is not None:
            return Reply(
                body=describe_refusal(batch.refusal),
                decisions=decisions,
                status=batch.refusal.status,
            )
        people = [
            {
                "id": endpoint.id or None,
                **describe_result(decision, rules),
                "attributes": attributes_for(endpoint, decision, rules),
            }
            for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
        ]
        body = answer({"people": people})
        dropped = is_too_large(body)
        if dropped:
            body = answer({"people": [{**person, "attributes": {}} for person in people]})
        return Reply(body=body, decisions=decisions, annotations_dropped=dropped, status=OK)

    def build_event(self, people: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
        """Build the event of a Function URL, called by somebody whom IAM has authenticated."""
        content = {
            "people": [{**document, "Id": id_} for id_, document in people.items()],
            "campaign": {
                "application_id": campaign.application_id,
                "campaign_id": campaign.campaign_id,
                "treatment_id": campaign.treatment_id,
                "scheduled_time": campaign.scheduled_time,
            },
        }
        try:
            body = _encode(content).decode()
        except UnicodeEncodeError:  # a lone surrogate: an escape sequence, as it arrived
            body = json.dumps(content)
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/",
            "rawQueryString": "",
            "headers": {"content-type": "application/json"},
            "requestContext": {
                "authorizer": {"iam": {"userId": "segment-scorer"}},
                "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1"},
                "routeKey": "$default",
                "stage": "$default",
            },
            "body": body,
            "isBase64Encoded": False,
        }

    def read_reply(self, reply: object, sent: Collection[str]) -> dict[str, dict[str, Any]]:
        """Read id -> entry of an answer. Raises ReplyError for another form or an unknown id.

        A person without an entry is missing from what is returned: that person alone has failed.
        """
        if not isinstance(reply, dict):
            raise ReplyError(f"$: expected an answer with $.statusCode, found {name_kind(reply)}")
        status, text = reply.get("statusCode"), read_text(reply, "body")
        if status != OK:
            found = status if isinstance(status, int) and status in TITLES else "another"
            raise ReplyError(f"$.statusCode: expected {OK}, found {found}")
        known, entries = set(sent), {}
        for index, entry in enumerate(read_people(text or "")):
            id_ = read_text(entry, "id") if isinstance(entry, dict) else None
            if id_ not in known:
                found = "no text" if id_ is None else "another id"
                raise ReplyError(
                    f"$.people[{index}].id: expected an id of the request, found {found}"
                )
            entries[str(id_)] = entry
        return entries


WEB = WebHost()


def parse_person(index: int, value: object) -> tuple[Endpoint, int]:
    """Read one document; and count what no JSON text in UTF-8 can carry in it.

    A person may come without an Id, and is then answered without one.
    """
    found = inspect_document(value)
    id_ = value.get("Id") if isinstance(value, dict) else None
    usable = id_ if isinstance(id_, str) and is_usable_id(id_) else ""
    problem, lost = None, found.lost
    if found.document is None:
        problem = f"$.people[{index}]: expected an object, found {name_kind(value)}"
    elif id_ is not None and not usable:
        problem = f"$.people[{index}].Id: expected text of 1 to {LONGEST_ID} characters in UTF-8"
    return (
        Endpoint(
            id=usable,
            document=found.document,
            user=find_user(value) if found.lost else None,  # cleaning may cost a UserId
            typed=found.typed and not found.lost,
            problem=problem,
        ),
        lost,
    )


def is_usable_id(id_: str) -> bool:
    """Whether a person can be answered by this id."""
    return 1 <= len(id_) <= LONGEST_ID and is_encodable(id_)


def answer(
    content: Mapping[str, Any], status: int = OK, media: str = "application/json", **more: str
) -> dict[str, Any]:
    """An answer in payload format 2.0."""
    return {
        "statusCode": status,
        "headers": {"content-type": media, "cache-control": "no-store", **more},
        "body": _encode(content).decode(),
        "isBase64Encoded": False,
    }


def describe_refusal(refusal: RefusedRequest) -> dict[str, Any]:
    """The problem of RFC 9457 that answers a refused request."""
    more = MORE_HEADERS.get(refusal.status, {})
    problem = {
        "type": "about:blank",
        "title": TITLES[refusal.status],
        "status": refusal.status,
        "detail": refusal.detail,
    }
    return answer(problem, refusal.status, "application/problem+json", **more)


def is_too_large(body: Mapping[str, Any]) -> bool:
    """Whether the reply is larger than Lambda allows. Encodes it only if an upper bound says so."""
    bound = MOST_GROWTH * len(body["body"].encode()) + LONGEST_HEAD
    return bound > LARGEST_REPLY and measure_reply(body) > LARGEST_REPLY


def read_people(text: str) -> list[Any]:
    """Read the list `$.people` of an answer. Raises ReplyError."""
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ReplyError("$.body: expected JSON, found other text") from error
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise ReplyError(f"$.people: expected a list, found {name_kind(people)}")
    return people
