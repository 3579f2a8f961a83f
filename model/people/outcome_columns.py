"""The header of a CSV file of outcomes in; which columns are read, and which are ignored, out.

Training and `lift` read outcomes by the rules of this module. Opens no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import DataError
from model.people.headers import find_separator
from model.people.naming import name_some
from model.values import NO, YES

# Column of ids, in lower case -> the id of a document that it names. A customer profile's document
# has its ProfileId as Id.
KEYS = {"id": "Id", "profileid": "Id", "userid": "UserId"}
OUTCOME, DATE = "outcome", "date"
# Data frames write 1.0 for an integer beside missing values; PostgreSQL writes t and f.
WORDS = {
    **dict.fromkeys((*YES, "t", "1.0"), 1),
    **dict.fromkeys((*NO, "f", "0.0"), 0),
}
MOST_NAMED = 10  # columns in one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnNames:
    """What the columns of an outcomes file are called, if not as usual.

    id       "" for Id, ProfileId or UserId. `UserId=X`: the column X holds UserIds; `X` holds Ids
    outcome  "" for outcome
    treated  the column that says who was messaged; "" for none
    """

    id: str = ""
    outcome: str = ""
    treated: str = ""


USUAL_NAMES = ColumnNames()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeColumns:
    """The columns to read, as the header writes them.

    key      "Id" or "UserId": whose outcome a row gives
    date     None if there is no column `date`
    treated  None if it was not asked for
    ignored  the other columns
    """

    id: str
    key: str
    outcome: str
    date: str | None
    ignored: tuple[str, ...]
    treated: str | None = None

    def explain(self) -> list[str]:
        """A sentence about the columns that are not read."""
        if not self.ignored:
            return []
        names = name_some([name or "one without a name" for name in self.ignored], MOST_NAMED)
        return [f"columns that are not read: {names}"]


def find_outcome_columns(
    path: Path, header: Sequence[str], asked: ColumnNames, also: Sequence[str] = ()
) -> OutcomeColumns:
    """Find the columns of an outcomes file. Capitals and surrounding spaces do not matter.

    also  further columns that the caller reads. Raises DataError with the cure.
    """
    place, key = find_id_column(path, header, asked.id)
    outcome = find_one(path, header, asked.outcome or OUTCOME, "--outcome-column")
    if outcome is None:
        raise explain_header(path, header, f"no column {asked.outcome or OUTCOME}")
    date = find_one(path, header, DATE, "")
    treated = find_one(path, header, asked.treated, "--treated") if asked.treated else None
    if asked.treated and treated is None:
        raise DataError(
            f"{path}: expected the column that --treated names, found no such column; "
            "it says who was messaged: 1 or 0"
        )
    read = {place, outcome, date, treated, *also}
    return OutcomeColumns(
        id=place,
        key=key,
        outcome=outcome,
        date=date,
        treated=treated,
        ignored=tuple(name.strip() for name in header if name not in read),
    )


def find_id_column(path: Path, header: Sequence[str], asked: str) -> tuple[str, str]:
    """The column of ids as the header writes it, and the id of a document that it names."""
    before, mark, name = asked.partition("=")
    key = KEYS.get(before.strip().lower()) if mark else None
    name = name if key else asked
    found = {
        column: key or KEYS.get(known, "Id")
        for known in ([name.strip().lower()] if asked else KEYS)
        if (column := find_one(path, header, name if asked else known, "--id-column")) is not None
    }
    if not found:
        raise explain_header(path, header, f"no column {name or 'Id'}")
    if len(found) > 1:
        raise DataError(
            f"{path}: expected one column of ids, found {' and '.join(found)}; "
            f"choose one: --id-column {next(iter(found))}"
        )
    return next(iter(found.items()))


def find_one(path: Path, header: Sequence[str], name: str, option: str) -> str | None:
    """The column called so, else one that is called so but for capitals; None if there is none."""
    exact = [column for column in header if column == name]
    folded = [column for column in header if column.strip().lower() == name.strip().lower()]
    found = exact or folded
    if len(found) > 1:
        cure = f"; rename one{f', or choose with {option}' if option and not exact else ''}"
        raise DataError(f"{path}: expected one column {name}, found {len(found)}{cure}")
    return found[0] if found else None


def explain_header(path: Path, header: Sequence[str], missing: str) -> DataError:
    """The error for a header that lacks a column. Names no other column: it may be a person."""
    separator = find_separator(",".join(header))
    found = (
        f"columns separated by {separator} (separate them by commas)"
        if separator
        else f"{missing}; name the columns with --id-column and --outcome-column"
        if header
        else "an empty file"
    )
    return DataError(
        f"{path}: expected a CSV file with the header Id,outcome or Id,outcome,date "
        f"(Id may be UserId or ProfileId), found {found}"
    )


def describe_whole(count: int, column: str) -> str:
    """How many ids were read without their `.0`."""
    many = "1 is" if count == 1 else f"{count:,} are"
    return f"{column}: {many} a number with a final .0, which is left out to match"
