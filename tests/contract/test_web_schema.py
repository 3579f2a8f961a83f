"""docs/web.schema.json and docs/web.openapi.json say what the host over HTTP does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from openapi_spec_validator import validate

from tests.rooms import make_handler
from tests.strategies import POLICIES, WEB_EVENTS
from tools.web_schema import OPENAPI, SCHEMA, render, write_openapi, write_schema

EVENTS = Path(__file__).parents[1] / "events"
PARTS = json.loads(SCHEMA.read_text("utf-8"))


def check(content: Any, name: str) -> None:
    """Raise ValidationError unless `content` is what the schema says of `name`."""
    jsonschema.Draft202012Validator({**PARTS, "$ref": f"#/$defs/{name}"}).validate(content)


def test_the_files_are_those_that_the_code_writes() -> None:
    assert SCHEMA.read_text("utf-8") == render(write_schema())
    assert OPENAPI.read_text("utf-8") == render(write_openapi())


def test_the_openapi_file_is_one() -> None:
    validate(json.loads(OPENAPI.read_text("utf-8")))


def test_the_openapi_file_lets_both_forms_of_a_request_in() -> None:
    whole = json.loads(OPENAPI.read_text("utf-8"))
    body = whole["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    request = jsonschema.Draft202012Validator({**whole, **body})
    person = {"Id": "a", "Metrics": {"Purchases": 4}}
    for content in (person, {"people": [person]}, {"people": [], "campaign": {}}):
        request.validate(content)
    for content in ([person], {"Id": 7}, {"people": [7], "Metrics": 7}):
        with pytest.raises(jsonschema.ValidationError):
            request.validate(content)


def test_the_recorded_request_is_as_the_schema_says() -> None:
    content = json.loads(json.loads((EVENTS / "web.json").read_text("utf-8"))["body"])
    check(content, "WebPeople")
    with pytest.raises(jsonschema.ValidationError):
        check({**content, "campaing": {}}, "WebPeople")


@given(event=WEB_EVENTS, policy=POLICIES)
def test_every_answer_is_as_the_schema_says(event: dict[str, Any], policy: dict[str, Any]) -> None:
    reply = make_handler(policy)(event)
    check(json.loads(reply["body"]), "WebDecisions" if reply["statusCode"] == 200 else "WebProblem")
