"""Endpoint documents in; a feature spec that fits them, and a reason for each thing left out, out. Never looks at an outcome.

Every path below the document is judged by its values: a number, a category, a list, yes or no, a date, or nothing to learn from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import tomlkit

from model.errors import DataError
from model.features import TOP_LEVEL, FeatureSpec
from model.kinds import KINDS, LEAST_OF_A_VALUE, Feature
from model.training.people import LEAST_WITH_FEATURE
from model.values import NO, NUMBER, YES, parse_time, read_texts

GROUPS = ("Metrics", "Attributes", "User.UserAttributes", "Demographic", "Location", "External")
# What no model should look at, whatever stands there.
NEVER = {
    "Id": "an identifier",
    "RequestId": "an identifier",
    "ApplicationId": "an identifier",
    "User.UserId": "an identifier",
    "Address": "an address",
    "CohortId": "a number that Pinpoint draws at random",
    "EndpointStatus": "the hook meets active endpoints only",
    "OptOut": "the hook meets endpoints that have not opted out only",
    "EffectiveDate": "it moves whenever the endpoint is written, which a response does too",
}
NAMED_ID = re.compile(
    r"(^|[_.\s-])(id|uuid|guid|key|token|hash|ssn|iban)$|[a-z]I[dD]$", re.IGNORECASE
)
OUTSIDE = f"not a place a feature is read from: {', '.join(GROUPS[:-1])} are (capitals count); a column may be called Metrics.X or Attributes.X"
# Forms that spreadsheets write and that nobody else reads as numbers or dates.
DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}([. ]\d{3})+),\d+", re.ASCII)
WITH_SEPARATORS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
AMOUNT = re.compile(r"[€$£]\s?[\d.,]+|[\d.,]+\s?[€$£%]", re.ASCII)
WRITTEN_DATE = re.compile(r"(\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}/\d{1,2}/\d{2})(\s.*)?", re.ASCII)
SPREADSHEET = (
    (DECIMAL_COMMA, "numbers with a decimal comma: expected 1234.5"),
    (WITH_SEPARATORS, "numbers with separators: expected 1234.5"),
    (AMOUNT, "numbers with a sign of currency or per cent: expected 1234.5"),
    (WRITTEN_DATE, "dates that are not ISO 8601: expected 2026-03-31"),
)
NAMED_CODE = re.compile(r"(zip|postal|postcode|plz)", re.IGNORECASE)
PHONE = re.compile(r"\+[\d\s().-]{8,}", re.ASCII)
UNKNOWN = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "unknown"})
# Names that hold other names, and what message hosts write for themselves.
HELD = frozenset(
    {
        "User",
        "Metrics",
        "Attributes",
        "Demographic",
        "Location",
        "External",
        "TitleOverride",
        "BodyOverride",
    }
)
MOSTLY = 0.95  # this share of the values must be of a kind for the path to be of it
LONG_TEXT = 60  # characters: beyond it on average a text is prose
SEVERAL = 0.05  # share of people with more than one value from which on a path is a list
ENOUGH_TO_TELL = 100  # people with a value, before "nobody shares one" means anything


class Judgement(NamedTuple):
    """What a path is good for: one kind or two, or none and the reason."""

    kinds: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The spec, its categories without a vocabulary; and path and reason of what was left out."""

    spec: FeatureSpec
    left_out: tuple[tuple[str, str], ...]


