"""`report.html`: what a run did, or a rehearsal would do, in one file that needs no network. Sums in, a page out; nobody is in it.

Makes the charts' specifications with altair and takes Vega itself from vl-convert; the page (report_page.html) draws, and its threshold
explorer counts again in the browser.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from campaign.books import Summary
from campaign.ledger import Ledger
from campaign.tally import BUCKETS, Group, Tally, seconds_of
from function.drift import Counts, compare_counts

PAGE = Path(__file__).with_name("report_page.html")
MOST_ROWS = 12  # of a table; what is beyond is summed up as one row
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


def write_report(path: Path, summary: Summary, ledger: Ledger, *, reference: Mapping[str, Any] | None, rehearsal: bool) -> None:
    """Write the page. `reference` is the manifest's `drift`, where the model is known."""
    data = gather_report(summary, ledger, reference, rehearsal=rehearsal)
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


def gather_report(summary: Summary, ledger: Ledger, reference: Mapping[str, Any] | None, *, rehearsal: bool) -> dict[str, Any]:
    """Everything that the page shows, as plain data."""
    tally, terms = ledger.tally, ledger.terms
    people = tally.people
    fixed = [group for group in people if group.outcome == "kept" and group.reason not in {"score", ""}]
    return {
        "rehearsal": rehearsal,
        "summary": msgspec.to_builtins(summary),
        "campaign": terms.campaign_id,
        "knows_decisions": summary.held_out is not None,
        "scored": sum(tally.scores.values()),
        "expected": {
            "kept": sum(tally.expected.get(group, 0.0) for group in people if group.outcome == "kept"),
            "all": sum(tally.expected.values()),
        },
        "left_out": [
            {"reason": "score too high" if reason == "score" and terms.keep == "below" else REASONS.get(reason, reason), "people": count}
            for reason, count in Counter(
                {
                    reason: sum(count for group, count in people.items() if group.outcome == "filtered" and group.reason == reason)
                    for reason in {group.reason for group in people}
                }
            ).most_common()
            if count
        ],
        "explorer": {
            "scores": [[bucket / BUCKETS, count] for bucket, count in sorted(tally.scores.items())],
            "keep": terms.keep or "at_least",
            "threshold": terms.threshold if terms.threshold is not None else 0.0,
            "fixed": sum(people[group] for group in fixed),
            "fixed_expected": sum(tally.expected.get(group, 0.0) for group in fixed),
        },
        "groups": {name: sum_groups(tally, name) for name in ("channel", "country", "band")},
        "drift": describe_drift(summary, tally, reference),
        "times": describe_times(tally),
        "problems": [{"problem": text, "times": count} for text, count in ledger.problems.most_common(MOST_ROWS)],
        "complaints": summary.rejected,
    }


def sum_groups(tally: Tally, name: str) -> list[dict[str, Any]]:
    """The people by one property, most first, the smallest summed up as one row."""
    rows: dict[str, dict[str, Any]] = {}
    totals: Counter[str] = Counter()
    for group, count in tally.people.items():
        totals[getattr(group, name) or "none"] += count
    shown = {label for label, _ in totals.most_common(MOST_ROWS - 1 if len(totals) > MOST_ROWS else MOST_ROWS)}
    for group, count in tally.people.items():
        label = getattr(group, name) or "none"
        row = rows.setdefault(label if label in shown else "all others", {"people": 0, "kept": 0, "expected": 0.0})
        add_group(row, group, count, tally.expected.get(group, 0.0))
    ordered = sorted(rows.items(), key=lambda row: (row[0] == "all others", -row[1]["people"]))
    return [{"name": label, **row} for label, row in ordered] if set(rows) - {"none", "unknown"} else []


def add_group(row: dict[str, Any], group: Group, count: int, expected: float) -> None:
    """Add a group to its row; responses are expected of the kept only."""
    row["people"] += count
    if group.outcome == "kept":
        row["kept"] += count
        row["expected"] += expected


