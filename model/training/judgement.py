"""A path and its values in; the feature kinds that fit it, or the reason to leave it out, out.

Never looks at an outcome.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from types import MappingProxyType
from typing import Any, NamedTuple

from model.feature_paths import TOP_LEVEL
from model.kinds import LEAST_OF_A_VALUE
from model.missing import NULL_MARKERS
from model.training.date_columns import (
    MOSTLY,
    DateForm,
    find_date_form,
    find_unix_form,
    find_unix_size,
)
from model.training.people import LEAST_WITH_FEATURE
from model.values import NO, YES, parse_number, parse_time, read_texts

GROUPS = (
    *("Metrics", "Attributes", "User.UserAttributes", "Demographic", "Location", "Calculated"),
    "External",
)
# Never a feature, whatever the values.
NEVER = {
    "Id": "an identifier",
    "RequestId": "an identifier",
    "ApplicationId": "an identifier",
    "User.UserId": "an identifier",
    "Address": "an address",
    "Profile": "personal facts of a customer profile; a spec may name one, such as Profile.Gender",
    "CohortId": "a number that Pinpoint draws at random",
    "EndpointStatus": "the hook receives active endpoints only",
    "OptOut": "the hook receives endpoints that have not opted out only",
    "EffectiveDate": "changes whenever the endpoint is written, and a response writes it",
}
OUTSIDE = (
    f"features are read from {', '.join(GROUPS[:-1])} (case matters); a column may be called "
    "Metrics.X or Attributes.X, or pass --plain-columns for a plain table"
)
NAMED_ID = re.compile(
    r"(^|[_.\s-])(id|uuid|guid|key|token|hash|ssn|iban)$|[a-z]I[dD]$", re.IGNORECASE
)
NAMED_CODE = re.compile(r"(zip|postal|postcode|plz)", re.IGNORECASE)
PHONE = re.compile(r"\+[\d\s().-]{8,}", re.ASCII)
# Spreadsheets write these forms; no feature kind reads them.
SPREADSHEET_FORMS = (
    (
        re.compile(r"[+-]?(\d+|\d{1,3}([. ]\d{3})+),\d+", re.ASCII),
        "numbers with a decimal comma; expected 1234.5",
    ),
    (
        re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII),
        "numbers with thousands separators; expected 1234.5",
    ),
    (
        re.compile(r"[€$£]\s?[\d.,]+|[\d.,]+\s?[€$£%]", re.ASCII),
        "numbers with a currency or percent sign; expected 1234.5",
    ),
    (
        re.compile(r"(\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}/\d{1,2}/\d{2})(\s.*)?", re.ASCII),
        "dates in several formats; expected 2026-03-31",
    ),
)
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
LONG = "long texts"
UNSHARED = "an identifier: few people share a value"
RARE = f"no value that {LEAST_OF_A_VALUE} people share"
WRITTEN = frozenset({LONG, UNSHARED, RARE})  # texts that are no category
UNKNOWN = NULL_MARKERS | {"?", "-", "unknown"}
LONG_TEXT = 60  # characters on average; longer texts are prose
SEVERAL = 0.05  # share of people with several values from which on a path is a list
ENOUGH_TO_TELL = 100  # people with a value, before unique values mean an identifier
ZERO_PADDED = 0.01  # share of numbers like 0123 from which on they are codes


class Judgement(NamedTuple):
    """The feature kinds of a path, one or two; or no kind and the reason.

    options  of the first kind
    doubt    what to look at, although the path makes a feature
    """

    kinds: tuple[str, ...]
    reason: str = ""
    options: Mapping[str, Any] = NO_OPTIONS
    doubt: str = ""


def judge_path(path: str, values: Sequence[Any], people: int) -> Judgement:
    """Judge a path by the values that some of `people` people have there."""
    if path in NEVER:
        return Judgement((), NEVER[path])
    if path not in TOP_LEVEL and not path.startswith(tuple(f"{group}." for group in GROUPS)):
        return Judgement((), OUTSIDE)
    lists = [texts for texts in map(read_texts, values) if texts]
    if len(lists) < LEAST_WITH_FEATURE:
        return Judgement((), f"fewer than {LEAST_WITH_FEATURE} people have it")
    if len(lists) == people and len({tuple(texts) for texts in lists}) == 1:
        return Judgement((), "the same value for everyone")
    if sum(len(texts) > 1 for texts in lists) > SEVERAL * len(lists):
        judged = judge_texts(path, [text for texts in lists for text in texts])
        return Judgement(("category", "count") if judged.kinds else ("count",))
    return judge_values(path, [texts[0] for texts in lists])


def judge_values(path: str, texts: Sequence[str]) -> Judgement:
    """Judge a path with one value a person."""
    known = [text for text in texts if text.strip().lower() not in UNKNOWN]
    enough = MOSTLY * max(1, len(known))
    numeric = [text for text in known if parse_number(text) is not None]
    if len(numeric) >= enough and not is_code(path, numeric, len(texts)):
        return judge_numbers(path, numeric)
    answers = {text.strip().lower() for text in known}
    if len(answers) <= 2 and answers <= YES | NO:
        return Judgement(("flag",))
    dates = find_date_form(known)
    if dates is not None:
        return judge_dates(dates)
    for form, reason in SPREADSHEET_FORMS:
        if sum(form.fullmatch(text.strip()) is not None for text in known) >= enough:
            return Judgement((), reason)
    return judge_texts(path, texts)


def judge_dates(dates: DateForm) -> Judgement:
    """An age, with the format if the dates need one."""
    if dates.format is None:
        return Judgement((), dates.reason)
    return Judgement(("age",), options={"format": dates.format} if dates.format else NO_OPTIONS)


def is_code(path: str, numeric: Sequence[str], people: int) -> bool:
    """Whether digits are a code, such as a postcode. A metric is always a number."""
    if path.startswith("Metrics."):
        return False
    padded = sum(text[0] == "0" and len(text) > 1 and text.isdigit() for text in numeric)
    return NAMED_CODE.search(path) is not None or padded > ZERO_PADDED * people


def judge_numbers(path: str, texts: Sequence[str]) -> Judgement:
    """Tell measurements from dates written as digits, running numbers and telephone numbers."""
    if all(len(text) == 8 and text[:2] in {"19", "20"} for text in texts) and all(
        not isnan(parse_time(text)) for text in texts
    ):
        return Judgement(("age",))
    if not NAMED_ID.search(path) and (unix := find_unix_form(path, texts)):
        return Judgement(("age",), options={"format": unix})
    size = find_unix_size(texts)
    doubt = f"a number; it may be dates, which kind age reads with format {size}" if size else ""
    number = Judgement(("number",), doubt=doubt)
    distinct = set(texts)
    unique = len(texts) >= ENOUGH_TO_TELL and len(distinct) > MOSTLY * len(texts)
    if not unique:
        return number
    if sum(PHONE.fullmatch(text) is not None for text in texts) > MOSTLY * len(texts):
        return Judgement((), "an address")
    if all(text.strip().lstrip("+-").isdigit() for text in texts):
        numbers = sorted(map(int, distinct))
        if NAMED_ID.search(path) or numbers[-1] - numbers[0] < 2 * len(numbers):
            return Judgement((), "an identifier: a different whole number for each person")
    return number


def judge_texts(path: str, texts: Sequence[str]) -> Judgement:
    """Tell texts that sort people into groups from addresses, prose and identifiers."""
    counts = Counter(texts)
    if sum("@" in text or PHONE.fullmatch(text) is not None for text in texts) > 0.1 * len(texts):
        return Judgement((), "an address")
    if sum(map(len, texts)) > LONG_TEXT * len(texts):
        return Judgement((), LONG)
    mostly_unique = len(counts) > 0.5 * len(texts)
    named = NAMED_ID.search(path) and len(counts) > 0.2 * len(texts)
    if len(texts) >= ENOUGH_TO_TELL and (mostly_unique or named):
        return Judgement((), UNSHARED)
    if counts.most_common(1)[0][1] < LEAST_OF_A_VALUE:
        return Judgement((), RARE)
    return Judgement(("category",))
