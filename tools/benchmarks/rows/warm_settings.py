"""The warm call with other policies, features, hosts, stores and scorers, each beside its echo."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.records import HostName
from tools.benchmarks.arithmetic import find_median, take_turns
from tools.benchmarks.example import read_people
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table
from tools.benchmarks.rows.warm import ECHO, FUNCTION, make_caller, start_handler
from tools.benchmarks.servers import OURS, run_server
from tools.benchmarks.variants import (
    SHIPPED,
    AnswerError,
    Kept,
    Variant,
    add_attributes,
    list_variants,
    make_events,
    make_files,
    read_kept,
)
from tools.image.emulator import Emulator

ECHOES: Mapping[HostName, str] = {
    "pinpoint": "tools.benchmarks.echo.handle",
    "connect": "tools.benchmarks.echo.handle_connect",
    "web": "tools.benchmarks.echo.handle_web",
}
ROUNDS, WARM_UP = 200, 5
CHECKED = 20  # batches whose answers are compared
SAME = (
    "Events and echo are those of the row's host: the people of the table above, in batches of 50, "
    "with two invented attributes more. Scored by a service, by attributes of a store and on each "
    "host, the same people are kept with the same scores as by the shipped policy."
)
ROWS = (
    "Bands and a control group: three bands and 10 % of users, each with an attribute. An exclude "
    "rule: one, by an attribute. Mode annotate returns everybody with a score, mode shadow "
    "everybody unchanged, so both send three times as many people back. Every kind of feature: one "
    "of each kind in place of the shipped model's fourteen numbers. External attributes: the "
    "shipped model reads its numbers from a SQLite file. Our scoring service shares the processors "
    "with the function. Amazon Connect sends each profile as JSON text, a sender over HTTP all "
    "people as one text. Treatments have no row, since the runner draws them, not the function."
)


def measure(plan: Plan) -> Table:
    """Run every variant and the echo of each host side by side, and ask each in turn."""
    plan.say("warm_settings: bundles and store")
    people = [add_attributes(document) for document in read_people()]
    make_files(people)
    events = make_events(people)
    plan.say("warm_settings")
    with contextlib.ExitStack() as stack:
        variants = list_variants(stack.enter_context(run_server(OURS)).address)
        running = {
            variant.label: stack.enter_context(
                start_handler("function.handler.handle", variant.environ)
            )
            for variant in variants
        }
        echoes = {
            host: stack.enter_context(start_handler(handler)) for host, handler in ECHOES.items()
        }
        check_answers(variants, running, {host: each[:CHECKED] for host, each in events.items()})
        bodies = {host: [json.dumps(each).encode() for each in events[host]] for host in events}
        asked: Mapping[str, Callable[[int], float]] = {
            **{
                variant.label: make_caller(running[variant.label], bodies[variant.host])
                for variant in variants
            },
            **{host: make_caller(emulator, bodies[host]) for host, emulator in echoes.items()},
        }
        take_turns(asked, WARM_UP)
        taken = take_turns(asked, plan.count(ROUNDS))
    medians = {name: 1000 * find_median(seconds) for name, seconds in taken.items()}
    return Table(
        name="warm_settings",
        title="The same warm call with other settings, features, hosts and scorers",
        ours=FUNCTION,
        limit=ECHO,
        rows=tuple(
            Measurement(
                label=variant.label,
                unit="ms",
                values={FUNCTION: medians[variant.label], ECHO: medians[variant.host]},
            )
            for variant in variants
        ),
        notes=(f"Medians of {plan.count(ROUNDS)} calls each, in turn. {SAME}", ROWS),
    )


def check_answers(
    variants: Sequence[Variant],
    running: Mapping[str, Emulator],
    events: Mapping[HostName, Sequence[dict[str, Any]]],
) -> None:
    """Check whom each variant keeps. Also warms them up. Raises AnswerError or ReplyError."""
    everybody = [list(event["Endpoints"]) for event in events["pinpoint"]]
    kept: dict[str, Kept] = {
        variant.label: {
            id_: score
            for event, ids in zip(events[variant.host], everybody, strict=True)
            for id_, score in ask(running[variant.label], variant.host, event, ids).items()
        }
        for variant in variants
    }
    people = [id_ for ids in everybody for id_ in ids]
    for variant in variants:
        variant.check(kept[variant.label], kept[SHIPPED.label], people)


def ask(emulator: Emulator, host: HostName, event: dict[str, Any], ids: Sequence[str]) -> Kept:
    """Whom the function keeps of one event. Raises AnswerError."""
    answer = emulator.post(event)
    if answer.status != 200 or answer.body.startswith(b'{"errorMessage"'):
        raise AnswerError("expected a reply from every contender")
    return read_kept(host, answer.json(), ids)
