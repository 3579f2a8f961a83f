"""Endpoint documents in; a feature spec, and a reason for each path left out, out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit

from model.errors import DataError
from model.features import FeatureSpec
from model.kinds import KINDS, Feature
from model.training.judgement import GROUPS, WRITTEN, judge_path
from model.training.undated import Dates, look_at_dates

# Fields that hold other fields, or that message hosts write themselves.
SKIPPED = frozenset(
    {
        "User",
        "Metrics",
        "Attributes",
        "Demographic",
        "Location",
        "Calculated",
        "External",
        "TitleOverride",
        "BodyOverride",
    }
)
ORIGINAL, TWIN = "Attributes.", "User.UserAttributes."
UNDATED = "a date; an age needs --as-of TIME or dated outcomes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The spec, its categories without a vocabulary; and path and reason of what was left out.

    doubts   path and what to look at, of features that may be meant otherwise
    undated  dates that are left out because nothing says what ages are measured against
    texts    paths of texts that are no category; whether there is text may tell something
    """

    spec: FeatureSpec
    left_out: tuple[tuple[str, str], ...]
    doubts: tuple[tuple[str, str], ...] = ()
    undated: tuple[Dates, ...] = ()
    texts: tuple[str, ...] = ()


def infer_spec(documents: Sequence[Mapping[str, Any]], *, dated: bool) -> Inference:
    """Judge every path in these documents. `dated`: ages have a time to be measured against.

    Raises DataError if no path makes a feature.
    """
    found: dict[str, list[Any]] = {}
    holders: dict[str, list[int]] = {}
    for index, document in enumerate(documents):
        for path, value in walk_document(document):
            found.setdefault(path, []).append(value)
            holders.setdefault(path, []).append(index)
    features: list[Feature] = []
    left_out: list[tuple[str, str]] = []
    doubts: list[tuple[str, str]] = []
    undated: list[Dates] = []
    texts: list[str] = []
    taken: list[str] = []
    names: set[str] = set()
    twins = find_twins(found, holders)
    for path in sorted(found.keys() - twins, key=rank_path):
        judgement = judge_path(path, found[path], len(documents))
        kinds, reason = judgement.kinds, judgement.reason
        given_only = [kind for kind in kinds if not KINDS[kind].inferred]
        if given_only:
            kinds, reason = (), f"kind {given_only[0]} is only used if a feature spec asks for it"
        if not dated and any(KINDS[kind].needs_time for kind in kinds):
            kinds, reason = (), UNDATED
            form = judgement.options.get("format")
            undated.append(look_at_dates(path, found[path], form))
        # Equal values alone do not make paths equal: different people may have them.
        same = (
            name for name in taken if found[name] == found[path] and holders[name] == holders[path]
        )
        twin = next(same, None) if kinds else None
        if twin:
            kinds, reason = (), f"the same as {twin}"
        if reason in WRITTEN:
            texts.append(path)
        if not kinds:
            left_out.append((path, reason))
            continue
        taken.append(path)
        if judgement.doubt:
            doubts.append((path, judgement.doubt))
        for kind in kinds:
            name = name_feature(path, kind, names)
            names.add(name)
            options = judgement.options if kind == kinds[0] else {}
            features.append(Feature(name=name, path=path, kind=kind, options=options))
    left_out += describe_twins(twins)
    if not features:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in left_out)
        raise DataError(
            "expected metrics, attributes, demographic or location that differ between people, "
            f"found {'only paths that make no feature: ' + reasons if reasons else 'no such field'}"
        )
    return Inference(
        spec=FeatureSpec(tuple(features)),
        left_out=tuple(left_out),
        doubts=tuple(doubts),
        undated=tuple(undated),
        texts=tuple(texts),
    )


def find_twins(found: Mapping[str, list[Any]], holders: Mapping[str, list[int]]) -> set[str]:
    """The user attributes that everybody has as attributes too, with the same values.

    The document of a customer profile has each attribute in both groups.
    """
    return {
        path
        for path in found
        if path.startswith(TWIN)
        and (other := f"{ORIGINAL}{path.removeprefix(TWIN)}") in found
        and holders[path] == holders[other]
        and found[path] == found[other]
    }


def describe_twins(twins: Iterable[str]) -> list[tuple[str, str]]:
    """Path and reason of the twins, in one line if there are several."""
    names = sorted(path.removeprefix(TWIN) for path in twins)
    if len(names) == 1:
        return [(f"{TWIN}{names[0]}", f"the same as {ORIGINAL}{names[0]}")]
    reason = f"{len(names):,} attributes, each the same as in Attributes"
    return [(TWIN.rstrip("."), reason)] if names else []


def walk_document(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each path that has a value, and the value."""
    for name, value in document.items():
        if name not in SKIPPED:
            yield name, value
    user_fields = document.get("User")
    user = user_fields if isinstance(user_fields, Mapping) else {}
    if user.get("UserId"):
        yield "User.UserId", user["UserId"]
    for group in GROUPS:
        in_user = group == "User.UserAttributes"
        fields = user.get("UserAttributes") if in_user else document.get(group)
        if isinstance(fields, Mapping):
            yield from ((f"{group}.{name}", value) for name, value in fields.items() if name)


def rank_path(path: str) -> tuple[int, str]:
    """Sort paths by group, then by name, so that the order of the documents does not matter."""
    ranks = (index for index, group in enumerate(GROUPS) if path.startswith(f"{group}."))
    return next(ranks, len(GROUPS)), path


def name_feature(path: str, kind: str, taken: set[str]) -> str:
    """A short unused name in lower case: the end of the path, or the whole path."""
    user = "User.UserAttributes."
    last = path.removeprefix(user) if path.startswith(user) else path.partition(".")[2] or path
    for text in (last, path):
        name = make_name(text) + KINDS[kind].suffix
        if name not in taken:
            return name
    numbers = range(2, len(taken) + 3)
    return next(f"{name}_{number}" for number in numbers if f"{name}_{number}" not in taken)


def make_name(text: str) -> str:
    """RecencyDays becomes recency_days; a text without ASCII letters or digits becomes feature."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"[^0-9A-Za-z]+", "_", words).strip("_").lower() or "feature"


def write_features(inference: Inference) -> str:
    """The spec as TOML for people to edit, followed by comments about what was left out."""
    kinds = "; ".join(f"{name} = {kind.help}" for name, kind in KINDS.items())
    rising = "; ".join(
        f"{kind.rises_with} ({name})" for name, kind in KINDS.items() if kind.rises_with
    )
    text = tomlkit.document()
    for comment in (
        "Inferred from the endpoints. Edit it and pass it to `segment-scorer train --features`.",
        f"kind: {kinds}",
        "values: the vocabulary of a category; without it, each training learns one.",
        f'monotonic = "increasing" or "decreasing": the score only rises, or falls, with {rising}',
    ):
        text.add(tomlkit.comment(comment))
    tables = tomlkit.aot()
    for feature in inference.spec.features:
        table = tomlkit.table()
        table.update({"name": feature.name, "path": feature.path, "kind": feature.kind})
        table.update(feature.options)
        tables.append(table)
    text.add("feature", tables)
    written = tomlkit.dumps(text)
    if not inference.left_out:
        return written
    reasons = "".join(
        f"#   {' '.join(path.split())}: {reason}\n" for path, reason in inference.left_out
    )
    return f"{written.rstrip()}\n\n# Left out, and why:\n{reasons}"
