"""Time inside the handler, by room, beside the runtime's JSON and the usual handler."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from tools.benchmarks.arithmetic import divide, find_median, take_turns
from tools.benchmarks.children import Child, run_child
from tools.benchmarks.example import describe_usual, find_python, make_events
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table, Target

FUNCTION, JSON, USUAL, TUNED = (
    "the function",
    "the runtime's JSON",
    "the usual handler",
    "the usual handler, one thread",
)
ROOMS = ("hosts: parse", "features", "scorers", "policy", "hosts: reply", "telemetry", "the rest")
ROOMS_OF_OURS = ("hosts: parse", "telemetry")  # the usual handler has nothing like them
WHOLE = "inside the handler"
# Contenders that are parts of the function's column
PLAIN, ROOM, MARSHALLER = "plain", "rooms", "marshaller"
MARSHALLED = {
    "decode": "before the handler: decode the event",
    "encode": "after the handler: encode, here the same event",
}
ROUNDS, WARM_UP = 100, 10
SELDOM = {USUAL: 3, TUNED: 3}  # eight times as long as the function


def measure(plan: Plan) -> Table:
    """Ask several processes in turn."""
    with contextlib.ExitStack() as stack:
        asked: Mapping[str, Callable[[int], dict[str, float]]] = {
            name: stack.enter_context(child).ask
            for name, child in list_contenders(str(make_events())).items()
        }
        take_turns(asked, WARM_UP)
        taken = take_turns(asked, plan.count(ROUNDS), SELDOM)

    def find(name: str, part: str) -> float:
        return 1e6 * find_median([sample[part] for sample in taken[name]])

    rows = make_rows(find)
    inside = rows[0].values
    whole = inside[FUNCTION]
    explanation = explain(rows)
    return Table(
        name="rooms",
        title="Inside the handler, 50 people",
        ours=FUNCTION,
        limit=JSON,
        alternatives=(USUAL, TUNED),
        rows=rows,
        targets=(
            Target(
                sentence="time inside the handler, of the runtime's JSON of the same event",
                value=divide(whole, inside[JSON]) or 0,
                bound=1.5,
            ),
            *(
                Target(
                    sentence=sentence,
                    value=divide(theirs, whole) or 0,
                    bound=4.0,
                    kind="at least",
                    explanation=explanation,
                )
                for sentence, theirs in (
                    ("the usual handler's time inside, of the function's", inside[USUAL]),
                    ("the same with one thread for the usual handler's model", inside[TUNED]),
                )
            ),
        ),
        notes=(
            (
                f"Medians of {len(taken[JSON])} rounds of 20 batches, of the usual handlers "
                f"{len(taken[USUAL])}, processes in turn. "
                "Events are decoded as the runtime client does: for the function by our "
                "marshaller, into typed values; for the usual handler by the client's own "
                "(simplejson), which is the runtime's JSON. The rooms come from a process of "
                "their own, since stopwatches cost a little: they add up to somewhat more or "
                "less than the whole."
            ),
        ),
    )


def explain(rows: Sequence[Measurement]) -> str:
    """Why the usual handler may be nearer than its target: the rooms that it does not have."""
    found = {row.label: row.values[FUNCTION] or 0.0 for row in rows}
    more = "; ".join(f"{room} {found[f'- {room}']:.0f} us" for room in ROOMS_OF_OURS)
    return (
        "the usual handler checks nothing and logs nothing. The function's rooms that do took, by "
        f"stopwatches in this run, {more} of the {found[WHOLE]:.0f} us inside the handler."
    )


def list_contenders(events: str) -> dict[str, contextlib.AbstractContextManager[Child]]:
    """Our handler, the same with plain dicts, our rooms, both marshallers, the usual handler."""
    ours, theirs = find_python("function"), find_python("usual")
    module = "tools.benchmarks.inside"
    handler = (f"{module}:measure_handler", "function.handler:handle", events)
    usual = (f"{module}:measure_handler", "tools.benchmarks.usual.handler:handle", events)
    return {
        FUNCTION: run_child(ours, *handler),
        PLAIN: run_child(ours, *handler, "json"),
        ROOM: run_child(ours, f"{module}:measure_rooms", events),
        MARSHALLER: run_child(ours, f"{module}:measure_ours", events),
        JSON: run_child(ours, f"{module}:measure_runtime", events),
        USUAL: run_child(theirs, *usual, environ=describe_usual()),
        TUNED: run_child(theirs, *usual, environ=describe_usual(tuned=True)),
    }


def make_rows(find: Callable[[str, str], float]) -> tuple[Measurement, ...]:
    """The rows, the whole first. `find` gives microseconds of a part of a contender."""

    def row(label: str, **values: float) -> Measurement:
        return Measurement(label=label, unit="us", values=values)

    beside = {
        JSON: find(JSON, "both"),
        USUAL: find(USUAL, "handler"),
        TUNED: find(TUNED, "handler"),
    }
    return (
        row(WHOLE, **{FUNCTION: find(FUNCTION, "handler")}, **beside),
        *(row(f"- {room}", **{FUNCTION: find(ROOM, room)}) for room in ROOMS),
        row("the same, called with a plain dict", **{FUNCTION: find(PLAIN, "handler")}, **beside),
        *(
            row(label, **{FUNCTION: find(MARSHALLER, part), JSON: find(JSON, part)})
            for part, label in MARSHALLED.items()
        ),
    )
