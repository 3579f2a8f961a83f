"""Reads a request over HTTP: who calls, then its form, then the people and the campaign in it.

Takes the event of a Lambda Function URL or of API Gateway (payload format 2.0). Gives the parts, or
a RefusedRequest that holds no value of the request. Decides on nobody.

Sources: AWS Lambda developer guide, "Invoking Lambda function URLs"; API Gateway developer guide,
"Working with AWS Lambda proxy integrations for HTTP APIs"; RFC 9110, RFC 6750.
"""

from __future__ import annotations

import binascii
import codecs
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from function.hosts.reading import read_object, read_text
from function.records import Context, RefusedRequest
from model.document_types import DOCUMENT_FIELDS
from model.values import parse_time

# As text in Lambda's event every quote of a body takes two bytes, and an event has at most 6 MB.
LARGEST_BODY = 3_000_000
MOST_PEOPLE = 200
LONGEST_BUDGET = 30_000  # milliseconds
MOST_DIGITS = 5
LONGEST_INTEGER = 400  # digits; Python reads no integer of more than 4,300
BUDGET_HEADER = "scorer-budget-ms"
CAMPAIGN_FIELDS = ("application_id", "campaign_id", "treatment_id", "scheduled_time")
EXPECTED = "$: expected people, a list; or one document, with a field such as Id or Attributes"


class Access(msgspec.Struct, frozen=True):
    """Who is answered. Without digests: callers that IAM has authenticated, and nobody else.

    digests  SHA-256 of each valid shared secret; one of them must come as a bearer token
    """

    digests: tuple[bytes, ...] = ()


class WebRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted request. `people` are any JSON values; `patience` in seconds."""

    people: list[Any]
    context: Context
    patience: float | None


def make_access(secrets: tuple[str, ...]) -> Access:
    """Callers with one of these secrets are answered; without secrets, those that IAM knows."""
    return Access(tuple(hashlib.sha256(secret.encode()).digest() for secret in secrets))


def read_request(event: Mapping[str, Any], access: Access) -> WebRequest | RefusedRequest:
    """Read a request, or say why it is refused. The caller is checked before anything else."""
    headers = read_headers(event)
    refusal = refuse_caller(event, headers, access) or refuse_form(event, headers)
    if refusal is not None:
        return refusal
    patience = read_patience(headers)
    if isinstance(patience, RefusedRequest):
        return patience
    body = read_body(event)
    if isinstance(body, RefusedRequest):
        return body
    content = decode_json(body)
    return content if isinstance(content, RefusedRequest) else read_content(content[0], patience)


def read_headers(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headers by their names in small letters, as AWS sends them; RFC 9110 ignores the case."""
    return {name.lower(): value for name, value in read_object(event, "headers").items()}


