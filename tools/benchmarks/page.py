"""The results of a run as a page, and its summary, which the README repeats. Takes Results; gives Markdown. Reads no clock."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.benchmarks.arithmetic import divide
from tools.benchmarks.records import Results, Row, Table, Target

UNITS = {"us": "µs", "1/s": ""}  # a rate's label says "a second"
NUMBERS = re.compile(r"(?<=^## Numbers\n).*?(?=^## )", re.MULTILINE | re.DOTALL)
# table -> the end of a row's label, and how the summary calls it; of several rows the last, which is the largest
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
    """docs/benchmarks.md, whole."""
    targets = [target for table in results.tables for target in table.targets]
    lines = [
        "# Benchmarks",
        "",
        "What the function costs, against the physical limit and against what people would otherwise build: side by side, in one run, on",
        "one machine. `make bench` makes this page, its plots and `docs/benchmarks.json`;",
        "[tools/benchmarks/README.md](../tools/benchmarks/README.md) says how each figure is taken.",
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
        if table.rows:
            lines += ["", *write_table(table)]
        if table.name in PLOTS and table.rows:
            file, text = PLOTS[table.name]
            lines += ["", f"![{text}]({file})"]
        lines += [part for note in table.notes for part in ("", note)]
    return "\n".join(lines) + "\n"


def describe_machine(results: Results) -> str:
    """What the figures were taken on, and how busy it was."""
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"Taken {machine.started} in {machine.minutes:.0f} minutes on {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gb:.0f} GB; {machine.system}; Python {machine.python}; {packages}. "
        f"Load average of one minute: {machine.load[0]:.1f} before the run, {machine.load[1]:.1f} at its end (its own work included)."
        + (
            f" A short run: {results.effort:.0%} of the usual repetitions."
            if results.effort < 1
            else ""
        )
    )


def write_targets(targets: list[Target]) -> Iterator[str]:
    """The targets as a table."""
    yield "| figure | measured | target | |"
    yield "|---|---|---|---|"
    for target in targets:
        unit = " x" if target.unit == "x" else f" {target.unit}"
        verdict = "met" if target.met else "**missed**"
        yield f"| {target.sentence} | {show_number(target.value)}{unit} | {target.kind} {show_number(target.bound)}{unit} | {verdict} |"


def explain_missed(targets: list[Target]) -> Iterator[str]:
    """A paragraph for each explanation, naming the missed targets that it is one of."""
    missed: dict[str, list[str]] = {}
    for target in targets:
        if not target.met and target.remains:
            missed.setdefault(target.remains, []).append(target.sentence)
    for remains, sentences in missed.items():
        yield f"Missed, {'; '.join(sentences)}: {remains}"


def write_table(table: Table) -> Iterator[str]:
    """One table: figures of all columns, how many times the limit's ours is, how many times a rival's is worse than ours."""
    head = ["", *table.columns]
    if table.limit:
        head.append(f"{table.ours} / {table.limit}")
    head += [f"better than {rival}" for rival in table.rivals]
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
        cells += [show_times(compare(row, table.ours, rival)) for rival in table.rivals]
        yield f"| {' | '.join(cells)} |"


def compare(row: Row, ours: str, rival: str) -> float | None:
    """How many times better ours is: a cost by how much less, a rate by how much more."""
    mine, theirs = row.values.get(ours), row.values.get(rival)
    return divide(mine, theirs) if row.more_is_better else divide(theirs, mine)


def show_number(value: float) -> str:
    """Three digits that count, in full above a thousand."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show_figure(value: float | None, unit: str) -> str:
    """A figure with its unit; nothing where there is none."""
    if value is None:
        return ""
    return f"{show_number(value)} {UNITS.get(unit, unit)}".strip()


def show_times(value: float | None) -> str:
    """A ratio; nothing where there is none."""
    return "" if value is None else f"{value:.2f} x"


def write_summary(results: Results) -> Iterator[str]:
    """The figures that matter most, a line each: ours, the limit, and what people would otherwise run. The README repeats it."""
    yield "| | ours | the limit | the usual way |"
    yield "|---|---|---|---|"
    for table in results.tables:
        for ending, title in SUMMARY.get(table.name, {}).items():
            rows = [row for row in table.rows if row.label.endswith(ending)]
            if rows:
                yield summarise(table, rows[-1], title)


def summarise(table: Table, row: Row, title: str) -> str:
    """One figure of a table: each contender's beside its name, rivals but for the first left out."""

    def show(column: str) -> str:
        value = show_figure(row.values.get(column), row.unit)
        return f"{value} ({column})" if value else ""

    ours = (
        "; ".join(show(column) for column in (table.ours, *table.beside))
        if table.beside
        else show_figure(row.values[table.ours], row.unit)
    )
    label = title.format(first=row.label.split(":")[0])
    return f"| {label} | {ours} | {show(table.limit)} | {show(table.rivals[0]) if table.rivals else ''} |"


def renew_readme(text: str, results: Results) -> str:
    """The README with its section "Numbers" made anew; as it is when it has none."""
    intro = (
        f"\nFrom one run on a machine with {results.machine.cores} cores, batches of 50 people. "
        "[docs/benchmarks.md](docs/benchmarks.md) has all\n"
        "figures, what they were taken on and what was aimed at; `make bench` takes them again.\n\n"
    )
    lines = "\n".join(write_summary(results))
    return NUMBERS.sub(lambda _: f"{intro}{lines}\n\n", text)
