"""Fakes for unit tests, and a bundle small enough to reason about. Every person is invented."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from function.batch_record import OMITTED_AT_ZERO
from function.correlation import NO_CORRELATION, Correlation
from function.errors import ScorerError
from function.records import Account, Batch, Decision, Reply, Scores
from model.bundle import write_bundle
from model.features import FeatureSpec, Matrix, read_spec
from model.manifest import golden_as_data
from model.score_kind import RESPONSE, UPLIFT

TINY_SPEC = {"feature": [{"name": "score", "path": "Metrics.score", "kind": "number"}]}


class FakeClock:
    """Seconds that pass only when a test says so, or a fake that was given this clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class FakeScorer:
    """Scores a row by its first column, or fails. Takes `takes` seconds, or its timeout."""

    label = "fake@1"
    source = "service"

    def __init__(
        self,
        *,
        error: ScorerError | None = None,
        takes: float = 0.0,
        clock: FakeClock | None = None,
    ) -> None:
        self.error = error
        self.takes = takes
        self.clock = clock or FakeClock()
        self.matrices: list[Matrix] = []
        self.timeouts: list[float] = []
        self.correlations: list[Correlation] = []

    def score_batch(
        self, matrix: Matrix, timeout: float, correlation: Correlation = NO_CORRELATION
    ) -> Scores:
        self.correlations.append(correlation)
        self.matrices.append(matrix)
        self.timeouts.append(timeout)
        self.clock.pass_by(min(self.takes, timeout))
        if self.error is not None:
            raise self.error
        return np.nan_to_num(matrix[:, 0].astype(np.float64), nan=0.0)


class FakeContext:
    """The part of Lambda's context that the function uses: a clock that runs down."""

    def __init__(self, seconds: float = 15.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.end = clock() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.end - self.clock()) * 1000))


def make_account(batch: Batch, decisions: Sequence[Decision], **changes: Any) -> Account:
    """The account of a batch that was answered without scores, or as `changes` say."""
    empty = np.empty((0, 1), dtype=np.float32)
    values: dict[str, Any] = {
        "batch": batch,
        "reply": Reply(body={}, decisions=decisions),
        "mode": "filter",
        "label": "tiny@1",
        "scored": None,
        "matrix": empty,
        "present": (),
        "scoring": 0.0,
        "remaining": 15.0,
        "cold": None,
    }
    return Account(**{**values, **changes})


