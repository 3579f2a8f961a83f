"""`report.html`: what a run did, or a rehearsal would do, in one file that needs no network.

Input: sums. Output: a page without any person in it. `report_data` makes the figures, `messages`
the sentences, `charts` the charts, `tables` the same figures as text. `report_page.js` draws them,
and `report_explorer.js` recounts in the browser when the threshold or the budget moves.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from model.atomic import write_atomically
from segment_scorer.runner.counting import UserCounts
from segment_scorer.runner.reporting.charts import make_charts
from segment_scorer.runner.reporting.journey import describe_journey
from segment_scorer.runner.reporting.messages import (
    describe_reach,
    describe_users,
    find_warnings,
)
from segment_scorer.runner.reporting.predictions import describe_expected, describe_savings
from segment_scorer.runner.reporting.report_data import describe_drift, gather_report, sum_expected
from segment_scorer.runner.reporting.tables import NAMES, list_tables
from segment_scorer.runner.reporting.worth import Worth
from segment_scorer.runner.summary import Summary
from segment_scorer.runner.writing.checkpoint import Checkpoint

HERE = Path(__file__).parent
PAGE, STYLE = (HERE / f"report_page.{kind}" for kind in ("html", "css"))
SCRIPTS = (HERE / "report_explorer.js", HERE / "report_page.js")  # the second uses the first
NOTHING_GIVEN = Worth()


def write_report(
    path: Path,
    summary: Summary,
    checkpoint: Checkpoint,
    *,
    reference: Mapping[str, Any] | None,
    rehearsal: bool,
    plan: str = "",
    reasons: Sequence[Mapping[str, object]] = (),
    worth: Worth = NOTHING_GIVEN,
    users: UserCounts | None = None,
) -> None:
    """Write the page. `reference` is the manifest's `drift`, if the model is known.

    plan     what the control group of a rehearsal can show
    reasons  what moves the scores of each band
    worth    of a response, and what a message costs and changes
    users    the different users of the run and of each row
    """
    data = gather_report(
        summary, checkpoint, reference, rehearsal=rehearsal, plan=plan, users=users
    )
    data |= {"reasons": list(reasons), "worth": msgspec.to_builtins(worth)}
    data |= {"names": NAMES, "tables": list_tables(data)}
    # No text may end the script element that it stands in.
    scripts = {"style": STYLE.read_text("utf-8").rstrip()}
    scripts |= {"bundle": load_vega().replace("</script", "<\\/script")}
    scripts |= {
        name: msgspec.json.encode(value).decode().replace("<", "\\u003c")
        for name, value in (("report", data), ("charts", make_charts(data)))
    }
    scripts |= {"script": "\n".join(file.read_text("utf-8").rstrip() for file in SCRIPTS)}
    rest = PAGE.read_text("utf-8")
    with path.open("w", encoding="utf-8") as file:
        for name, script in scripts.items():
            before, _, rest = rest.partition(f"/*{{{name}}}*/")
            file.write(before)
            file.write(script)
        file.write(rest)


def summarize_report(
    summary: Summary, checkpoint: Checkpoint, reference: Mapping[str, Any] | None
) -> tuple[list[str], str]:
    """Return two texts of the report for the command line: the warnings, and what is expected."""
    statistics, config = checkpoint.statistics, checkpoint.config
    drift = describe_drift(summary, checkpoint, reference)
    warnings = find_warnings(summary, config, statistics, drift)
    journey = describe_journey(config, statistics, failed=summary.failed)
    texts = (
        journey["sentence"] if journey else "",
        describe_users(summary, config, checkpoint.counts["users_expected"]),
        describe_reach(config, statistics),
        describe_expected(*sum_expected(statistics), statistics.scored.total(), config),
        describe_savings(statistics, config),
    )
    return warnings, "\n".join(text for text in texts if text)


def load_vega(make: Callable[[], str] | None = None) -> str:
    """Load Vega, Vega-Lite and vega-embed as one script.

    Bundling them takes seconds, so the script is kept in the user's cache.
    """
    from importlib.metadata import version  # noqa: PLC0415

    name = f"vega-{version('vl-convert-python')}.js"
    folder = find_cache()
    if folder is None:
        return (make or bundle_vega)()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := (folder / name).read_text("utf-8"):
            return text
    text = (make or bundle_vega)()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, text.encode())
    return text


def find_cache() -> Path | None:
    """Find the folder of this user's cache; None for a user without a home folder."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return cache / "segment-scorer"


def bundle_vega() -> str:
    """Bundle the script."""
    import vl_convert  # noqa: PLC0415  # starts a JavaScript engine

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script
