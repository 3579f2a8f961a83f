"""Who was messaged: a run of ours, or a column of the outcomes, in; a flag by id out.

Reads `decisions.csv` and `summary.json` of a run, and nothing else of it.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import DataError, name_failure
from model.people.cells import read_plain_id
from model.people.opening import open_unpacked
from model.regular_file import NotAFileError, read_regular_file
from model.values import parse_time

DECISIONS, SUMMARY = "decisions.csv", "summary.json"
NEEDED = ("Id", "UserId", "selected", "holdout", "sent")
FLAGS = {"true": True, "false": False, "1": True, "0": False, "": None}
MAX_SUMMARY_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """Who took part in a campaign, and whom it messaged.

    key      "Id" or "UserId": what the flags are listed under
    flags    1 messaged, 0 not; people who are not listed took no part
    share    the share of users whom chance should message, if known
    moment   when the campaign was sent, seconds since 1970 UTC, if known
    notices  sentences about people who were left out
    """

    key: str
    flags: dict[str, int]
    share: float | None = None
    moment: float | None = None
    notices: tuple[str, ...] = ()


def read_run(folder: Path) -> tuple[Treatment, dict[str, str]]:
    """The people whom a run selected, messaged if `sent`; and the UserId of each Id, "" for none.

    Left out: people of whom the hook reported nothing, and people whose message failed. Raises
    DataError if the folder holds no run, or if the control group was messaged too.
    """
    summary = read_summary(folder)
    flags: dict[str, int] = {}
    users: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for name, user, selected, holdout, sent in read_decisions(folder / DECISIONS):
        if selected is None or sent is None:
            left_out["the run knows nothing of them"] += 1
        elif selected and not holdout and not sent:
            left_out["their message failed"] += 1
        elif selected:
            if holdout and sent:
                raise DataError(
                    f"{folder}: expected a control group that was not messaged, found one that "
                    "was: run in mode filter"
                )
            flags[name], users[name] = int(sent), user
    if not flags:
        raise DataError(f"{folder / DECISIONS}: expected people whom the rules selected, found 0")
    percent = summary.get("holdout_percent")
    share = None
    if isinstance(percent, int | float) and 0 < percent < 100:
        share = 1 - percent / 100
    moment = parse_time(str(summary.get("scheduled_time") or ""))
    return Treatment(
        key="Id",
        flags=flags,
        share=share,
        moment=None if math.isnan(moment) else moment,
        notices=tuple(
            f"{count:,} people of the run are left out: {reason}"
            for reason, count in left_out.items()
        ),
    ), users


def read_decisions(
    path: Path,
) -> Iterator[tuple[str, str, bool | None, bool | None, bool | None]]:
    """Id, UserId, selected, holdout and sent of each row. Raises DataError."""
    with open_unpacked(path, "decisions") as (file, _):
        rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
        header = next(rows, [])
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise DataError(
                f"{path}: expected the columns {', '.join(NEEDED)}, "
                f"found no {' and no '.join(missing)}"
            )
        places = [header.index(name) for name in NEEDED]
        for row in rows:
            if len(row) != len(header):
                raise DataError(
                    f"{path}, line {rows.line_num}: expected {len(header)} cells, found {len(row)}"
                )
            name, user, *texts = (row[place] for place in places)
            flags = [text.lower() for text in texts]
            if not name or any(flag not in FLAGS for flag in flags):
                raise DataError(
                    f"{path}, line {rows.line_num}: expected an Id, and true, false "
                    "or nothing for selected, holdout and sent"
                )
            selected, holdout, sent = (FLAGS[flag] for flag in flags)
            yield read_plain_id(name), user, selected, holdout, sent


def read_summary(folder: Path) -> dict[str, Any]:
    """A run's summary. Raises DataError."""
    path = folder / SUMMARY
    try:
        summary = json.loads(read_regular_file(path, MAX_SUMMARY_BYTES))
    except NotAFileError as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(
            f"{folder}: expected the folder of a finished run, found {SUMMARY} that cannot be "
            f"read: {name_failure(error)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, found damaged text") from error
    if not isinstance(summary, dict):
        raise DataError(f"{path}: expected the summary of a run, found something else")
    return summary
