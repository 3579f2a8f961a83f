"""Blocks of documents that are made of docs/benchmarks.json, between two comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tools.benchmarks.example import ROOT
from tools.benchmarks.page import show_figure, show_number, show_revision
from tools.benchmarks.records import Results, Table
from tools.benchmarks.rows.runner import CLOCK, ONE, PROCESSOR, TWO, find_growth
from tools.benchmarks.rows.web import PINPOINT, WEB
from tools.scale.inputs import find_table, read_inputs, read_sizes
from tools.scale.page import WIDTH, write_scale

DOCS = ROOT / "docs"
# What the runner's table shows -> the end of its rows' labels.
FIGURES = {
    "time an endpoint": CLOCK,
    "processor time an endpoint": PROCESSOR,
    "peak memory": ": peak memory",
}


class BlockError(ValueError):
    """A document has not exactly one block of a name."""


def fill_block(text: str, name: str, block: str) -> str:
    """The text with another block between `<!-- made of NAME -->` and `<!-- end -->`.

    Raises BlockError unless there is exactly one.
    """
    pattern = re.compile(
        rf"(<!-- made of {re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.DOTALL
    )
    text, found = pattern.subn(lambda match: f"{match[1]}{block}\n{match[2]}", text)
    if found != 1:
        raise BlockError(f"expected one block made of {name}, found {found}")
    return text


def renew_documents(results: Results, folder: Path = DOCS) -> Iterator[tuple[Path, str]]:
    """Each document with blocks, and its new text.

    A block whose table was not measured stays as it is, with its own commit.
    """
    for name, blocks in BLOCKS.items():
        file = folder / name
        text = file.read_text("utf-8")
        for block, write in blocks.items():
            try:
                written = write(results)
            except KeyError:  # the table's row is missing
                continue
            text = fill_block(text, block, written)
        yield file, text


def name_commit(results: Results, table: Table) -> str:
    """The commit of a table."""
    return show_revision(table.revision or results.machine.revision)


def write_speed(results: Results) -> str:
    """Time, processor time and memory of the runner, by size. Raises KeyError."""
    table = find_table(results, "runner")
    columns = list(table.columns)
    rows = {row.label: row for row in table.rows}
    shown = {
        kind: ending
        for kind, ending in FIGURES.items()
        if any(label.endswith(ending) for label in rows)
    }
    head = [f"{kind}, {column}" for kind in shown for column in columns]
    one, two = (read_sizes(table, CLOCK, column) for column in (ONE, TWO))
    lines = [f"| endpoints | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for size in sorted({**one, **two}):
        found = [rows[f"{size:,} endpoints{ending}"] for ending in shown.values()]
        cells = [
            show_figure(row.values.get(column), row.unit) for row in found for column in columns
        ]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    machine = results.machine
    head_text = (
        "Invented endpoints (`examples/cdnow/make_synthetic.py`), with the shipped model and "
        f"policy and all outputs, at commit {name_commit(results, table)} on "
        f"{machine.processor}, {machine.cores} cores:"
    )
    end_text = " ".join(describe_speed(table, one, two))
    texts = (textwrap.fill(text, WIDTH, break_on_hyphens=False) for text in (head_text, end_text))
    return f"\n\n{chr(10).join(lines)}\n\n".join(texts)


def describe_speed(
    table: Table, one: Mapping[int, float], two: Mapping[int, float]
) -> Iterator[str]:
    """Sentences about the largest segment, two processes beside one, and whether the cost grows.

    one, two  size -> seconds an endpoint; one process may have walked fewer sizes
    """
    largest, both = max(two), max({*one} & {*two})
    yield f"{largest:,} endpoints took {largest * two[largest]:,.0f} s with two processes."
    yield f"At {both:,}, two are {one[both] / two[both]:.2f} times as fast as one."
    before = sorted(two)[-2] if len(two) > 1 else 0
    changes = [
        f"{sizes[largest] / sizes[before]:.2f} times with {who}"
        for sizes, who in ((one, "one process"), (two, "two processes"))
        if before in sizes and largest in sizes
    ]
    if changes:
        yield (
            f"From {before:,} to {largest:,} endpoints the time an endpoint changed "
            f"{', '.join(changes)}."
        )
    for who, (size, growth) in find_growth(table.rows).items():
        yield (
            f"With {who}, an endpoint of the last third of {size} took {growth:.2f} times the "
            "processor time of one of the first third."
        )


def write_web(results: Results) -> str:
    """What one person costs over HTTP. Raises KeyError."""
    table = find_table(results, "web")
    web, pinpoint = (
        show_figure(table.find("processor time a call", column), "ms") for column in (WEB, PINPOINT)
    )
    target = table.targets[0]
    text = (
        f"At commit {name_commit(results, table)} one person took {web} of processor time over "
        f"HTTP and {pinpoint} by Pinpoint's event, through AWS's runtime interface emulator. "
        f"The ratio was {show_number(target.value)}, the median over rounds of calls in turn; "
        f"the limit is {show_number(target.bound)}."
    )
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def write_service(results: Results) -> str:
    """What a call of the service takes. Raises KeyError."""
    table = find_table(results, "service")
    median = show_figure(table.find("1 client: median", table.ours), "ms")
    text = (
        f"With the shipped model, 50 rows take {median} over TCP (median, one client, at commit "
        f"{name_commit(results, table)} on {results.machine.cores} cores). A sidecar shares the "
        "function's CPU, memory and bill: it isolates, it is not faster."
    )
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def write_image(results: Results) -> str:
    """The size of the function's image. Raises KeyError."""
    table = find_table(results, "image")
    whole, beyond = (
        show_figure(table.find(label, table.ours), "MB")
        for label in ("function", "function, without the base")
    )
    return (
        f"The function's image has {whole}, {beyond} of them beyond the base, at commit "
        f"{name_commit(results, table)}."
    )


def write_table(results: Results) -> str:
    """The table of what many people take and cost. Raises KeyError."""
    return write_scale(read_inputs(results))


# document -> block -> its text
BLOCKS: Mapping[str, Mapping[str, Callable[[Results], str]]] = {
    "runner.md": {"benchmarks.json: speed": write_speed, "scale.json: table": write_table},
    "image.md": {"benchmarks.json: image": write_image},
    "scoring-service.md": {"benchmarks.json: service": write_service},
    "web.md": {"benchmarks.json: web": write_web},
}
