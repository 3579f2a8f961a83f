"""`report.html`: what a run did, or a rehearsal would do, in one file that needs no network. Sums in, a page out; nobody is in it.

Puts figures (here), sentences (remarks) and charts (charts) into the page, report_page.html, with Vega from vl-convert. The page draws,
and its threshold explorer counts again in the browser.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from model.atomic import write_atomically
from segment_scorer.monitoring.drift import BinSums, compare_sums
from segment_scorer.runner.reporting.charts import make_charts
from segment_scorer.runner.reporting.labels import UNKNOWN
from segment_scorer.runner.reporting.messages import (
    FILTER,
    explain_explorer,
    find_warnings,
    tell_expected,
    tell_story,
)
from segment_scorer.runner.reporting.statistics import BUCKETS, Statistics, seconds_of
from segment_scorer.runner.summary import Summary
from segment_scorer.runner.writing.checkpoint import Checkpoint

PAGE = Path(__file__).with_name("report_page.html")
MOST_ROWS = 12  # of a table; what is beyond is summed up as one row
FEWEST = 10  # people in a row; nobody can be found among so many
NONE, OTHERS = "none", "all others"
# reason of those left out -> what a reader is told
REASONS = {
    "opted_out": "opted out or inactive, not sent",
    "holdout": "control group (holdout)",
    "score": "score too low",
    "no_scores": "no score: the scorer failed",
    "sparse": "too little data to score",
    "unreadable": "unusable content",
    "": "left out by the function",
}
BY_SCORE = frozenset(("score", ""))  # whom a threshold moves, if they have a score


def write_report(
    path: Path,
    summary: Summary,
    checkpoint: Checkpoint,
    *,
    reference: Mapping[str, Any] | None,
    rehearsal: bool,
) -> None:
    """Write the page. `reference` is the manifest's `drift`, where the model is known."""
    data = gather_report(summary, checkpoint, reference, rehearsal=rehearsal)
    page = PAGE.read_text("utf-8")
    # Nothing in the data or in Vega may end the script element that it stands in.
    texts = {"bundle": load_vega().replace("</script", "<\\/script")}
    texts |= {
        name: msgspec.json.encode(value).decode().replace("<", "\\u003c")
        for name, value in (("report", data), ("charts", make_charts(data)))
    }
    with path.open("w", encoding="utf-8") as file:
        rest = page
        for name, text in texts.items():
            before, _, rest = rest.partition(f"/*{{{name}}}*/")
            file.write(before)
            file.write(text)
        file.write(rest)


def tell_run(
    summary: Summary, checkpoint: Checkpoint, reference: Mapping[str, Any] | None
) -> tuple[list[str], str]:
    """What the report says in sentences, for the command line: the warnings, and what is expected ("" where that is unknown)."""
    warnings = find_warnings(
        summary,
        checkpoint.config,
        checkpoint.statistics,
        describe_drift(summary, checkpoint, reference),
    )
    return warnings, tell_expected(*sum_expected(checkpoint.statistics), checkpoint.config)


def gather_report(
    summary: Summary,
    checkpoint: Checkpoint,
    reference: Mapping[str, Any] | None,
    *,
    rehearsal: bool,
) -> dict[str, Any]:
    """Everything that the page shows, as plain data. Sums of scores are whole numbers, so that no single score can be read off them."""
    statistics, config = checkpoint.statistics, checkpoint.config
    kept, everybody = sum_expected(statistics)
    control = sum(
        count
        for group, count in statistics.people.items()
        if group.reason == "holdout" and group.outcome == "kept"
    )
    drift = describe_drift(summary, checkpoint, reference)
    expected = tell_expected(kept, everybody, config)
    return {
        "rehearsal": rehearsal,
        "summary": msgspec.to_builtins(summary),
        "campaign": config.campaign_id,
        "warnings": find_warnings(summary, config, statistics, drift),
        "story": tell_story(
            summary, config, expected=expected, control=control, rehearsal=rehearsal
        ),
        "control_kept": control,
        "expected": {"kept": round(kept), "all": round(everybody)},
        "left_out": count_left_out(checkpoint),
        "explorer": describe_explorer(checkpoint),
        "groups": {name: sum_groups(statistics, name) for name in ("channel", "country", "band")},
        "drift": drift,
        "times": describe_times(statistics),
        "problems": [
            {"problem": text, "times": count}
            for text, count in checkpoint.problems.most_common(MOST_ROWS)
        ],
    }


def sum_expected(statistics: Statistics) -> tuple[float, float]:
    """The scores of the kept, and of everybody, added up."""
    return sum(
        total for group, total in statistics.expected.items() if group.outcome == "kept"
    ), sum(statistics.expected.values())