def describe_drift(summary: Summary, tally: Tally, reference: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The comparison with what the model learnt from; None where model or log are unknown."""
    if summary.model is None or reference is None or not tally.batches:
        return None
    counts = Counts()
    counts.batches, counts.bins = tally.batches, tally.bins
    described: dict[str, Any] = msgspec.to_builtins(compare_counts(summary.model, counts, reference))
    return described


def describe_times(tally: Tally) -> dict[str, Any] | None:
    """How long calls of the hook took: quantiles in milliseconds, each within 12 %, and how many took about how long."""
    total = sum(tally.times.values())
    if not total:
        return None
    quantiles = {}
    for name, share in (("half", 0.5), ("95 %", 0.95), ("99 %", 0.99), ("all", 1.0)):
        seen = 0
        for bucket, count in sorted(tally.times.items()):
            seen += count
            if seen >= share * total:
                quantiles[name] = 1000 * seconds_of(bucket)
                break
    return {
        "calls": total,
        "quantiles": quantiles,
        "histogram": [{"ms": 1000 * seconds_of(b), "calls": n} for b, n in sorted(tally.times.items())],
    }


def make_charts(data: Mapping[str, Any]) -> dict[str, Any]:
    """The charts' Vega-Lite specifications by the id of the element each is drawn into."""
    alt: Any = import_module("altair")  # slow to import, and typed in half

    charts: dict[str, Any] = {}
    summary = data["summary"]
    reach = [{"what": "in the segment", "people": summary["received"], "kind": "before"}]
    reach += [{"what": row["reason"], "people": row["people"], "kind": "left out"} for row in data["left_out"]]
    reach += [{"what": "failed", "people": summary["failed"], "kind": "left out"}] if summary["failed"] else []
    reach += [{"what": "messaged", "people": summary["kept"], "kind": "after"}]
    kinds = alt.Color("kind:N", legend=None).scale(domain=["before", "left out", "after"], range=["#8a94a6", "#c98a3a", "#2f7fc1"])
    names = alt.Axis(labelLimit=220, title=None)
    bars = alt.Chart(alt.Data(values=reach)).mark_bar()
    charts["reach"] = bars.encode(
        y=alt.Y("what:N", sort=None, axis=names), x=alt.X("people:Q", title="people"), color=kinds, tooltip=["what:N", "people:Q"]
    ).properties(height=26 * len(reach) + 10)
    if data["explorer"]["scores"]:
        charts["histogram"] = chart_scores(alt, data)
        charts["curve"] = chart_profit(alt, data)
    for name, rows in data["groups"].items():
        if rows:
            charts[f"by-{name}"] = chart_groups(alt, rows)
    if data["drift"]:
        columns = alt.Chart(alt.Data(values=data["drift"]["columns"])).mark_bar()
        verdicts = ["too few", "stable", "shifted", "different"]
        charts["drift"] = columns.encode(
            y=alt.Y("name:N", sort="-x", axis=names),
            x=alt.X("index:Q", title="population stability index (0.1 shifted, 0.25 different)"),
            color=alt.Color("verdict:N", legend=None).scale(domain=verdicts, range=["#8a94a6", "#3f9a6b", "#c98a3a", "#c1443f"]),
            tooltip=["name:N", "index:Q", "verdict:N"],
        ).properties(height=20 * len(data["drift"]["columns"]) + 10)
    if data["times"]:
        times = alt.Chart(alt.Data(values=data["times"]["histogram"])).mark_bar(color="#2f7fc1")
        charts["times"] = times.encode(
            x=alt.X("ms:Q", title="milliseconds a call").scale(type="log"), y=alt.Y("calls:Q"), tooltip=["ms:Q", "calls:Q"]
        ).properties(height=140)
    return {name: {**chart.to_dict(), "width": "container"} for name, chart in charts.items()}


def chart_scores(alt: Any, data: Mapping[str, Any]) -> Any:
    """Scores in fifty bins; the page moves the threshold, and with it which side is dropped."""
    bins = Counter[float]()
    for score, count in data["explorer"]["scores"]:
        bins[min(int(score * 50), 49) / 50] += count
    values = [{"from": low, "to": low + 0.02, "middle": low + 0.01, "people": count} for low, count in sorted(bins.items())]
    threshold = alt.param(name="threshold", value=data["explorer"]["threshold"])
    kept = "datum.middle >= threshold" if data["explorer"]["keep"] == "at_least" else "datum.middle < threshold"
    scores = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            x=alt.X("from:Q", bin="binned", title="score", axis=alt.Axis(tickCount=10)).scale(domain=[0, 1]),
            x2="to:Q",
            y=alt.Y("people:Q", title="people"),
            color=alt.condition(kept, alt.value("#2f7fc1"), alt.value("#c98a3a")),
            tooltip=["from:Q", "to:Q", "people:Q"],
        )
    )
    rule = draw_threshold(alt)
    return (scores + rule).add_params(threshold).properties(height=200)


def draw_threshold(alt: Any) -> Any:
    """A line that follows the parameter `threshold`."""
    at = alt.Chart(alt.Data(values=[{}])).transform_calculate(at="threshold")
    return at.mark_rule(color="#c1443f", strokeWidth=2).encode(x=alt.X("at:Q"))


def chart_profit(alt: Any, data: Mapping[str, Any]) -> Any:
    """Profit by threshold; the page computes the curve from the value of a response and the cost of a message."""
    threshold = alt.param(name="threshold", value=data["explorer"]["threshold"])
    line = (
        alt.Chart(alt.NamedData(name="profits"))
        .mark_line(color="#2f7fc1")
        .encode(
            x=alt.X("threshold:Q", title="threshold", axis=alt.Axis(tickCount=10)).scale(domain=[0, 1]),
            y=alt.Y("profit:Q", title="expected profit"),
        )
    )
    rule = draw_threshold(alt)
    return (line + rule).add_params(threshold).properties(height=160)


def chart_groups(alt: Any, rows: list[dict[str, Any]]) -> Any:
    """Who is messaged and who is not, group by group."""
    values = [
        {"name": row["name"], "side": side, "people": count}
        for row in rows
        for side, count in (("messaged", row["kept"]), ("not messaged", row["people"] - row["kept"]))
    ]
    sides = alt.Color("side:N", title=None, legend=alt.Legend(orient="top")).scale(
        domain=["messaged", "not messaged"], range=["#2f7fc1", "#c98a3a"]
    )
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None)),
            x=alt.X("people:Q"),
            color=sides,
            tooltip=["name:N", "side:N", "people:Q"],
        )
        .properties(height=22 * len(rows) + 10)
    )


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
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.write_text(text, "utf-8")
        fresh.replace(folder / name)
    return text


def bundle_vega() -> str:
    """Put the script together."""
    import vl_convert  # noqa: PLC0415  # starts a JavaScript engine

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script
