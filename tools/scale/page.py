"""The section "Many people" of docs/runner.md, as Markdown: inputs in, text out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tools.benchmarks.page import show_number
from tools.scale.inputs import Inputs
from tools.scale.notes import explain, write_prices
from tools.scale.shown import MB, show_dollars, show_size, show_time
from tools.scale.ways import (
    EngineSlopes,
    Estimate,
    Prices,
    estimate_machines,
    estimate_walk,
)

PEOPLE = (1_000_000, 10_000_000, 100_000_000)
SMALL, BIG, BIG_CORES, SMALL_CORES, MACHINES = "c7i.large", "c7i.4xlarge", 16, 2, 4
AT_ONCE = (10, 100)  # the template's default, and as many as may be started in a second
CHUNK = 5000  # people, segment_scorer/runner/run.py
WIDTH = 140


class Way(NamedTuple):
    """A row: its name, what each number of people takes, what it needs, and where it stops."""

    name: str
    estimates: Sequence[Estimate]
    needs: str
    stops: str


def write_scale(inputs: Inputs) -> str:
    """The table, advice, what was measured, what was assumed, and the prices."""
    ways = list(list_ways(inputs))
    return "\n".join(
        [
            *write_table(ways),
            "",
            "**Which to take.**",
            "",
            *list_sentences(advise(inputs, ways)),
            "",
            "**What the table stands on.**",
            "",
            *list_sentences(explain(inputs)),
            "",
            *write_prices(inputs.prices),
        ]
    )


def list_sentences(items: Iterator[str]) -> Iterator[str]:
    """The items of a list, in lines of the documents' width."""
    for item in items:
        yield textwrap.fill(
            f"- {item}",
            WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def list_ways(inputs: Inputs) -> Iterator[Way]:
    """Every row of the table."""
    prices = {name: each.value for name, each in inputs.prices.prices.items()}
    for name, cores in ((SMALL, SMALL_CORES), (BIG, BIG_CORES)):
        taken = estimate_sizes(inputs.local, 1, cores, prices[name], prices)
        yield Way(
            f"`--engine local` on one {name}, {cores} vCPU",
            taken,
            f"{show_size(taken[-1].memory)} of memory for any size; "
            f"{show_size(taken[-1].disk)} of disk for 100 million people",
            show_limit(inputs.local, "first process"),
        )
    yield describe_ray(inputs.ray, inputs.walk.plain, prices)
    yield from list_walks(inputs, prices)


def estimate_sizes(
    engine: EngineSlopes, machines: int, cores: int, hourly: float, prices: Prices
) -> list[Estimate]:
    """What each number of people takes on machines of so many cores."""
    return [
        estimate_machines(
            engine, people, machines=machines, cores=cores, hourly=hourly, prices=prices
        )
        for people in PEOPLE
    ]


def describe_ray(ray: EngineSlopes, plain: float, prices: Prices) -> Way:
    """The row of Ray. `plain` is the bytes of a person in a chunk."""
    cores = MACHINES * BIG_CORES
    taken = estimate_sizes(ray, MACHINES, BIG_CORES, prices[BIG], prices)
    held = (2 * cores + 1) * CHUNK * (plain + ray.output)
    return Way(
        f"`--engine ray` on {MACHINES} {BIG}, {cores} vCPU",
        taken,
        f"{show_size(taken[-1].memory)} of memory on the first machine, and up to "
        f"{show_size(held)} of chunks and results in the object store; the same disk",
        f"{show_limit(ray, 'driver')}. More machines do not help it",
    )


def list_walks(inputs: Inputs, prices: Prices) -> Iterator[Way]:
    """The rows of the state machine."""
    walk = inputs.walk
    quotas = {name: each.value for name, each in inputs.prices.quotas.items()}
    file = quotas["map_file_bytes"] / walk.plain
    for at_once in AT_ONCE:
        a_second = walk.batch * walk.batches_a_second(at_once, quotas["map_starts"])
        limit = (
            f"{show_number(a_second * walk.limit / MB)} million people in the day after which the "
            f"template ends a walk; {show_number(file / MB)} million in one file (10 GB)"
            if at_once == AT_ONCE[0]
            else f"{show_number(quotas['map_starts'])} batches started a second, "
            f"{show_number(a_second)} people; more at once gains nothing"
        )
        yield Way(
            f"state machine, `MaxConcurrency` {at_once}",
            [
                estimate_walk(walk, people, at_once=at_once, prices=prices, quotas=quotas)
                for people in PEOPLE
            ],
            f"{at_once} of the account's {show_number(quotas['lambda_concurrency'])} concurrent "
            "calls; an unpacked copy of the segment in S3",
            limit,
        )


def write_table(ways: Sequence[Way]) -> Iterator[str]:
    """The ways as rows, the numbers of people as columns."""
    sizes = [f"{people // 1_000_000} million" for people in PEOPLE]
    yield f"| way | {' | '.join(sizes)} | needs | stops at |"
    yield "|---" * (len(sizes) + 3) + "|"
    for way in ways:
        cells = [show_estimate(each) for each in way.estimates]
        yield f"| {way.name} | {' | '.join(cells)} | {way.needs} | {way.stops} |"


def advise(inputs: Inputs, ways: Sequence[Way]) -> Iterator[str]:
    """Which to take, by size: the cheapest and the fastest of the rows."""
    for index, people in enumerate(PEOPLE):
        cheap = min(ways, key=lambda way: way.estimates[index].dollars)
        fast = min(ways, key=lambda way: way.estimates[index].seconds)
        yield (
            f"{people // 1_000_000} million people: the cheapest is {cheap.name} "
            f"({show_estimate(cheap.estimates[index])}), the fastest {fast.name} "
            f"({show_estimate(fast.estimates[index])})."
        )
    yield (
        "Take one machine. If it is too slow, take one with more cores before you take several: "
        "reading, writing and counting is the work of one process, with Ray too."
    )
    yield (
        "Take Ray if a cluster is there already, or if your model is much slower than the shipped "
        "one: more cores divide only the workers' time."
    )
    yield (
        "Take the state machine if no machine may be run, or to send a segment through the "
        "deployed function. It costs most. It has no budget, no `--one-per`, no report and no "
        "`decisions.csv`."
    )
    whole = inputs.whole
    yield (
        f"With `--budget` and `--one-per` a run of {whole['people'] // 1_000_000} million people "
        f"took {whole['times_the_clock']:.2f} times as long, and {whole['with']['most_mb']:.0f} MB "
        f"instead of {whole['without']['most_mb']:.0f} MB "
        "([whole-segment.json](whole-segment.json)). The second pass is one process. The disk in "
        "the table has room for it."
    )


def show_limit(engine: EngineSlopes, first: str) -> str:
    """Where an engine stops."""
    return (
        f"{show_number(engine.most_people_a_second)} people a second, whatever the cores, since "
        f"the {first} reads, writes and counts alone; half of that with "
        f"{engine.half_speed_cores:.0f} cores"
    )


def show_estimate(estimate: Estimate) -> str:
    """Time and cost; and the files, if one is not enough."""
    files = f", in {estimate.pieces} files" if estimate.pieces > 1 else ""
    return f"{show_time(estimate.seconds)}, {show_dollars(estimate.dollars)}{files}"
