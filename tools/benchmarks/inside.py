"""Measurements for `tools.benchmarks.probe`: a handler, each of our rooms, both marshallers.

In seconds. A measurement goes through 20 batches and gives the median of each part, so that it is
the cost of a warm handler.
"""

from __future__ import annotations

import importlib
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BATCHES_AT_ONCE = 20
Measure = Callable[[int], dict[str, float]]


def read_events(file: str) -> list[str]:
    """The events of a file, as text."""
    return Path(file).read_text("utf-8").splitlines()


def measure_handler(handler: str, file: str, decoder: str = "runtime") -> Measure:
    """Seconds in a handler, MODULE:FUNCTION. The event is decoded before.

    decoder  "runtime": by the marshaller of AWS's runtime client, which the handler's module may
             have replaced; "json": into a plain dict
    """
    client = importlib.import_module("awslambdaric.lambda_runtime_client")
    module, _, name = handler.partition(":")
    handle = getattr(importlib.import_module(module), name)
    by_runtime = client.BaseLambdaRuntimeClient.marshaller.unmarshal_request
    decode: Callable[[str], Any] = {"runtime": by_runtime, "json": json.loads}[decoder]

    def call(text: str) -> dict[str, float]:
        event = decode(text)
        started = time.perf_counter()
        handle(event, None)
        return {"handler": time.perf_counter() - started}

    return take_medians(call, read_events(file))


def measure_runtime(file: str) -> Measure:
    """Seconds that AWS's runtime client takes to decode an event and encode it again."""
    return measure_marshaller(make_runtime_marshaller(), file)


def measure_ours(file: str) -> Measure:
    """Seconds that our marshaller takes to decode an event and encode it again."""
    decode_event = importlib.import_module("function.hosts").decode_event
    ours = importlib.import_module("function.marshaller").Marshaller
    return measure_marshaller(ours(decode_event, make_runtime_marshaller()), file)


def make_runtime_marshaller() -> Any:
    """The marshaller that AWS's runtime client comes with."""
    return importlib.import_module("awslambdaric.lambda_runtime_marshaller").LambdaMarshaller()


def measure_marshaller(marshaller: Any, file: str) -> Measure:
    """Seconds to decode an event and encode it again."""

    def call(text: str) -> dict[str, float]:
        started = time.perf_counter()
        event = marshaller.unmarshal_request(text)
        decoded = time.perf_counter()
        marshaller.marshal_response(event)
        encoded = time.perf_counter()
        return {"decode": decoded - started, "encode": encoded - decoded, "both": encoded - started}

    return take_medians(call, read_events(file))


def measure_rooms(file: str) -> Measure:
    """Seconds in each room of our handler: its own pipeline, with a stopwatch around each room.

    "the rest" is the time outside the rooms.
    """
    line = importlib.import_module("function.pipeline")
    bootstrap = importlib.import_module("function.bootstrap")
    telemetry = importlib.import_module("function.telemetry").Telemetry
    taken: dict[str, float] = {}

    def watch(room: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                taken[room] = taken.get(room, 0.0) + time.perf_counter() - started

        return timed

    watched = {
        "hosts: parse": ("check_documents",),
        "features": ("build_matrix", "share_present"),
        "scorers": ("score_in_order",),
        "policy": ("decide",),
    }
    for room, names in watched.items():
        for name in names:
            setattr(line, name, watch(room, getattr(line, name)))
    telemetry.record = watch("telemetry", telemetry.record)
    pinpoint = bootstrap.HOSTS["pinpoint"]
    vars(bootstrap)["HOSTS"] = {
        "pinpoint": SimpleNamespace(
            **{name: getattr(pinpoint, name) for name in dir(pinpoint) if name[0] != "_"}
            | {
                "parse_event": watch("hosts: parse", pinpoint.parse_event),
                "build_reply": watch("hosts: reply", pinpoint.build_reply),
            }
        )
    }
    handle = bootstrap.build_handler({})
    decode_event = importlib.import_module("function.hosts").decode_event

    def call(text: str) -> dict[str, float]:
        event = decode_event(text.encode(), json.loads)
        taken.clear()
        started = time.perf_counter()
        handle(event, None)
        total = time.perf_counter() - started
        return {**taken, "the rest": total - sum(taken.values()), "all rooms": total}

    return take_medians(call, read_events(file))


def take_medians(call: Callable[[str], Mapping[str, float]], texts: list[str]) -> Measure:
    """Call each of the next batches; give the median of each part."""

    def measure(number: int) -> dict[str, float]:
        start = number * BATCHES_AT_ONCE
        taken = [call(texts[index % len(texts)]) for index in range(start, start + BATCHES_AT_ONCE)]
        return {part: statistics.median(sample[part] for sample in taken) for part in taken[0]}

    return measure
