"""Time inside the handler, by room, beside the runtime's JSON and the usual handler."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

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
WHOLE = "inside the handler"
ROUNDS, WARM_UP = 150, 10
EXPLANATION = (
    "the usual handler checks nothing and logs nothing; without the rooms that do so in the "
    "function (parse, telemetry) it would be met."
)


def measure(plan: Plan) -> Table:
    """Ask five processes in turn.

    Our handler, our handler with stopwatches, the runtime's JSON, and the usual handler twice.
    """
    events = str(make_events())
    ours, theirs = find_python("function"), find_python("usual")
    contenders = {
        "whole": run_child(
            ours, "tools.benchmarks.inside:measure_handler", "function.handler:handle", events
        ),
        "rooms": run_child(ours, "tools.benchmarks.inside:measure_rooms", events),
        JSON: run_child(ours, "tools.benchmarks.inside:measure_runtime", events),
        **{
            name: run_child(
                theirs,
                "tools.benchmarks.inside:measure_handler",
                "tools.benchmarks.usual.handler:handle",
                events,
                environ=describe_usual(tuned=tuned),
            )
            for name, tuned in {USUAL: False, TUNED: True}.items()
        },
    }
    with contextlib.ExitStack() as stack:
        children: dict[str, Child] = {
            name: stack.enter_context(child) for name, child in contenders.items()
        }
        asked: Mapping[str, Callable[[int], dict[str, float]]] = {
            name: child.ask for name, child in children.items()
        }
        take_turns(asked, WARM_UP)
        taken = take_turns(asked, plan.count(ROUNDS))

    def find(name: str, part: str) -> float:
        return 1e6 * find_median([sample[part] for sample in taken[name]])

    whole, both, usual, tuned = (
        find("whole", "handler"),
        find(JSON, "both"),
        find(USUAL, "handler"),
        find(TUNED, "handler"),
    )
    rows = (
        Measurement(
            label=WHOLE, unit="us", values={FUNCTION: whole, JSON: both, USUAL: usual, TUNED: tuned}
        ),
        *(
            Measurement(label=f"- {room}", unit="us", values={FUNCTION: find("rooms", room)})
            for room in ROOMS
        ),
        Measurement(label="- decode the event", unit="us", values={JSON: find(JSON, "decode")}),
        Measurement(
            label="- encode the same event", unit="us", values={JSON: find(JSON, "encode")}
        ),
    )
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
                value=divide(whole, both) or 0,
                bound=1.5,
            ),
            *(
                Target(
                    sentence=sentence,
                    value=divide(theirs, whole) or 0,
                    bound=4.0,
                    kind="at least",
                    explanation=EXPLANATION,
                )
                for sentence, theirs in (
                    ("the usual handler's time inside, of the function's", usual),
                    ("the same with one thread for the usual handler's model", tuned),
                )
            ),
        ),
        notes=(
            (
                f"Medians of {len(taken[JSON])} rounds of 20 batches, processes in turn. "
                "The rooms come from a process of their own, since "
                "stopwatches cost a little: they add up to somewhat more or less than the whole."
            ),
        ),
    )
