"""Event files in, `Id,outcome,date` out: who did one of the named things from a date on.

Keeps hashes of ids, and the ids of those who responded only where nobody says who else there is.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from model.atomic import PRIVATE_FILE, replace_atomically
from model.people.cells import read_plain_id
from model.people.naming import name_some
from model.people.opening import open_csv
from model.people.outcome_columns import WORDS, find_one
from segment_scorer.lift.errors import DataError
from segment_scorer.lift.event_files import read_records
from segment_scorer.lift.events import CampaignEvent, parse_record
from segment_scorer.lift.tables import Hashes, Progress, hash_ids, match_hashes, read_chunks

DAY = 86_400.0
MOST_TYPES = 1000  # of the event types that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """What counts as a response.

    files      event records: JSON, one a line or not, gzip or not
    types      event types, as the records write them; any of them is a response
    since      seconds since 1970 UTC: earlier events do not count; None: the earliest record
    days       events later than that many days do not count; None: all count
    campaign, run   only events of that campaign or run; "" any
    people     a CSV with a column Id: everybody who was in the campaign; None: unknown
    id_column  what the column of ids in `people` is called; "": Id
    only_sent  of `people`, only rows whose column `sent` is true
    """

    files: tuple[Path, ...]
    types: frozenset[str]
    since: float | None = None
    days: float | None = None
    campaign: str = ""
    run: str = ""
    people: Path | None = None
    id_column: str = ""
    only_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCounts:
    """What was read and written. `outside`: people who responded but are not in `people`."""

    events: int
    counted: int
    damaged: int
    responders: int
    written: int
    outside: int
    since: float
    untimed: int


def write_outcomes(query: EventQuery, out: Path, progress: Progress | None = None) -> OutcomeCounts:
    """Write the outcomes file. Raises DataError where a file cannot be used or nothing counts."""
    found = _Found(query)
    damaged: Counter[str] = Counter()
    for path in query.files:
        for record in read_records(path, damaged, progress):
            events = parse_record(record)
            if events is None:
                damaged["records"] += 1
            else:
                for event in events:
                    found.add(event)
    if not found.events:
        raise DataError(
            "expected event records of Pinpoint (event_type) or of Amazon Connect "
            f"(AssociatedProfileId), found none; {damaged['records']:,} records of another kind"
        )
    since = query.since if query.since is not None else found.earliest
    if math.isnan(since):
        raise DataError("expected a time in the event records, found none: give --since")
    if not found.hashes:
        raise DataError(
            f"expected events of type {', '.join(sorted(query.types))}, found "
            f"{found.name_types()}; or none of them in the time, campaign or run asked for"
        )
    responders = np.unique(np.frombuffer(found.hashes, dtype=np.int64))
    date = datetime.fromtimestamp(since, UTC).isoformat().replace("+00:00", "Z")
    rows = (
        ((id_, "1", date) for id_ in found.ids)
        if query.people is None
        else _list_people(query, query.people, responders, date, progress)
    )
    written, ones = _write_rows(out, rows)
    return OutcomeCounts(
        events=found.events,
        counted=len(found.hashes),
        damaged=damaged["records"],
        responders=len(responders),
        written=written,
        outside=len(responders) - ones,
        since=since,
        untimed=found.untimed,
    )


class _Found:
    """The responses found so far."""

    def __init__(self, query: EventQuery) -> None:
        self._query = query
        self._until = (
            math.inf
            if query.days is None or query.since is None
            else query.since + DAY * query.days
        )
        self.events = self.untimed = 0
        self.earliest = math.nan
        self.hashes = array("q")
        self.ids: dict[str, None] = {}
        self._types: Counter[str] = Counter()

    def add(self, event: CampaignEvent) -> None:
        """Count one event."""
        query = self._query
        self.events += 1
        if event.type in self._types or len(self._types) < MOST_TYPES:
            self._types[event.type] += 1
        if query.campaign not in {"", event.campaign} or query.run not in {"", event.run}:
            return
        if math.isnan(self.earliest) or event.time < self.earliest:
            self.earliest = event.time
        if event.type not in query.types:
            return
        if math.isnan(event.time):
            self.untimed += 1
        elif not (query.since or -math.inf) <= event.time < self._until:
            return
        self.hashes.append(hash(read_plain_id(event.id)))
        if query.people is None:
            self.ids[event.id] = None

    def name_types(self) -> str:
        """The event types, most frequent first."""
        return name_some([name for name, _ in self._types.most_common()], 8)


def _list_people(
    query: EventQuery, people: Path, responders: Hashes, date: str, progress: Progress | None
) -> Iterator[tuple[str, str, str]]:
    """A row for everybody in the campaign, once. Reads the file twice: first for repeated ids."""
    with open_csv(people, "people") as (rows, _):
        header = next(rows, [])
    asked = query.id_column or "Id"
    name = find_one(people, header, asked, "--id-column") or asked
    needed = (name, "sent") if query.only_sent else (name,)
    parts = [
        hash_ids(chunk[name])
        for _, chunk in read_chunks(people, "people", (name,), progress=progress)
    ]
    keys, counts = np.unique(np.concatenate([np.empty(0, np.int64), *parts]), return_counts=True)
    repeated: dict[int, bool] = dict.fromkeys(keys[counts > 1].tolist(), False)  # written yet?
    for _, chunk in read_chunks(people, "people", needed):
        ids = chunk[name]
        hashes = hash_ids(ids)
        responded, _positions = match_hashes(hashes, responders)
        sent = chunk["sent"] if query.only_sent else ("true",) * len(ids)
        people_of_chunk = zip(ids, hashes.tolist(), responded.tolist(), sent, strict=True)
        for id_, number, answer, was_sent in people_of_chunk:
            if WORDS.get(was_sent.strip().lower()) and not repeated.get(number, False):
                if number in repeated:
                    repeated[number] = True
                yield id_, "1" if answer else "0", date


def _write_rows(out: Path, rows: Iterator[tuple[str, str, str]]) -> tuple[int, int]:
    """Write the rows; give how many there are, and how many of them responded."""
    written = ones = 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            replace_atomically(out, PRIVATE_FILE) as fresh,  # it holds ids
            fresh.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("Id", "outcome", "date"))
            for row in rows:
                writer.writerow(row)
                written += 1
                ones += row[1] == "1"
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise DataError(f"--out {out}: expected a file that can be written: {reason}") from error
    return written, ones
