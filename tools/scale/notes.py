"""What the table stands on, in sentences, and the prices as a table: inputs in, text out."""

from __future__ import annotations

from collections.abc import Iterator

from tools.benchmarks.page import show_number, show_revision
from tools.scale.inputs import LOG_BYTES, Inputs, find_table
from tools.scale.records import PriceList
from tools.scale.shown import show_micro, show_quota, show_size


def explain(inputs: Inputs) -> Iterator[str]:
    """What was measured, what is computed, and from which assumptions."""
    machine, measured = inputs.results.machine, inputs.measured
    largest = max(run.people for run in measured.runs)
    runner, warm = (
        show_revision(find_table(inputs.results, name).revision or machine.revision)
        for name in ("runner", "warm")
    )
    yield (
        f"Measured: the runner's times by size at commit {runner} and a warm call at commit "
        f"{warm}, on {machine.processor}, {machine.cores} cores "
        "([benchmarks.json](benchmarks.json))."
    )
    yield (
        "Measured: the first process's share of the processor time, Ray beside the runner, bytes "
        f"and memory, with up to {show_number(largest)} people, at commit "
        f"{show_revision(measured.revision)} on {measured.processor}, {measured.cores} cores "
        f"([scale.json](scale.json)). The load average was {measured.load[0]:.1f} before and "
        f"{measured.load[1]:.1f} after, so of its times only ratios of processor time are used, "
        "and Ray's start."
    )
    yield (
        "Not measured: 100 million people, more than two cores, Ray across machines and its "
        "network, and anything in AWS. Those cells are computed."
    )
    yield from explain_machines(inputs)
    yield from explain_walk(inputs)


def explain_machines(inputs: Inputs) -> Iterator[str]:
    """How a machine's cells are computed."""
    local, ray = inputs.local, inputs.ray
    yield (
        f"Computed for machines: start + people x ({show_micro(local.rest)} + the workers' "
        f"{show_micro(local.workers)} / cores), and a person never less than the "
        f"{show_micro(local.parent)} of the first process. The first of these is what the measured "
        "time of two cores leaves beside half of the workers' time. With Ray they are "
        f"{show_micro(ray.rest)}, {show_micro(ray.workers)} and {show_micro(ray.parent)}, with "
        f"{ray.start:.0f} s to start. A vCPU counts as a core of the measured machine. People are "
        f"invented, {show_number(inputs.walk.plain)} bytes each, scored by the shipped model."
    )
    yield (
        "Costs of machines are from the run's start to its end, with the disk and the requests to "
        "S3. Starting and installing a machine comes on top."
    )


def explain_walk(inputs: Inputs) -> Iterator[str]:
    """How the state machine's cells are computed, and which quotas do not matter."""
    walk = inputs.walk
    yield (
        f"Computed for the state machine: batches of {walk.batch}; {walk.billed_ms} ms billed for "
        f"a call at {walk.memory_mb} MB, which is the measured call at that size's share of a "
        f"vCPU; {LOG_BYTES:,} bytes of log a batch. An express execution counts as "
        f"{walk.child:g} s, the step in which it is billed: its overhead is an assumption. "
        "Several files are walked one after another. Failed attempts, cold starts, metrics, "
        "alarms, storage and the free tier are left out ([deploy.md](deploy.md), step 11)."
    )
    yield (
        "Most of the state machine's cost is one standard transition for each batch, charged for "
        f"starting its express execution. {show_arm(inputs)}"
    )
    yield list_distant(inputs)


def list_distant(inputs: Inputs) -> str:
    """The quotas that a walk of any size keeps away from."""
    walk, quotas = inputs.walk, inputs.prices.quotas
    values = {name: each.value for name, each in quotas.items()}
    days = values["standard_seconds"] / 86_400
    return (
        f"Quotas that are far away: a batch has {show_size(walk.batch * walk.plain)} of the "
        f"{show_quota(values['state_bytes'])} that a state may hold, and of a call's "
        f"{show_quota(values['lambda_payload_bytes'])}. Of {show_number(values['map_children'])} "
        f"children {show_number(values['map_starts'] * walk.child)} run at the same time. A child "
        f"takes {walk.child:g} of {show_number(values['express_seconds'])} s, a call "
        f"{walk.billed_ms} ms of {show_number(values['lambda_seconds'])} s, a walk less than "
        f"{show_number(days)} days. A walk's history has few of "
        f"{show_number(values['history_events'])} events, since each child has its own. The "
        f"function writes nothing to its {show_quota(values['lambda_tmp_bytes'])} of /tmp."
    )


def show_arm(inputs: Inputs) -> str:
    """What arm64 changes."""
    prices = inputs.prices.prices
    less = 1 - prices["lambda_gb_second_arm"].value / prices["lambda_gb_second"].value
    return f"On arm64 the function's seconds cost {less:.0%} less."


def write_prices(prices: PriceList) -> Iterator[str]:
    """Prices and quotas: value, source, date and how they are known."""
    known = {
        "page": "read in a stored copy of the page",
        "quoted": "read in public texts that quote the page",
        "memory": "from memory: check it",
    }
    yield f"Prices of {prices.region} in dollars, and quotas ([prices.json](prices.json)):"
    yield ""
    yield "| name | value | what it is | source | looked up | how it is known |"
    yield "|---|---|---|---|---|---|"
    for name, each in {**prices.prices, **prices.quotas}.items():
        value = f"{each.value:,.10f}".rstrip("0").rstrip(".")
        yield (
            f"| `{name}` | {value} {each.unit} | {each.means} | <{each.source}> | "
            f"{each.looked_up} | {known[each.basis]} |"
        )