class Watcher:
    """An observer that remembers what it was shown."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []

    def __call__(self, account: Account) -> None:
        self.accounts.append(account)

    @property
    def decisions(self) -> list[Decision]:
        return [decision for account in self.accounts for decision in account.decisions]


def make_bundle(directory: Path, spec: FeatureSpec | None = None, **changes: Any) -> Path:
    """Write a bundle whose model scores a row by its first column, clipped to 0..1 (missing: 0)."""
    spec = spec or read_spec(TINY_SPEC)
    width = len(spec.columns)
    rows = np.zeros((3, width), dtype=np.float32)
    rows[:, 0] = [0.0, 0.25, np.nan]
    manifest = {
        "name": "tiny",
        "version": "1",
        "columns": list(spec.columns),
        "spec": spec.to_mapping(),
        "threshold": 0.5,
        "metrics": {"roc_auc": 0.75},
        "golden": golden_as_data(rows, np.array([0.0, 0.25, 0.0])),
        "versions": {},
        "quantiles": [index / 100 for index in range(101)],
    }
    write_bundle(directory, make_model(width), {**manifest, **changes})
    return directory


def make_uplift_bundle(directory: Path, spec: FeatureSpec | None = None, **changes: Any) -> Path:
    """Write a bundle of uplift scores: twice the first column, clipped to 0..1, less 1."""
    spec = spec or read_spec(TINY_SPEC)
    rows = np.zeros((3, len(spec.columns)), dtype=np.float32)
    rows[:, 0] = [0.0, 0.75, np.nan]
    manifest = {
        "name": "tiny",
        "version": "1",
        "columns": list(spec.columns),
        "spec": spec.to_mapping(),
        "score": UPLIFT.to_mapping(),
        "threshold": 0.0,
        "metrics": {"qini": 0.05},
        "golden": golden_as_data(rows, np.array([-1.0, 0.5, -1.0])),
        "versions": {},
        "quantiles": [index / 50 - 1 for index in range(101)],
    }
    model = make_model(len(spec.columns), uplift=True)
    write_bundle(directory, model, {**manifest, **changes})
    return directory


def make_model(width: int, *, uplift: bool = False) -> bytes:
    """An ONNX model with the input and outputs of an exported classifier, or an uplift model."""
    nodes = [
        helper.make_node("Slice", ["input", "from", "to", "axis"], ["first"]),
        helper.make_node("IsNaN", ["first"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "first"], ["known"]),
        helper.make_node("Clip", ["known", "zero", "one"], ["positive"]),
    ]
    if uplift:
        nodes += [
            helper.make_node("Add", ["positive", "positive"], ["twice"]),
            helper.make_node("Sub", ["twice", "one"], [UPLIFT.output]),
        ]
    else:
        nodes += [
            helper.make_node("Sub", ["one", "positive"], ["negative"]),
            helper.make_node("Concat", ["negative", "positive"], [RESPONSE.output], axis=1),
            helper.make_node("ArgMax", [RESPONSE.output], ["label"], axis=1, keepdims=0),
        ]
    constants = {"from": [0], "to": [1], "axis": [1]}
    tensors = [
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in constants.items()
    ]
    tensors += [
        numpy_helper.from_array(np.array(value, dtype=np.float32), name)
        for name, value in {"zero": 0.0, "one": 1.0}.items()
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, width])],
        list_outputs(uplift=uplift),
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def list_outputs(*, uplift: bool) -> list[Any]:
    """The outputs that a bundle's model must have."""
    kind = UPLIFT if uplift else RESPONSE
    scores = helper.make_tensor_value_info(kind.output, TensorProto.FLOAT, [None, kind.columns])
    label = helper.make_tensor_value_info("label", TensorProto.INT64, [None])
    return [scores] if uplift else [label, scores]


def make_event(endpoints: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A Pinpoint hook event, invented."""
    return {
        "MessageConfiguration": {},
        "ApplicationId": "app",
        "CampaignId": "campaign",
        "TreatmentId": "0",
        "ActivityId": "activity",
        "ScheduledTime": "2026-01-31T19:00:16.843Z",
        "Endpoints": endpoints,
        **changes,
    }


def make_endpoint(score: float | None = None, **changes: Any) -> dict[str, Any]:
    """An endpoint definition, invented, that the tiny bundle gives `score`."""
    metrics = {} if score is None else {"score": score}
    return {
        "ChannelType": "EMAIL",
        "Address": "someone@example.com",
        "OptOut": "NONE",
        "Attributes": {},
        "Metrics": metrics,
        **changes,
    }


def write_policy(path: Path, text: str) -> Path:
    """Write a policy file."""
    path.write_text(text, "utf-8")
    return path


def read_log(text: str) -> list[dict[str, Any]]:
    """The JSON lines of a log stream. What a batch's record leaves out is filled in."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [fill_in(line) if line.get("message") == "batch" else line for line in lines]


def fill_in(record: dict[str, Any]) -> dict[str, Any]:
    """A batch's record as its reader takes it: a number that was left out is 0, and whoever scored
    is the bundle's model unless the record says otherwise.
    """
    looked_up = "external_ms" in record
    omitted = {name for name in OMITTED_AT_ZERO if looked_up or not name.startswith("external_")}
    if "scorer" in record:
        record = {"scored_by": record["model"], **record}
    return {**dict.fromkeys(omitted, 0), **record}
