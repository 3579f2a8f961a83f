"""What a journey of Amazon Connect reads of the function's results.

Input: counts by group. Output: rows for the report and a sentence. A journey leaves nobody out by
the reply: a *Check attributes* block compares a field of the result, and the flow branches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from function.records import Reason
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reporting.messages import count_people
from segment_scorer.runner.reporting.rows import OTHERS, choose_labels
from segment_scorer.runner.reporting.statistics import Group, Statistics
from segment_scorer.runner.summary import Status, UnsentReason

RESULT = "$.LambdaInvocation.ResultData"
NUMBER, NULL = "a number", "null"
MODE_SHADOW = "shadow"
CHOSEN = frozenset({UnsentReason.BUDGET, UnsentReason.ONE_PER_USER})


def describe_journey(
    config: RunConfig, statistics: Statistics, *, failed: int
) -> dict[str, Any] | None:
    """What the journey reads, for the report. None for other hosts.

    failed    people without a valid answer

    sentence  the whole in one
    rows      field below RESULT, value as JSON, profiles, share of those with a result, and how
              many of these profiles have the decision keep
    notes     what the rows do not count
    """
    if config.host != "connect":
        return None
    fields: dict[str, Counter[str]] = {}
    kept: Counter[tuple[str, str]] = Counter()
    chosen = unsent = answered = 0
    for group, count in statistics.people.items():
        if group.status == Status.FAILED:
            continue
        if group.reason in CHOSEN:
            chosen += count
        elif isinstance(group.reason, UnsentReason):
            unsent += count
        else:
            answered += count
            scored = 0 if is_shadow(config, group) else statistics.scored[group]
            values = dict.fromkeys(read_result(config, group).items(), count)
            values |= {("score", NUMBER): scored, ("score", NULL): count - scored}
            for (name, value), number in values.items():
                fields.setdefault(name, Counter())[value] += number
                kept[name, value] += number if group.status == Status.KEPT else 0
    merge_small(fields.get("band", Counter()), kept)
    rows = [
        {
            "field": name,
            "value": value,
            "people": people,
            "share": f"{100 * people / answered:.1f} %",
            "kept": kept[name, value],
        }
        for name, counts in fields.items()
        for value, people in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if people
    ]
    decisions: Mapping[str, int] = fields.get("decision", Counter())
    return {
        "sentence": describe_branches(decisions, failed=failed),
        "rows": rows,
        "notes": describe_uncounted(chosen=chosen, unsent=unsent, failed=failed),
    }


def is_shadow(config: RunConfig, group: Group) -> bool:
    """Whether the result hides the decision, so that no journey can branch on it."""
    return config.mode == MODE_SHADOW or group.reason == Reason.SHADOW


def read_result(config: RunConfig, group: Group) -> dict[str, str]:
    """The fields of these people's results, values as JSON. See `function.hosts.results`."""
    is_kept = group.status == Status.KEPT
    if is_shadow(config, group):
        return {
            "decision": "keep" if is_kept else "drop",
            "selected": NULL,
            "holdout": "false",
            "reason": Reason.SHADOW.value if is_kept else group.reason.value,
            "band": NULL,
        }
    return {
        "decision": "keep" if is_kept else "drop",
        "selected": "true" if group.selected else "false",
        "holdout": "true" if group.reason == Reason.HOLDOUT else "false",
        "reason": group.reason.value or "unknown",
        "band": group.band or NULL,
    }


def merge_small(bands: Counter[str], kept: Counter[tuple[str, str]]) -> None:
    """Add up the bands of a few profiles as one row."""
    for band in bands.keys() - set(choose_labels(bands)):
        bands[OTHERS] += bands.pop(band)
        kept["band", OTHERS] += kept.pop(("band", band))


def describe_branches(decisions: Mapping[str, int], *, failed: int) -> str:
    """Say how many profiles take each branch of a journey that compares `decision`."""
    keep, drop = decisions.get("keep", 0), decisions.get("drop", 0)
    total = keep + drop + failed
    if not total:
        return ""
    share = 100 * keep / total
    return (
        f"A journey that compares {RESULT}.decision messages {keep:,} of {total:,} profiles "
        f"({share:.1f} %): {drop:,} read drop, and {failed:,} take the action's error branch."
    )


def describe_uncounted(*, chosen: int, unsent: int, failed: int) -> list[str]:
    """Say which people have no row."""
    notes = {
        f"Without a valid result after 3 attempts: {count_people(failed)}. The journey takes the "
        "error branch for them.": failed,
        f"Not sent to the function: {count_people(unsent)}. A journey sends everybody who enters "
        "it: leave these people out of its segment.": unsent,
        "Left out by --budget or --one-per after the function answered: "
        f"{count_people(chosen)}. A journey knows neither option: it reads of them what the "
        "policy alone decides.": chosen,
    }
    return [note for note, people in notes.items() if people]
