"""The results of a run as a Markdown page, and the summary that the README repeats."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.benchmarks.arithmetic import divide
from tools.benchmarks.records import Measurement, Results, Table, Target

# The label of a rate says "a second" already.
UNITS = {"us": "µs", "1/s": ""}
NUMBERS = re.compile(r"(?<=^## Numbers\n).*?(?=^## )", re.MULTILINE | re.DOTALL)
# Table -> the end of a row's label -> its name in the summary. The last match is the largest.
SUMMARY = {
    "warm": {"median": "a warm call, median", "peak memory of the process": "peak memory"},
    "start": {"median": "a new process to its first reply"},
    "rooms": {"inside the handler": "of a warm call, inside the handler"},
    "service": {"calls a second": "scoring service over gRPC, {first}: calls a second"},
    "runner": {"endpoints a second": "campaign runner, {first}: endpoints a second"},
    "image": {"function": "image"},
}
PLOTS = {
    "warm": (
        "benchmarks-function.png",
        "Warm call, new process and peak memory of the function, the limit and the usual handler",
    ),
    "service": (
        "benchmarks-service.png",
        "Calls a second by number of clients: our service, MLServer, KServe",
    ),
    "runner": (
        "benchmarks-runner.png",
        "Time an endpoint by size of the segment, in one process and in two",
    ),
}


def write_page(results: Results) -> str:
    """The text of docs/benchmarks.md."""
    targets = [target for table in results.tables for target in table.targets]
    lines = [
        "# Benchmarks",
        "",
        "What the function costs, beside the physical limit and the common alternatives, in one",
        "run on one machine. `make bench` makes this page, its plots and `docs/benchmarks.json`.",
        "[How each figure is measured](../tools/benchmarks/README.md).",
        "",
        describe_machine(results),
        "",
        *write_summary(results),
        "",
        "## Targets",
        "",
        *write_targets(targets),
        *(part for sentence in explain_missed(targets) for part in ("", sentence)),
    ]
    for table in results.tables:
        lines += ["", f"## {table.title}"]
        if table.revision:
            lines += ["", f"Measured after the run, at commit {show_revision(table.revision)}."]
        if table.rows:
            lines += ["", *write_table(table)]
        if table.name in PLOTS and table.rows:
            file, text = PLOTS[table.name]
            lines += ["", f"![{text}]({file})"]
        lines += [part for note in table.notes for part in ("", note)]
    return "\n".join(lines) + "\n"


def describe_machine(results: Results) -> str:
    """The machine of the figures, and its load."""
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"Measured {machine.started} at commit {show_revision(machine.revision)} "
        f"in {machine.minutes:.0f} minutes "
        f"on {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gb:.0f} GB; {machine.system}; Python {machine.python}; {packages}. "
        f"Load average of one minute: {machine.load[0]:.1f} before the run, "
        f"{machine.load[1]:.1f} at its end (its own work included)."
        + (
            f" A short run: {results.effort:.0%} of the usual repetitions."
            if results.effort < 1
            else ""
        )
        + list_minutes(results)
    )


def list_minutes(results: Results) -> str:
    """A sentence: the minutes of each table, the longest first. Empty if they were not taken."""
    tables = sorted(results.tables, key=lambda table: table.minutes, reverse=True)
    taken = ", ".join(f"{each.name} {each.minutes:.1f}" for each in tables if each.minutes)
    return f" Minutes by table: {taken}." if taken else ""


def show_revision(revision: str) -> str:
    """A revision as a document names it: twelve digits, and whether the tree differed from it."""
    commit, _, changes = revision.partition("-")
    return f"`{commit[:12]}`{' with changes' if changes else ''}"


def write_targets(targets: list[Target]) -> Iterator[str]:
    """The targets as a table."""
    yield "| figure | measured | target | |"
    yield "|---|---|---|---|"
    for target in targets:
        unit = " x" if target.unit == "x" else f" {target.unit}"
        verdict = "met" if target.met else "**missed**"
        measured, bound = (f"{show_number(each)}{unit}" for each in (target.value, target.bound))
        yield f"| {target.sentence} | {measured} | {target.kind} {bound} | {verdict} |"


def explain_missed(targets: list[Target]) -> Iterator[str]:
    """A paragraph for each explanation, with the missed targets that it explains."""
    missed: dict[str, list[str]] = {}
    for target in targets:
        if not target.met and target.explanation:
            missed.setdefault(target.explanation, []).append(target.sentence)
    for explanation, sentences in missed.items():
        yield f"Missed, {'; '.join(sentences)}: {explanation}"


def write_table(table: Table) -> Iterator[str]:
    """One table: every column, ours divided by the limit, and each alternative beside ours."""
    head = ["", *table.columns]
    if table.limit:
        head.append(f"{table.ours} / {table.limit}")
    head += [f"better than {alternative}" for alternative in table.alternatives]
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in table.rows:
        cells = [
            row.label,
            *(show_figure(row.values.get(column), row.unit) for column in table.columns),
        ]
        if table.limit:
            cells.append(
                show_times(divide(row.values.get(table.ours), row.values.get(table.limit)))
            )
        cells += [
            show_times(compare(row, table.ours, alternative)) for alternative in table.alternatives
        ]
        yield f"| {' | '.join(cells)} |"


def compare(row: Measurement, ours: str, alternative: str) -> float | None:
    """How many times better ours is: lower for a cost, higher for a rate."""
    mine, theirs = row.values.get(ours), row.values.get(alternative)
    return divide(mine, theirs) if row.more_is_better else divide(theirs, mine)


def show_number(value: float) -> str:
    """Three significant digits; all digits above a thousand."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show_figure(value: float | None, unit: str) -> str:
    """A figure with its unit; empty for None."""
    if value is None:
        return ""
    return f"{show_number(value)} {UNITS.get(unit, unit)}".strip()


def show_times(value: float | None) -> str:
    """A ratio; empty for None."""
    return "" if value is None else f"{value:.2f} x"


def write_summary(results: Results) -> Iterator[str]:
    """The most important figures, a line each: ours, the limit, the usual way."""
    yield "| | ours | the limit | the usual way |"
    yield "|---|---|---|---|"
    for table in results.tables:
        for ending, title in SUMMARY.get(table.name, {}).items():
            rows = [row for row in table.rows if row.label.endswith(ending)]
            if rows:
                yield summarise(table, rows[-1], title)


def summarise(table: Table, row: Measurement, title: str) -> str:
    """One figure of a table: each contender's with its name, and only the first alternative."""

    def show(column: str) -> str:
        value = show_figure(row.values.get(column), row.unit)
        return f"{value} ({column})" if value else ""

    ours = (
        "; ".join(filter(None, map(show, (table.ours, *table.beside))))
        if table.beside
        else show_figure(row.values[table.ours], row.unit)
    )
    label = title.format(first=row.label.split(":")[0])
    if table.revision:
        label += f", at commit {show_revision(table.revision)}"
    usual = show(table.alternatives[0]) if table.alternatives else ""
    return f"| {label} | {ours} | {show(table.limit)} | {usual} |"


def renew_readme(text: str, results: Results) -> str:
    """The README with a new section "Numbers"; unchanged if it has no such section."""
    intro = (
        f"\nFrom one run on a machine with {results.machine.cores} cores, batches of 50 people. "
        "[docs/benchmarks.md](docs/benchmarks.md) has all figures, the machine and the\n"
        "targets; `make bench` measures again.\n\n"
    )
    lines = "\n".join(write_summary(results))
    return NUMBERS.sub(lambda _: f"{intro}{lines}\n\n", text)
