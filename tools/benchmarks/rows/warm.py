"""Warm calls through AWS's emulator and runtime client over HTTP, contenders in turn."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools.benchmarks.arithmetic import divide, find_median, find_percentile, take_turns
from tools.benchmarks.example import describe_usual, find_python, make_events
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target
from tools.benchmarks.variants import AnswerError
from tools.image.emulator import Emulator, run_emulator
from tools.image.sessions import find_session

FUNCTION, ECHO, LEAST, USUAL, TUNED = (
    "the function",
    "an echo",
    "an echo with msgspec",
    "the usual handler",
    "the usual handler, one thread",
)
SESSIONS = 3
ROUNDS, WARM_UP = 350, 20
ROUNDS_OF_ALL = 140
BESIDE_ECHOES = "median, in turn with the echoes only"
EXPLANATION = (
    "parts of the handler were replaced by an answer kept ready, one at a time, to see what each "
    "costs after a wait: the model 20 % of the time inside the handler, the record 12 %, the drift "
    "bins 12 %, the reply 11 %, the matrix 6 %, the decisions 3 %. Each takes two to three times "
    "what it takes in a loop, since code and data have left the caches. One session differs from "
    "the next by a hundredth. ONNX Runtime's options, the garbage collector and huge pages make no "
    "difference (tried at commit `1febfc3`)"
)
# Seconds before each call. The threads of scikit-learn's predictor spin for a moment after a call.
PAUSE = 0.003


class Session(NamedTuple):
    """What one start of every contender gave.

    few, taken  seconds of each call, beside the echoes only and beside all
    peaks       megabytes
    alike       share of people for whom function and usual handler decide alike
    """

    few: Mapping[str, Sequence[float]]
    taken: Mapping[str, Sequence[float]]
    peaks: Mapping[str, float]
    alike: float


def measure(plan: Plan) -> Table:
    """Run the contenders side by side and ask each in turn with the same batches.

    More than once: where a process's memory lies can change all of its calls by a twentieth.
    """
    events = [line.encode() for line in make_events().read_text("utf-8").splitlines()]
    sessions = [measure_session(plan, events) for _ in range(SESSIONS)]
    few = join_calls([session.few for session in sessions])
    taken = join_calls([session.taken for session in sessions])
    same = min(session.alike for session in sessions)
    peaks = {name: max(session.peaks[name] for session in sessions) for name in sessions[0].peaks}
    milliseconds = {name: [1000 * value for value in values] for name, values in taken.items()}
    rows = (
        Measurement(
            label="median",
            unit="ms",
            values={name: find_median(values) for name, values in milliseconds.items()},
        ),
        Measurement(
            label="99th percentile",
            unit="ms",
            values={name: find_percentile(values, 99) for name, values in milliseconds.items()},
        ),
        Measurement(label="peak memory of the process", unit="MB", values=dict(peaks)),
        Measurement(
            label=BESIDE_ECHOES,
            unit="ms",
            values={name: 1000 * find_median(values) for name, values in few.items()},
        ),
    )
    ratio, beside_echoes = (
        divide(row.values[FUNCTION], row.values[ECHO]) or 0.0 for row in (rows[0], rows[-1])
    )
    return Table(
        name="warm",
        title="A warm call, 50 people, through AWS's emulator and runtime client",
        ours=FUNCTION,
        limit=LEAST,
        alternatives=(USUAL, TUNED, ECHO),
        rows=rows,
        targets=(
            Target(
                sentence="a warm call's median, of an echo's",
                value=ratio,
                bound=1.0,
                explanation=EXPLANATION,
            ),
            Target(
                sentence="the same in turn with the echoes only",
                value=beside_echoes,
                bound=1.0,
                explanation=EXPLANATION,
            ),
            Target(
                sentence="peak memory of the function",
                value=peaks[FUNCTION],
                bound=110.0,
                unit="MB",
            ),
        ),
        notes=(
            (
                f"{len(taken[ECHO]):,} calls each, in turn, and {len(few[ECHO]):,} without the "
                "usual handlers, whose work and threads leave colder caches to the next call; in "
                f"{SESSIONS} sessions with new processes, since one process of the same code can "
                "be a twentieth slower than another in all of its calls. The function and the "
                "usual handler decide alike for "
                f"{same:.2%} of {50 * len(events):,} people. The reply holds the third that the "
                "policy keeps; an echo's holds everybody. An echo with msgspec has "
                "our marshaller in place of the runtime client's."
            ),
        ),
    )


def measure_session(plan: Plan, events: list[bytes]) -> Session:
    """Start every contender once, and ask them in turn."""
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(run) for name, run in start_all().items()}
        alike = compare_answers(running, events)
        asked: Mapping[str, Callable[[int], float]] = {
            name: make_caller(emulator, events) for name, emulator in running.items()
        }
        take_turns(asked, WARM_UP)
        echoes = {name: asked[name] for name in (FUNCTION, ECHO, LEAST)}
        return Session(
            few=take_turns(echoes, plan.count(ROUNDS)),
            taken=take_turns(asked, plan.count(ROUNDS_OF_ALL)),
            peaks={name: read_peak(emulator) for name, emulator in running.items()},
            alike=alike,
        )


def join_calls(sessions: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Each contender's calls of all sessions."""
    return {
        name: [seconds for session in sessions for seconds in session[name]] for name in sessions[0]
    }


