"""segment_scorer/service/meter.py, minutes.py, callers.py: what is counted, added up and logged."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from protos.open_inference_pb2 import ModelInferRequest
from segment_scorer.service.callers import identify
from segment_scorer.service.errors import REASONS as DEFAULT_REASONS
from segment_scorer.service.log import start_log
from segment_scorer.service.meter import METHODS, REASONS, STATUSES, Board, Meter
from segment_scorer.service.minutes import Minutes
from segment_scorer.service.server import REFLECTION
from segment_scorer.service.servicer import SERVICE
from tests.fakes import FakeClock

FACTS = {"model": "tiny", "version": "3"}


def test_every_method_that_is_served_can_be_counted() -> None:
    served = {method.name for service in (SERVICE, REFLECTION) for method in service.methods}
    assert served | {"Check", "Watch"} == set(METHODS)


def test_every_status_is_counted_and_every_refusal_has_a_known_reason() -> None:
    assert set(STATUSES) == {status.name for status in grpc.StatusCode}
    assert set(DEFAULT_REASONS.values()) <= set(REASONS)


def test_counts_calls_refusals_rows_and_durations() -> None:
    meter = Meter()
    meter.count_call("ModelInfer", "OK")
    meter.count_call("ModelInfer", "OK")
    meter.count_call("Check", "NOT_FOUND")
    meter.count_call("a method that is not served", "OK")
    meter.count_refusal("busy")
    meter.count_inference(0.0005, 50)
    meter.count_inference(0.0006, 7)
    meter.count_inference(60.0, 1)
    meter.set_queue(3)
    counts = meter.read()
    assert counts.calls == {("ModelInfer", "OK"): 2, ("Check", "NOT_FOUND"): 1}
    assert {reason for reason, count in counts.refusals.items() if count} == {"busy"}
    assert (counts.rows, counts.queue) == (58, 3)
    assert (counts.durations[:2], counts.durations[-1], sum(counts.durations)) == ((1, 1), 1, 3)
    assert counts.seconds == pytest.approx(60.0011)


def test_the_blocks_of_all_processes_are_added_up_and_a_dead_ones_queue_is_forgotten() -> None:
    board = Board(2)
    other = Board(2, os.dup(board.descriptor))  # as in another process
    for meter, queue in ((Meter(board.block(0)), 2), (Meter(other.block(1)), 5)):
        meter.count_call("ModelInfer", "OK")
        meter.set_queue(queue)
    assert board.read().calls == {("ModelInfer", "OK"): 2}
    assert board.read().queue == 7
    board.forget_queue(1)
    assert board.read().queue == 2
    assert board.read().calls == {("ModelInfer", "OK"): 2}


def test_a_line_a_minute_says_what_that_minute_brought() -> None:
    clock, meter, log = FakeClock(), Meter(), io.StringIO()
    start_log("info", log)
    meter.count_call("ModelInfer", "OK")  # before: not in the line
    minutes = Minutes(meter.read, lambda: [os.getpid()], clock)
    for _ in range(99):
        meter.count_call("ModelInfer", "OK")
        meter.count_inference(0.0004, 50)
    meter.count_inference(0.04, 50)
    meter.count_call("ModelInfer", "RESOURCE_EXHAUSTED")
    meter.count_refusal("busy")
    clock.pass_by(59.0)
    minutes.write_if_due(FACTS)
    assert (minutes.seconds_left, log.getvalue()) == (1.0, "")
    clock.pass_by(1.0)
    minutes.write_if_due(FACTS)
    line = json.loads(log.getvalue())
    assert line["level"] == "INFO"
    assert line["message"] == "minute"
    assert line["calls"] == {"ModelInfer": {"OK": 99, "RESOURCE_EXHAUSTED": 1}}
    assert (line["rows"], line["queue"], line["refusals"]) == (5_000, 0, {"busy": 1})
    assert line["milliseconds"] == {"mean": 0.796, "median_below": 0.5, "p99_below": 0.5}
    assert {key: line[key] for key in FACTS} == FACTS
    assert line["resident_mb"] > 1
    assert minutes.seconds_left == 60.0
    log.truncate(0)
    log.seek(0)
    clock.pass_by(61.0)
    minutes.write_if_due(FACTS)
    assert json.loads(log.getvalue())["calls"] == {}
    assert json.loads(log.getvalue())["milliseconds"] == {}


class Called:
    """The context of a call with metadata."""

    def __init__(self, **metadata: str) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple((name.replace("_", "-"), value) for name, value in self._metadata.items())


ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
TRACE = "1-5759e988-bd862e3fe1be46a994272793"


@pytest.mark.parametrize(
    ("id_", "header", "found"),
    [
        (
            ID,
            f"Root={TRACE};Parent=53995c3f42cd8ad8",
            {"function_request_id": ID, "xray_trace_id": TRACE},
        ),
        (ID, "", {"function_request_id": ID}),
        ("", f"Self=1;Root={TRACE}", {"xray_trace_id": TRACE}),
        ("someone@example.com", "Root=someone@example.com", {}),
        (ID + "x", "Root=" + TRACE + "x", {}),
    ],
)
def test_only_ids_of_the_form_that_aws_gives_are_logged(
    id_: str, header: str, found: Mapping[str, Any]
) -> None:
    assert identify(ModelInferRequest(id=id_), Called(x_amzn_trace_id=header)) == found


def test_a_message_without_an_id_or_none_at_all_has_none() -> None:
    assert identify(None, Called()) == {}
    assert identify(object(), Called()) == {}
