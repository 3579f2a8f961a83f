"""Writes the JSON Schema and the OpenAPI file of decisions over HTTP. `--check` compares.

Limits, names and statuses are those of the code in `function.hosts`. Run it as
`python -m tools.web_schema` from the root of the project.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from function.hosts.web import LONGEST_ID, OK, TITLES
from function.hosts.web_request import (
    BUDGET_HEADER,
    CAMPAIGN_FIELDS,
    LARGEST_BODY,
    LONGEST_BUDGET,
    MOST_PEOPLE,
)
from function.records import Reason
from model.document_types import Document

ROOT = Path(__file__).parents[1]
SCHEMA, OPENAPI = ROOT / "docs" / "web.schema.json", ROOT / "docs" / "web.openapi.json"
NAMES = "#/components/schemas/{name}"

Campaign = msgspec.defstruct(
    "WebCampaign",
    [(name, str | None, None) for name in CAMPAIGN_FIELDS],
    forbid_unknown_fields=True,
)


class WebPeople(msgspec.Struct, forbid_unknown_fields=True):
    """People, and the campaign that they are asked about."""

    people: Annotated[list[Document], msgspec.Meta(max_length=MOST_PEOPLE)]
    campaign: Campaign | None = None  # type: ignore[valid-type]  # made from the code's names


class WebDecision(msgspec.Struct):
    """The decision on one person. `excluded_by` only of a person whom `[[exclude]]` leaves out."""

    id: Annotated[str, msgspec.Meta(max_length=LONGEST_ID)] | None
    decision: Literal["keep", "drop"]
    selected: bool | None
    holdout: bool
    score: Annotated[float, msgspec.Meta(ge=-1, le=1)] | None
    band: str | None
    reason: Literal[tuple(str(reason) for reason in Reason if reason)]  # type: ignore[valid-type]
    attributes: dict[str, list[str]]
    excluded_by: str | msgspec.UnsetType = msgspec.UNSET


class WebDecisions(msgspec.Struct):
    """One decision a person, in the order of the request."""

    people: list[WebDecision]


class WebProblem(msgspec.Struct):
    """Why a request is refused: RFC 9457. `detail` holds no value of the request."""

    type: Literal["about:blank"]
    title: Literal[tuple(TITLES.values())]  # type: ignore[valid-type]  # made from the code's
    status: Literal[tuple(TITLES)]  # type: ignore[valid-type]
    detail: str


TYPES = (WebPeople, Document, WebDecisions, WebProblem)


def write_schema() -> dict[str, Any]:
    """The JSON Schema: a request, an answer or a problem, each in `$defs`."""
    _, parts = msgspec.json.schema_components(TYPES, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Segment Scorer: decisions over HTTP",
        "$defs": parts,
    }


def write_openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 file."""
    _, parts = msgspec.json.schema_components(TYPES, ref_template=NAMES)
    # Not oneOf: a document may have fields of any name, so that a list of people is one, too.
    request = {"anyOf": [{"$ref": NAMES.format(name=name)} for name in ("WebPeople", "Document")]}
    problem = {"application/problem+json": {"schema": {"$ref": NAMES.format(name="WebProblem")}}}
    answer = {"application/json": {"schema": {"$ref": NAMES.format(name="WebDecisions")}}}
    responses: dict[str, Any] = {str(OK): {"description": "Decisions", "content": answer}}
    for status, title in TITLES.items():
        responses[str(status)] = {"description": title, "content": problem}
    budget = {
        "name": BUDGET_HEADER,
        "in": "header",
        "description": "Milliseconds that the caller waits; never more than the function has.",
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_BUDGET},
    }
    body = {
        "required": True,
        "description": f"People, or one document; at most {LARGEST_BODY:,} bytes.",
        "content": {"application/json": {"schema": request}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Segment Scorer: decisions over HTTP", "version": "1"},
        "paths": {
            "/": {
                "post": {
                    "operationId": "decide",
                    "summary": "Decide whom to message",
                    "parameters": [budget],
                    "requestBody": body,
                    "responses": responses,
                    "security": [{"secret": []}, {"iam": []}],
                }
            }
        },
        "components": {
            "schemas": parts,
            "securitySchemes": {
                "secret": {"type": "http", "scheme": "bearer"},
                "iam": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4",
                },
            },
        },
    }


def render(content: Mapping[str, Any]) -> str:
    """A file's text."""
    return json.dumps(content, indent=2) + "\n"


def main() -> int:
    """Run the command. Exit status 1: a committed file is stale."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.web_schema", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a committed file differs"
    )
    options = parser.parse_args()
    made = {SCHEMA: render(write_schema()), OPENAPI: render(write_openapi())}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if options.check:
            print(f"{path.name}: stale; python -m tools.web_schema writes it", file=sys.stderr)
        else:
            path.write_text(made[path], "utf-8")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
