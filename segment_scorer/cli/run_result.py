"""Runs a segment and prints the result: a progress bar, warnings, and a closing table, on stderr.

Input: the run's options. Output: the exit status. `segment_scorer.runner.run` does the work.
"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import (
    EngineError,
    HookUnreachable,
    OutputError,
    OutputTaken,
    RunComplete,
)
from segment_scorer.runner.run import RunResult, run_segment
from segment_scorer.runner.summary import CLEAN, FAIL_UNREADABLE
from segment_scorer.runner.writing.names import CHECKPOINT, UNFINISHED
from segment_scorer.runner.writing.remote_folder import find_folder

# count of the summary -> its words; indented counts are part of those above, or a note on them
LINES = {
    "received": "people in the segment",
    "kept": "kept: will be messaged",
    "filtered": "filtered: will not be messaged",
    "failed": "failed: no valid reply in 3 attempts, will not be messaged",
    "opted_out": "  opted out or inactive, not sent to the hook",
    "suppressed": "  in the file of --suppress, not sent to the hook",
    "one_per_user": "  another endpoint of the user was chosen",
    "budget": "  beyond the budget",
    "held_out": "  in the control group (holdout)",
    "excluded": "  excluded by the policy",
    "unreadable": "  unreadable",
    "unscored": "  without a score",
    "sparse": "  with too little data to score",
    "would_filter": "  kept, but mode filter would filter them",
    "rejected": "lines rejected: no person with an id, never sent",
    "batches": "batches",
    "attempts": "calls of the hook",
}
ALWAYS_SHOWN = frozenset(("received", "kept", "filtered", "batches"))
BY_USER = {"received": "users", "kept": "users_kept", "held_out": "users_held_out"}
MOST_PROBLEMS = 5
FINISHING = "choosing and counting"


def run_and_print(options: RunOptions, fail_unreadable: float = FAIL_UNREADABLE) -> int:
    """Run, print the result on stderr, and return the exit status."""
    console, out = Console(stderr=True), str(options.out)
    try:
        result = run_with_bar(options, console)
    except RunComplete as complete:
        print_line(console, f"{complete}. Its figures are in summary.json and report.html.")
        return CLEAN
    except OutputTaken:
        raise
    except (KeyboardInterrupt, HookUnreachable, EngineError, OutputError):
        if (find_folder(out) / UNFINISHED / CHECKPOINT).exists():
            print_line(
                console, "The work so far is saved: the same command with --resume continues."
            )
        raise
    print_result(result, out, console)
    return result.summary.judge(fail_unreadable)


def run_with_bar(options: RunOptions, console: Console) -> RunResult:
    """Run with two progress bars: of the bytes read, then of the people chosen and counted.

    They are shown only on a terminal, the second one once there is something to choose or count.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        AmountColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("scoring", total=None)
        last = bar.add_task(FINISHING, total=None, visible=False)
        return run_segment(
            options,
            lambda done, total: bar.update(task, completed=done, total=total),
            lambda sentence: print_line(console, sentence),
            lambda done, total: bar.update(last, completed=done, total=total, visible=True),
        )


class AmountColumn(DownloadColumn):
    """How many bytes are read; of the last steps, how many percent are done."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        if task.description == FINISHING:
            return Text(f"{task.percentage:.0f} %")
        return super().render(task)


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """Print text as it is: no markup, no wrapping."""
    console.print(text, highlight=False, soft_wrap=True, markup=False, style=style)


def tell_more(name: str, result: RunResult) -> str:
    """What stands behind a count's words: users, exclude rules, or why people are unreadable."""
    summary = result.summary
    if name == "unreadable":
        return result.unreadable
    if name == "excluded" and summary.excluded_by:
        return ": " + ", ".join(f"{n:,} {rule}" for rule, n in summary.excluded_by.items())
    users: int | None = getattr(summary, BY_USER[name]) if name in BY_USER else None
    return "" if users is None or summary.users == summary.received else f" ({users:,} users)"


def print_result(result: RunResult, out: str, console: Console) -> None:
    """Print the warnings, the table of outcomes, the problems, and the folder."""
    summary = result.summary
    for warning in result.warnings:
        print_line(console, warning, style="yellow")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, words in LINES.items():
        count: int | None = getattr(summary, name)
        if count or name in ALWAYS_SHOWN:
            table.add_row(f"{count:,}", escape(words + tell_more(name, result)))
    console.print(table)
    for name, counts in (summary.treatments or {}).items():
        sentence = f"{counts['received']:,} people, {counts['kept']:,} kept"
        held_out = f", {counts['held_out']:,} in the control group" if counts["held_out"] else ""
        print_line(console, f"treatment {name}: {sentence}{held_out}")
    if result.expected:
        print_line(console, result.expected)
    if result.plan:
        print_line(console, result.plan)
    known = "model and reasons unknown, as they are to a host"
    if summary.users_selected is not None:  # the replies tell the reasons
        known = "model unknown, as it is to a host"
    if summary.model:
        known = f"model {summary.model}, mode {summary.mode}"
    print_line(
        console, f"{summary.seconds:,.1f} s; {known}; campaign time {summary.scheduled_time}"
    )
    for problem, times in sorted(result.problems.items(), key=lambda pair: -pair[1])[
        :MOST_PROBLEMS
    ]:
        print_line(console, f"{times:,} x the hook {problem}")
    for rejection in result.rejections:
        print_line(console, rejection)
    if summary.rejected > len(result.rejections):
        print_line(console, "All rejected lines are in rejected.jsonl.")
    print_line(console, f"written to {out}")
