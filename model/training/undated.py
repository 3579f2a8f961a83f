"""Dates without a reference time in; the notice that says what is lost and proposes a time, out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isnan, nan
from typing import Any, NamedTuple

from model.dates import make_time_reader
from model.feature_paths import split_path
from model.features import FeatureSpec
from model.kinds import KINDS
from model.people.naming import name_some
from model.training.people import LEAST_WITH_FEATURE, find_value

FAR = 7 * 86_400.0  # seconds
# Names of dates that lie ahead at the moment of the export
AHEAD = re.compile(r"end|expir|until|next|due|renew|valid|deadline|departure|event", re.IGNORECASE)


class Dates(NamedTuple):
    """The dates at one path.

    newest  seconds since 1970 UTC: the newest date but for those of a few people; NaN if unknown
    form    their format; None for ISO 8601
    """

    path: str
    newest: float
    form: str | None = None


def look_at_dates(path: str, values: Sequence[Any], form: str | None) -> Dates:
    """Find the newest date. The last few are left out: they may be mistakes, and name people."""
    read = make_time_reader(form)
    times = sorted(time for value in values if not isnan(time := read(value)))
    if not times:
        return Dates(path, nan, form)
    return Dates(path, times[max(0, len(times) - LEAST_WITH_FEATURE)], form)


def look_at_spec(spec: FeatureSpec, documents: Sequence[Mapping[str, Any]]) -> tuple[Dates, ...]:
    """The dates of the features of a spec that need a reference time."""
    found = []
    for feature in spec.features:
        if KINDS[feature.kind].needs_time:
            steps = split_path(feature.path)
            values = [find_value(document, steps) for document in documents]
            found.append(look_at_dates(feature.path, values, feature.options.get("format")))
    return tuple(found)


def describe_undated(dates: Sequence[Dates]) -> list[str]:
    """The notice: how many dates are left out, and which --as-of the data suggest.

    What people did is dated up to the export, so the newest date is close to it. Dates that lie
    ahead by their name, such as the end of a contract, are only taken if there are no others. Later
    dates than the proposed one are named.
    """
    if not dates:
        return []
    many = "1 date is" if len(dates) == 1 else f"{len(dates)} dates are"
    lost = (
        f"{many} left out, because nothing says what ages are measured against: "
        f"{name_some([each.path for each in dates])}"
    )
    known = [each for each in dates if not isnan(each.newest)]
    if not known:
        return [f"{lost}. Pass --as-of TIME, the moment of the export"]
    past = [each for each in known if AHEAD.search(each.path.rpartition(".")[2]) is None]
    best = max(past or known, key=lambda each: each.newest)
    later = [
        f"{each.path} {write_day(each.newest)}" for each in known if each.newest > best.newest + FAR
    ]
    return [
        f"{lost}. Pass the moment of the export, such as --as-of {write_day(best.newest)}, the "
        f"newest date at {best.path}" + (f"; later dates: {name_some(later)}" if later else "")
    ]


def write_day(time: float) -> str:
    """A day in ISO 8601."""
    return datetime.fromtimestamp(time, UTC).date().isoformat()