def infer_spec(documents: Sequence[Mapping[str, Any]], *, dated: bool) -> Inference:
    """Judge every path of these people. `dated`: there is a time to measure ages against. Raises DataError when nothing is left."""
    found: dict[str, list[Any]] = {}
    holders: dict[str, list[int]] = {}
    for index, document in enumerate(documents):
        for path, value in walk_document(document):
            found.setdefault(path, []).append(value)
            holders.setdefault(path, []).append(index)
    features: list[Feature] = []
    left_out: list[tuple[str, str]] = []
    taken: list[str] = []
    for path in sorted(found, key=place_in_order):
        kinds, reason = judge_path(path, found[path], len(documents))
        given_only = [kind for kind in kinds if not KINDS[kind].inferred]
        if given_only:
            kinds, reason = (), f"kind {given_only[0]} is only used if a feature spec asks for it"
        if not dated and any(KINDS[kind].needs_time for kind in kinds):
            kinds, reason = (), "a date, and an age needs --as-of TIME or dated outcomes"
        # The same values are not enough: those who have one thing may be just those who do not have the other.
        twins = (
            name for name in taken if found[name] == found[path] and holders[name] == holders[path]
        )
        twin = next(twins, None) if kinds else None
        if twin:
            kinds, reason = (), f"the same as {twin}"
        if kinds:
            taken.append(path)
            names = {feature.name for feature in features}
            features += [
                Feature(name=name_feature(path, kind, names), path=path, kind=kind)
                for kind in kinds
            ]
        else:
            left_out.append((path, reason))
    if not features:
        raise DataError(
            "expected something to learn from: metrics, attributes, demographic or location that people differ by; left out: "
            + (
                "; ".join(f"{path}: {reason}" for path, reason in left_out)
                or "nothing, the endpoints hold no such field"
            )
        )
    return Inference(spec=FeatureSpec(tuple(features)), left_out=tuple(left_out))