def count_left_out(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """The filtered by reason, most first."""
    reasons = Counter[str]()
    for group, count in checkpoint.statistics.people.items():
        if group.outcome == "filtered":
            reasons[group.reason] += count
    words = REASONS | ({"score": "score too high"} if checkpoint.config.keep == "below" else {})
    return [
        {"reason": words.get(reason, reason), "people": count}
        for reason, count in reasons.most_common()
    ]


def describe_explorer(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the page needs to answer "how many, in mode filter, at another threshold".

    scores     bucket -> how many of those whom the score decides
    threshold  the policy's; None = unknown
    fixed      whom the rules keep for another reason, at any threshold. Never the control group: in mode filter it is not messaged
    start      the figures at the rules' own threshold: exact, where those by bucket are for thresholds of 4 decimals
    """
    statistics, config = checkpoint.statistics, checkpoint.config
    stays = {
        group: count
        for group, count in statistics.people.items()
        if group.keep and group.reason != "holdout"
    }
    fixed = sum(
        count - (statistics.scored[group] if group.reason in BY_SCORE else 0)
        for group, count in stays.items()
    )
    begins = (
        stays
        if config.knows_drops
        else [group for group in statistics.people if group.outcome == "kept"]
    )
    return {
        "scores": sorted(statistics.scores.items()),
        "buckets": BUCKETS,
        "within": 0.5
        if 10**config.decimals > BUCKETS
        else 0.0,  # where in its bucket a score is, on average
        "keep": config.keep or "at_least",
        "unwanted": config.keep == "below",
        "threshold": config.threshold,
        "own": "the policy's" if config.knows_drops else "the function's",
        "in_filter": config.mode not in {None, FILTER},
        "fixed": fixed,
        "fixed_expected": round(
            sum(
                statistics.expected.get(group, 0.0)
                for group in stays
                if group.reason not in BY_SCORE
            ),
            2,
        ),
        "start": {
            "reach": sum(statistics.people[group] for group in begins),
            "expected": round(sum(statistics.expected.get(group, 0.0) for group in begins), 2),
        },
        "note": explain_explorer(config, scored=sum(statistics.scores.values()), kept=fixed),
    }


def sum_groups(statistics: Statistics, name: str) -> list[dict[str, Any]]:
    """The people by one property, most first. Small groups are summed up as one row, which is not small itself.

    expected  of the kept, as a whole number; None where some are kept and none of them has a score
    """
    sizes: Counter[str] = Counter()
    for group, count in statistics.people.items():
        sizes[getattr(group, name) or NONE] += count
    shown = [label for label, count in sizes.most_common() if count >= FEWEST]
    if len(sizes) > min(len(shown), MOST_ROWS):
        shown = shown[: MOST_ROWS - 1]
        if sum(sizes.values()) - sum(sizes[label] for label in shown) < FEWEST:
            shown = shown[:-1]
    if not set(shown) - {NONE, UNKNOWN}:
        return []
    people, kept, scored = Counter[str](), Counter[str](), Counter[str]()
    expected: dict[str, float] = defaultdict(float)
    for group, count in statistics.people.items():
        label = getattr(group, name) or NONE
        label = label if label in shown else OTHERS
        people[label] += count
        if group.outcome == "kept":
            kept[label] += count
            scored[label] += statistics.scored[group]
            expected[label] += statistics.expected.get(group, 0.0)
    return [
        {
            "name": label,
            "people": people[label],
            "kept": kept[label],
            "expected": None if kept[label] and not scored[label] else round(expected[label]),
        }
        for label in [*shown, OTHERS]
        if people[label]
    ]


def describe_drift(
    summary: Summary, checkpoint: Checkpoint, reference: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The comparison with what the model learnt from: a verdict and columns, which are none where it says why it is unknown."""
    statistics, config = checkpoint.statistics, checkpoint.config
    if not config.has_log or summary.model is None:
        why = "the function's log, which would tell, cannot be seen from here"
    elif reference is None:
        why = "the model's manifest does not say what it learnt from"
    elif not summary.batches:
        why = "nobody was sent to the function"
    elif not statistics.batches:
        why = "the function logged no batch; SCORER_LOG_LEVEL=INFO makes it do so, and a call that fails has none"
    else:
        sums = BinSums(statistics.batches, statistics.bins)
        described: dict[str, Any] = msgspec.to_builtins(
            compare_sums(summary.model, sums, reference)
        )
        return described
    return {"verdict": f"Unknown: {why}.", "columns": []}


def describe_times(statistics: Statistics) -> dict[str, Any] | None:
    """How long calls of the hook took: quantiles in milliseconds, each within 12 %, and how many took about how long."""
    total = sum(statistics.times.values())
    if not total:
        return None
    quantiles = {}
    for name, share in (("half", 0.5), ("95 %", 0.95), ("99 %", 0.99), ("all", 1.0)):
        seen = 0
        for bucket, count in sorted(statistics.times.items()):
            seen += count
            if seen >= share * total:
                quantiles[name] = 1000 * seconds_of(bucket)
                break
    return {
        "calls": total,
        "quantiles": quantiles,
        "histogram": [
            {"ms": 1000 * seconds_of(b), "calls": n} for b, n in sorted(statistics.times.items())
        ],
    }


def load_vega(make: Callable[[], str] | None = None) -> str:
    """Vega, Vega-Lite and vega-embed as one script. It is put together once and kept in the user's cache, since that takes seconds."""
    from importlib.metadata import version  # noqa: PLC0415

    name = f"vega-{version('vl-convert-python')}.js"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segment-scorer"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := (folder / name).read_text("utf-8"):
            return text
    text = (make or bundle_vega)()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, text.encode())
    return text


def bundle_vega() -> str:
    """Put the script together."""
    import vl_convert  # noqa: PLC0415  # starts a JavaScript engine

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script