def start_all() -> dict[str, contextlib.AbstractContextManager[Emulator]]:
    """Each contender under an emulator of its own, in its own environment."""
    usual = "tools.benchmarks.usual.handler.handle"
    return {
        FUNCTION: start_handler("function.handler.handle"),
        ECHO: start_handler("tools.benchmarks.echo.handle"),
        LEAST: start_handler("tools.benchmarks.echo_msgspec.handle"),
        USUAL: start_handler(usual, describe_usual(), environment="usual"),
        TUNED: start_handler(usual, describe_usual(tuned=True), environment="usual"),
    }


def start_handler(
    handler: str, environ: Mapping[str, str] | None = None, *, environment: str = "function"
) -> contextlib.AbstractContextManager[Emulator]:
    """A handler under an emulator of its own.

    environ      its settings
    environment  the one below `.cache/` whose Python runs it
    """
    return run_emulator(
        command=[str(find_python(environment)), "-m", "awslambdaric", handler],
        environ=environ,
    )


def make_caller(emulator: Emulator, events: list[bytes]) -> Callable[[int], float]:
    """Seconds of one call, from connecting to the whole answer. Raises AnswerError."""

    def call(number: int) -> float:
        time.sleep(PAUSE)
        started = time.perf_counter()
        answer = emulator.post(events[number % len(events)])
        elapsed = time.perf_counter() - started
        if answer.status != 200 or answer.body.startswith(b'{"errorMessage"'):
            raise AnswerError("expected a reply from every contender")
        return elapsed

    return call


def compare_answers(running: Mapping[str, Emulator], events: list[bytes]) -> float:
    """Share of people for whom function and usual handler decide alike. Also warms them up."""
    alike = people = 0
    for event in events:
        replies: dict[str, Any] = {
            name: emulator.post(event).json() for name, emulator in running.items()
        }
        if "errorMessage" in replies[USUAL] or "errorMessage" in replies[FUNCTION]:
            raise AnswerError("expected a reply from every contender")
        ids = json.loads(event)["Endpoints"]
        people += len(ids)
        alike += sum((id_ in replies[FUNCTION]) == (id_ in replies[USUAL]) for id_ in ids)
    return alike / people


def read_peak(emulator: Emulator) -> float:
    """Peak resident megabytes of the function's process, the largest Python below the emulator."""
    peaks = [
        int(line.split()[1]) * 1024 / 1e6
        for pid in find_session(emulator.pid)
        if b"awslambdaric" in Path(f"/proc/{pid}/cmdline").read_bytes()
        and b"aws-lambda-rie" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        if line.startswith("VmHWM:")
    ]
    return max(peaks)
