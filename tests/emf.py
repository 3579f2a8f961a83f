"""CloudWatch's embedded metric format as a JSON schema, and the checks that no schema can make.

Written from the Amazon CloudWatch user guide, "Specification: Embedded metric format" (members,
their types and limits) and from the limits of dimensions in its API reference.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema

MOST_BYTES = 262_144
UNITS = [
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
    *(f"{size}{per}" for per in ("", "/Second") for size in ("Bytes", "Kilobytes", "Megabytes")),
    *(f"{size}{per}" for per in ("", "/Second") for size in ("Gigabytes", "Terabytes")),
    *(f"{size}{per}" for per in ("", "/Second") for size in ("Bits", "Kilobits", "Megabits")),
    *(f"{size}{per}" for per in ("", "/Second") for size in ("Gigabits", "Terabits")),
]
METRIC = {
    "type": "object",
    "required": ["Name"],
    "additionalProperties": False,
    "properties": {
        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
        "Unit": {"enum": UNITS},
        "StorageResolution": {"enum": [1, 60]},
    },
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "pattern": "^[A-Za-z0-9._/#:-]+$",
        },
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "maxItems": 30,
                "uniqueItems": True,
                "items": {"type": "string", "minLength": 1, "maxLength": 250},
            },
        },
        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": METRIC},
    },
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 0},
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": DIRECTIVE},
            },
        }
    },
}
NUMBERS = {
    "oneOf": [
        {"type": "number"},
        {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "number"}},
    ]
}
DIMENSION_VALUE = {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[ -~]+$"}


def check_emf(line: str) -> dict[str, Any]:
    """The record in a log line; fails unless CloudWatch takes every metric of it."""
    assert len(line.encode()) <= MOST_BYTES
    record: dict[str, Any] = json.loads(line)
    jsonschema.Draft202012Validator(SCHEMA).validate(record)
    for directive in record["_aws"]["CloudWatchMetrics"]:
        names = [metric["Name"] for metric in directive["Metrics"]]
        assert len(set(names)) == len(names)
        for name in names:  # each metric is a member of the root
            jsonschema.validate(record.get(name), NUMBERS)
        for dimension in {name for names in directive["Dimensions"] for name in names}:
            jsonschema.validate(record.get(dimension), DIMENSION_VALUE)
    return record