def walk_document(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each path that has a value, and the value."""
    for name, value in document.items():
        if name not in HELD:
            yield name, value
    user = document.get("User") or {}
    if user.get("UserId"):
        yield "User.UserId", user["UserId"]
    for group in GROUPS:
        fields = (
            user.get("UserAttributes") if group == "User.UserAttributes" else document.get(group)
        )
        if isinstance(fields, Mapping):
            yield from ((f"{group}.{name}", value) for name, value in fields.items() if name)


def place_in_order(path: str) -> tuple[int, str]:
    """Groups in their order, then by name: the same features whatever the order of the documents."""
    return next(
        (index for index, group in enumerate(GROUPS) if path.startswith(f"{group}.")), len(GROUPS)
    ), path


def judge_path(path: str, values: Sequence[Any], people: int) -> Judgement:
    """Say what a path is good for, from all values that `people` have there."""
    if path in NEVER:
        return Judgement((), NEVER[path])
    if path not in TOP_LEVEL and not path.startswith(tuple(f"{group}." for group in GROUPS)):
        return Judgement((), OUTSIDE)
    lists = [texts for texts in map(read_texts, values) if texts]
    if len(lists) < LEAST_WITH_FEATURE:
        return Judgement((), f"fewer than {LEAST_WITH_FEATURE} people have it")
    if len(lists) == people and len({tuple(texts) for texts in lists}) == 1:
        return Judgement((), "the same for everybody")
    if sum(len(texts) > 1 for texts in lists) > SEVERAL * len(lists):
        judged = judge_texts(path, [text for texts in lists for text in texts])
        return Judgement(("category", "count")) if judged.kinds else Judgement(("count",))
    return judge_values(path, [texts[0] for texts in lists])


def judge_values(path: str, texts: Sequence[str]) -> Judgement:
    """Say what a path with one value a person is good for."""
    known = [text for text in texts if text.strip().lower() not in UNKNOWN]
    numeric = [text for text in known if NUMBER.fullmatch(text)]
    coded = NAMED_CODE.search(path) or sum(
        text[0] == "0" and len(text) > 1 and text.isdigit() for text in numeric
    ) > 0.01 * len(texts)
    if (
        known
        and len(numeric) >= MOSTLY * len(known)
        and not (coded and not path.startswith("Metrics."))
    ):
        return judge_numbers(path, numeric)
    if len({text.strip().lower() for text in known}) <= 2 and all(
        text.strip().lower() in YES | NO for text in known
    ):
        return Judgement(("flag",))
    if sum(not isnan(parse_time(text)) for text in known) >= MOSTLY * max(1, len(known)):
        return Judgement(("age",))
    for form, reason in SPREADSHEET:
        if sum(form.fullmatch(text.strip()) is not None for text in known) >= MOSTLY * max(
            1, len(known)
        ):
            return Judgement((), reason)
    return judge_texts(path, texts)


def judge_numbers(path: str, texts: Sequence[str]) -> Judgement:
    """Say whether these numbers measure anything: a running number, a telephone number or a day written as digits does not."""
    if all(len(text) == 8 and text[:2] in {"19", "20"} for text in texts) and all(
        not isnan(parse_time(text)) for text in texts
    ):
        return Judgement(("age",))
    distinct = set(texts)
    apart = len(texts) >= ENOUGH_TO_TELL and len(distinct) > MOSTLY * len(texts)
    if apart and sum(PHONE.fullmatch(text) is not None for text in texts) > MOSTLY * len(texts):
        return Judgement((), "an address")
    whole = apart and all(text.strip().lstrip("+-").isdigit() for text in texts)
    if whole:
        numbers = sorted(map(int, distinct))
        if NAMED_ID.search(path) or numbers[-1] - numbers[0] < 2 * len(numbers):
            return Judgement((), "an identifier: whole numbers that no two people share")
    return Judgement(("number",))


def judge_texts(path: str, texts: Sequence[str]) -> Judgement:
    """Say whether these texts sort people into groups."""
    counts = Counter(texts)
    if sum("@" in text or PHONE.fullmatch(text) is not None for text in texts) > 0.1 * len(texts):
        return Judgement((), "an address")
    if sum(map(len, texts)) > LONG_TEXT * len(texts):
        return Judgement((), "long texts")
    alone = len(counts) > 0.5 * len(texts)
    if len(texts) >= ENOUGH_TO_TELL and (
        alone or (NAMED_ID.search(path) and len(counts) > 0.2 * len(texts))
    ):
        return Judgement((), "an identifier: hardly two people share a value")
    if counts.most_common(1)[0][1] < LEAST_OF_A_VALUE:
        return Judgement((), f"no value that {LEAST_OF_A_VALUE} people share")
    return Judgement(("category",))


def name_feature(path: str, kind: str, taken: set[str]) -> str:
    """A short name of small letters: the last step of the path, and as much before it as makes it the only one."""
    last = (
        path.removeprefix("User.UserAttributes.")
        if path.startswith("User.UserAttributes.")
        else path.partition(".")[2] or path
    )
    for text in (last, path):
        name = (
            re.sub(r"[^0-9A-Za-z]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text))
            .strip("_")
            .lower()
            or "feature"
        )
        name += KINDS[kind].suffix
        if name not in taken:
            return name
    return next(
        f"{name}_{number}" for number in range(2, len(taken) + 3) if f"{name}_{number}" not in taken
    )


def write_features(inference: Inference) -> str:
    """The spec as TOML for people to edit; what was left out stands as comments at its end."""
    text = tomlkit.document()
    text.add(
        tomlkit.comment(
            "Inferred from the endpoints. Edit it, and give it to `segment-scorer train --features`."
        )
    )
    text.add(
        tomlkit.comment(
            "kind: " + "; ".join(f"{name} = {kind.help}" for name, kind in KINDS.items())
        )
    )
    text.add(
        tomlkit.comment(
            "values: the vocabulary of a category; without it the most frequent values are learnt at each training."
        )
    )
    text.add(
        tomlkit.comment(
            'monotonic = "increasing" or "decreasing": the score only rises, or only falls, with '
            + "; ".join(
                f"{kind.rises_with} ({name})" for name, kind in KINDS.items() if kind.rises_with
            )
        )
    )
    tables = tomlkit.aot()
    for feature in inference.spec.features:
        table = tomlkit.table()
        table.update({"name": feature.name, "path": feature.path, "kind": feature.kind})
        tables.append(table)
    text.add("feature", tables)
    written = tomlkit.dumps(text)
    if not inference.left_out:
        return written
    reasons = "".join(
        f"#   {' '.join(path.split())}: {reason}\n" for path, reason in inference.left_out
    )
    return f"{written.rstrip()}\n\n# Left out, and why:\n{reasons}"