def refuse_caller(
    event: Mapping[str, Any], headers: Mapping[str, Any], access: Access
) -> RefusedRequest | None:
    """Refuse a caller that has not proved who it is."""
    if not access.digests:
        authorizer = read_object(read_object(event, "requestContext"), "authorizer")
        if read_object(authorizer, "iam"):
            return None
        return RefusedRequest(status=403, detail="expected a request that IAM has authenticated")
    scheme, _, token = (read_text(headers, "authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and is_secret(token.strip(), access):
        return None
    return RefusedRequest(status=401, detail="expected Authorization: Bearer and a valid secret")


def is_secret(token: str, access: Access) -> bool:
    """Whether a text is one of the valid secrets. Takes the same time whichever it is, or none."""
    import hmac  # noqa: PLC0415  # only where secrets are used

    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    found = False
    for known in access.digests:
        found |= hmac.compare_digest(digest, known)
    return found


def refuse_form(event: Mapping[str, Any], headers: Mapping[str, Any]) -> RefusedRequest | None:
    """Refuse other methods than POST, other media types than JSON, and compressed bodies."""
    if read_text(read_object(read_object(event, "requestContext"), "http"), "method") != "POST":
        return RefusedRequest(status=405, detail="expected the method POST")
    media = (read_text(headers, "content-type") or "").partition(";")[0].strip().lower()
    if media != "application/json":
        return RefusedRequest(status=415, detail="expected Content-Type: application/json")
    if (read_text(headers, "content-encoding") or "identity").strip().lower() != "identity":
        return RefusedRequest(status=415, detail="expected a body without Content-Encoding")
    return None


def read_patience(headers: Mapping[str, Any]) -> float | RefusedRequest | None:
    """The seconds that the caller waits, None if it does not say."""
    if BUDGET_HEADER not in headers:
        return None
    text = read_text(headers, BUDGET_HEADER) or ""
    is_whole = len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal()
    if not is_whole or not 1 <= int(text) <= LONGEST_BUDGET:
        detail = f"expected whole milliseconds from 1 to {LONGEST_BUDGET} in {BUDGET_HEADER}"
        return RefusedRequest(status=400, detail=detail)
    return int(text) / 1000


def read_body(event: Mapping[str, Any]) -> bytes | RefusedRequest:
    """The bytes of the body."""
    text = read_text(event, "body") or ""
    try:
        if event.get("isBase64Encoded") is True:
            body = binascii.a2b_base64(text, strict_mode=True)
        else:
            body = text.encode()
    except ValueError:  # binascii.Error, UnicodeEncodeError
        return RefusedRequest(status=400, detail="expected a body of JSON in UTF-8")
    if len(body) > LARGEST_BODY:
        return RefusedRequest(
            status=413, detail=f"expected a body of at most {LARGEST_BODY:,} bytes"
        )
    return body


def decode_json(body: bytes) -> tuple[Any] | RefusedRequest:
    """Decode a body; the value in a tuple.

    msgspec refuses 1e400, NaN and lone surrogates, of which one person would cost all others their
    answer. The standard library reads them, and they are left out of the document later. It would
    read UTF-16 too, and refuse a long integer.
    """
    try:
        return (msgspec.json.decode(body),)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass")
        return (json.loads(text, parse_int=read_integer),)
    except RecursionError:
        return RefusedRequest(status=400, detail="expected JSON that is nested less deeply")
    except ValueError:
        return RefusedRequest(status=400, detail="expected a body of JSON in UTF-8")


def read_integer(text: str) -> float:
    """An integer of JSON; of more digits than a float has, the float, which may be infinite."""
    return int(text) if len(text) <= LONGEST_INTEGER else float(text)


def read_content(content: object, patience: float | None) -> WebRequest | RefusedRequest:
    """Read what a body says: people with a campaign, or one document."""
    if not isinstance(content, dict) or DOCUMENT_FIELDS.union({"people"}).isdisjoint(content):
        return RefusedRequest(status=422, detail=EXPECTED)
    if "people" not in content:
        return WebRequest(people=[content], context=Context(), patience=patience)
    context = read_campaign(content.get("campaign"))
    refusal = refuse_people(content) or context
    if isinstance(refusal, RefusedRequest):
        return refusal
    return WebRequest(people=content["people"], context=refusal, patience=patience)


def refuse_people(content: Mapping[str, Any]) -> RefusedRequest | None:
    """Refuse a list of people that is none, or is too long, or stands beside unknown fields."""
    people = content["people"]
    if not isinstance(people, list):
        return RefusedRequest(status=422, detail="$.people: expected a list of documents")
    if not content.keys() <= {"people", "campaign"}:
        return RefusedRequest(
            status=422, detail="$: expected no other fields than people and campaign"
        )
    if len(people) > MOST_PEOPLE:
        return RefusedRequest(
            status=413, detail=f"$.people: expected at most {MOST_PEOPLE} documents"
        )
    return None


def read_campaign(campaign: object) -> Context | RefusedRequest:
    """Read the campaign, which the policy's overrides match and ages are measured against."""
    if campaign is None:
        return Context()
    if not isinstance(campaign, dict) or not campaign.keys() <= set(CAMPAIGN_FIELDS):
        names = ", ".join(CAMPAIGN_FIELDS)
        detail = f"$.campaign: expected an object with no other fields than {names}"
        return RefusedRequest(status=422, detail=detail)
    texts: dict[str, str | None] = {}
    for name in CAMPAIGN_FIELDS:
        texts[name] = read_text(campaign, name)
        if texts[name] is None and campaign.get(name) is not None:
            return RefusedRequest(status=422, detail=f"$.campaign.{name}: expected text")
    scheduled = texts.pop("scheduled_time")
    reference = parse_time(scheduled or "")
    if scheduled is not None and math.isnan(reference):
        detail = "$.campaign.scheduled_time: expected a time in ISO 8601"
        return RefusedRequest(status=422, detail=detail)
    return Context(**texts, reference=None if math.isnan(reference) else reference)
