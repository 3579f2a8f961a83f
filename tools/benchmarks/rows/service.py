"""The gRPC scoring service, MLServer and KServe: same model, client and batches, in turn."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import grpc
import numpy as np

from function.scorers.tensors import build_request, read_scores
from model.features import Matrix
from protos.open_inference_pb2 import ModelInferResponse
from tools.benchmarks.arithmetic import (
    divide,
    find_median,
    find_percentile,
    take_no_number,
    take_turns,
)
from tools.benchmarks.example import make_matrices
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.servers import OURS, SERVERS, Server, ServerError, run_server

CALL = "/inference.GRPCInferenceService/ModelInfer"
CLIENTS = (1, 4, 16)
ROUNDS, SECONDS, WARM_UP = 5, 0.6, 0.5
ALTERNATIVES = tuple(name for name in SERVERS if name != OURS)
EXPLANATION = (
    "of a call with four clients a bare gRPC echo costs two thirds and the model a fifth (replaced "
    "by an answer kept ready, commit `a5c303e`), and the clients need the same two processors. "
    "Since the shipped model has 60 trees in place of 150, every server has less to compute, and "
    "what gRPC costs them all weighs more: the ratio was 5.4 with 150 trees (commit `2f8f6e2`), "
    "with one thread 4.0. docs/decisions/0016 has more figures."
)
# The models differ only in scikit-learn's version, and in float32 for ONNX (docs/interop.md).
CLOSE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One measurement: seconds of each call, and calls a second of all clients together."""

    taken: list[float]
    rate: float


def measure(plan: Plan) -> Table:
    """Keep the three running and load one of them at a time."""
    matrices = make_matrices()
    rows: list[Measurement] = []
    with contextlib.ExitStack() as stack:
        running, absent = start_servers(stack)
        compare_scores(running, matrices[0])
        for clients in CLIENTS:
            plan.say(f"service, {clients} clients")
            loads: Mapping[str, Callable[[int], Load]] = {
                name: take_no_number(partial(load_server, server, matrices, clients, SECONDS))
                for name, server in running.items()
            }
            for server in running.values():
                load_server(server, matrices, clients, WARM_UP)
            rows += make_rows(clients, take_turns(loads, plan.count(ROUNDS, least=1)))
    most = {
        name: max(row.values[name] or 0.0 for row in rows if row.more_is_better) for name in running
    }
    return Table(
        name="service",
        title="The scoring service over gRPC, 50 rows a call",
        ours=OURS,
        alternatives=ALTERNATIVES,
        rows=tuple(rows),
        targets=tuple(
            Target(
                sentence=f"calls a second of our service, of those of {alternative} "
                "(each at its best number of clients)",
                value=divide(most[OURS], most[alternative]) or 0.0,
                bound=5.0,
                kind="at least",
                explanation=EXPLANATION,
            )
            for alternative in ALTERNATIVES
            if alternative.startswith("MLServer") and alternative in most
        ),
        notes=(
            (
                "One Python process is all the clients, a thread and a connection each; "
                "about 0.1 ms of the same processors a call. "
                "MLServer runs with `parallel_workers` 0; both others with their defaults, "
                "and with one thread for the model."
            ),
            *absent,
        ),
    )


def start_servers(stack: contextlib.ExitStack) -> tuple[dict[str, Server], tuple[str, ...]]:
    """Start the servers. One of the others that does not start is left out, and a note says so."""
    running: dict[str, Server] = {}
    absent: list[str] = []
    for name in SERVERS:
        try:
            running[name] = stack.enter_context(run_server(name))
        except (ServerError, OSError, subprocess.CalledProcessError):
            if name == OURS:
                raise
            absent.append(f"Not measured: {name} did not start.")
    return running, tuple(absent)


def make_rows(clients: int, loads: Mapping[str, list[Load]]) -> list[Measurement]:
    """Latency and rate at a number of clients."""
    who = f"{clients} client{'s' if clients > 1 else ''}"
    taken = {
        name: [1000 * value for load in each for value in load.taken]
        for name, each in loads.items()
    }
    return [
        Measurement(
            label=f"{who}: median",
            unit="ms",
            values={name: find_median(values) for name, values in taken.items()},
        ),
        Measurement(
            label=f"{who}: 99th percentile",
            unit="ms",
            values={name: find_percentile(values, 99) for name, values in taken.items()},
        ),
        Measurement(
            label=f"{who}: calls a second",
            unit="1/s",
            values={
                name: find_median([load.rate for load in each]) for name, each in loads.items()
            },
            more_is_better=True,
        ),
    ]


def load_server(server: Server, matrices: list[Matrix], clients: int, seconds: float) -> Load:
    """Call a server for `seconds`; each client calls again once it has its answer.

    A failed call fails the benchmark.
    """
    requests = [build_request(matrix, server.dialect).SerializeToString() for matrix in matrices]
    taken: list[float] = []
    failed: list[grpc.RpcError] = []
    began = time.perf_counter()

    def call_on(first: int) -> None:
        with grpc.insecure_channel(
            server.address, [("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CALL)
            at = first
            try:
                while (started := time.perf_counter()) < began + seconds:
                    call(requests[at % len(requests)], timeout=30)
                    taken.append(time.perf_counter() - started)
                    at += 1
            except grpc.RpcError as error:
                failed.append(error)

    threads = [threading.Thread(target=partial(call_on, client * 7)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed or not taken:
        raise ServerError("expected every call to be answered") from (failed[0] if failed else None)
    return Load(taken=taken, rate=len(taken) / (time.perf_counter() - began))


def compare_scores(running: Mapping[str, Server], matrix: Matrix) -> None:
    """Check that all servers give the same scores. Raises ServerError."""
    scores = []
    for server in running.values():
        with grpc.insecure_channel(server.address) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CALL)
            answer = call(build_request(matrix, server.dialect).SerializeToString(), timeout=30)
        scores.append(
            read_scores(ModelInferResponse.FromString(answer), len(matrix), server.dialect)
        )
    if any(np.abs(other - scores[0]).max() > CLOSE for other in scores):
        raise ServerError("expected every server to give the same scores")
