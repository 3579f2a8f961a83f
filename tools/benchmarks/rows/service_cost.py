"""What a call costs the scoring service: its processor time, beside an echo and the model alone.

Also with two workers: how the calls are shared between them, and whether a call costs more.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from function.settings import read_settings
from model.bundle import load_bundle
from model.features import Matrix
from model.runtime import OnnxModel
from segment_scorer.service.meter import MEMORY_NAME, Board, MeterSums
from tools.benchmarks.arithmetic import divide, find_median, take_no_number, take_turns
from tools.benchmarks.children import run_child
from tools.benchmarks.example import make_matrices
from tools.benchmarks.machine import read_processor_seconds
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.rows.service import load_server
from tools.benchmarks.servers import ECHO, OURS, SERVERS, Server, run_server, run_workers
from tools.image.sessions import find_session

MODEL = "the model alone"
BOTH = "echo and model"
CLIENTS = (1, 4, 16)
AT = 4  # clients of the target
WORKERS = 2
ROUNDS, SECONDS, WARM_UP = 7, 0.8, 0.5
# Connections -> seconds: the kernel shares connections anew every 20 s.
SECONDS_OF_WORKERS = {16: 45.0, 32: 25.0}
AT_ONCE = 200
EXPLANATION = (
    "parts of the service were replaced by an answer kept ready, one at a time, to see what each "
    "costs of a call with 4 clients: the model 21 %, the other work on a request and its response "
    "5 %, admission and order 2 %, the time limit of a request too little to see. The bare echo "
    "costs 66 %. The model is 1.6 times as dear as in a loop (means of five servers of each, at "
    "commit `a5c303e`, beside other work)"
)


def measure(plan: Plan) -> Table:
    """Load the service and the echo in turn, the model in a loop between them."""
    matrices = make_matrices()
    rounds = plan.count(ROUNDS, least=1)
    rows: list[Measurement] = []
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(run_server(name)) for name in (OURS, ECHO)}
        child = stack.enter_context(
            run_child(Path(sys.executable), "tools.benchmarks.rows.service_cost:measure_model")
        )
        child.ask(0)
        for clients in CLIENTS:
            plan.say(f"service_cost, {clients} clients")
            for server in running.values():
                load_server(server, matrices, clients, WARM_UP)
            costs: Mapping[str, Callable[[int], float]] = {
                **{
                    name: take_no_number(partial(cost_call, server, matrices, clients))
                    for name, server in running.items()
                },
                MODEL: lambda number: child.ask(number)["model"],
            }
            taken = take_turns(costs, rounds)
            cost = {name: 1e6 * find_median(values) for name, values in taken.items()}
            rows.append(
                Measurement(
                    label=f"{clients} client{'s' if clients > 1 else ''}: processor time a call",
                    unit="us",
                    values={**cost, BOTH: cost[ECHO] + cost[MODEL]},
                )
            )
        single = stack.enter_context(run_workers(1))
        shares, ratios = [], []
        for connections, seconds in SECONDS_OF_WORKERS.items():
            plan.say(f"service_cost, 2 workers, {connections} connections")
            share, ratio = compare_workers(
                single, matrices, connections, seconds * min(plan.effort, 1.0)
            )
            shares.append(share)
            ratios.append(ratio)
            rows.append(
                Measurement(
                    label=f"{connections} connections, 2 workers: calls of the worker with fewer",
                    unit="%",
                    values={OURS: 100 * share},
                    more_is_better=True,
                )
            )
            rows.append(
                Measurement(
                    label=f"{connections} connections, 2 workers: processor time a call, "
                    "of one process's",
                    unit="x",
                    values={OURS: ratio},
                )
            )
    (found,) = [row.values for row in rows if row.label.startswith(f"{AT} clients")]
    return Table(
        name="service_cost",
        title="What a call costs the scoring service, 50 rows",
        ours=OURS,
        limit=BOTH,
        beside=(ECHO, MODEL),
        rows=tuple(rows),
        targets=(
            Target(
                sentence=f"processor time of a call of the service, of an echo and the model ({AT} "
                "clients)",
                value=divide(found[OURS], found[BOTH]) or 0.0,
                bound=1.3,
                explanation=EXPLANATION,
            ),
            Target(
                sentence="calls of the worker with fewer, 2 workers, 16 connections or more",
                value=100 * min(shares),
                bound=30.0,
                kind="at least",
                unit="%",
            ),
            Target(
                sentence="processor time of a call with 2 workers, of that in one process",
                value=max(ratios),
                bound=1.05,
            ),
        ),
        notes=(
            (
                f"Medians of {rounds} rounds, in turn, of the server's own processor time. The "
                "echo is gRPC's asyncio server too; it reads and sends as many bytes. The model "
                "alone computes the same batches in a loop, in a process of its own."
            ),
        ),
    )


def cost_call(
    server: Server, matrices: list[Matrix], clients: int, seconds: float = SECONDS
) -> float:
    """Processor seconds that a call costs the server's processes."""
    pids = find_session(server.pid)
    before = read_processor_seconds(pids)
    load = load_server(server, matrices, clients, seconds)
    return (read_processor_seconds(pids) - before) / len(load.taken)


def compare_workers(
    single: Server, matrices: list[Matrix], connections: int, seconds: float
) -> tuple[float, float]:
    """The smaller worker's share of the calls, and the cost of a call, of one process's.

    The one process is loaded before and after.
    """
    with run_workers(WORKERS) as pair:
        load_server(pair, matrices, connections, WARM_UP)
        before = [cost_call(single, matrices, connections) for _ in range(2)]
        board = open_board(pair.pid)
        calls = count_calls(board)
        cost = cost_call(pair, matrices, connections, max(seconds, SECONDS))
        found = [now - then for now, then in zip(count_calls(board), calls, strict=True)]
        after = [cost_call(single, matrices, connections) for _ in range(2)]
    return min(found) / sum(found), divide(cost, find_median(before + after)) or 0.0


def open_board(supervisor: int) -> Board:
    """The counts of a running service's workers: memory that its supervisor holds."""
    for link in Path(f"/proc/{supervisor}/fd").iterdir():
        with contextlib.suppress(OSError):
            if MEMORY_NAME in str(link.readlink()):
                with link.open("r+b") as file:
                    return Board(WORKERS, file.fileno())
    raise LookupError("expected a service with workers")


def count_calls(board: Board) -> list[int]:
    """Answered inferences of each worker."""
    return [sum(MeterSums(tuple(board.block(index))).durations) for index in range(WORKERS)]


def measure_model() -> Callable[[int], dict[str, float]]:
    """For `tools.benchmarks.probe`: processor seconds of one batch by the model, in a loop."""
    model, matrices = OnnxModel(load_bundle(read_settings({}).bundle)), make_matrices()
    output = SERVERS[OURS][1].output  # the one that the requests ask for

    def measure_loop(number: int) -> dict[str, float]:
        began = time.process_time()
        for index in range(AT_ONCE):
            model.compute(matrices[(number + index) % len(matrices)], [output])
        return {"model": (time.process_time() - began) / AT_ONCE}

    return measure_loop
