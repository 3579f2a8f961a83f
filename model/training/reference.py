"""The reference time of ages: written to a manifest, read from it, and said in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Any, TypeAlias

from model.bundle import Bundle
from model.features import FeatureSpec
from model.values import parse_time

AS_OF = "as_of"
# The spec of an earlier bundle, and the reference time of ages that it records
Recorded: TypeAlias = tuple[FeatureSpec, float | None]


def record_reference(as_of: float | None, spec: FeatureSpec) -> dict[str, Any]:
    """`as_of` of a manifest: the reference time of ages, or null for each outcome's own date.

    Empty for a spec without ages.
    """
    if not spec.needs_time:
        return {}
    if as_of is None:
        return {AS_OF: None}
    return {AS_OF: datetime.fromtimestamp(as_of, UTC).isoformat().replace("+00:00", "Z")}


def find_recorded(manifest: Mapping[str, Any]) -> float | None:
    """The reference time that a manifest records, in seconds since 1970 UTC; None without one."""
    text = manifest.get(AS_OF)
    moment = parse_time(text) if isinstance(text, str) else float("nan")
    return None if isnan(moment) else moment


def list_recorded(bundles: Sequence[Bundle]) -> tuple[Recorded, ...]:
    """The spec of each bundle, and the reference time that it records."""
    return tuple((bundle.spec, find_recorded(bundle.manifest)) for bundle in bundles)


def describe_reference(facts: Mapping[str, Any]) -> str:
    """What ages are measured against; empty where there are no ages."""
    if AS_OF not in facts:
        return ""
    text = facts[AS_OF]
    return f"ages as of {text.removesuffix('T00:00:00Z') if text else 'the date of each outcome'}"
