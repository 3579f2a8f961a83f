"""Law: eight times as much untrusted input costs less than sixteen times the processor time."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from function.errors import SettingsError
from function.hosts.connect import CONNECT
from function.policy_file import load_policy, read_policy
from function.settings import read_settings
from model.document import clean_value, inspect_document
from model.errors import BundleError, DataError, SpecError
from model.features import build_matrix, read_spec
from model.kinds import KINDS
from model.manifest import read_manifest
from model.paths import compile_paths, find_problem
from model.training.datasets import read_outcomes
from model.values import parse_time, read_count, read_flag, read_number, read_texts
from segment_scorer.monitoring.drift import compare_logs
from tests.fakes import make_event
from tests.rooms import DRIFT, Drain, make_handler
from tests.strategies import make_connect_event

Act = Callable[[], object]
QUANTILES = [index / 100 for index in range(101)]
GROWTH, LIMIT, TRIES = 8, 16, 12


def measure(act: Act) -> float:
    """The least processor time of three runs, in seconds.

    Without the garbage collector, which visits the objects of all earlier tests, too.
    """
    times = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            start = time.process_time()
            act()
            times.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(times)


def quietly(act: Act, *errors: type[Exception]) -> Act:
    """Run it, and let it raise these."""

    def run() -> None:
        try:
            act()
        except errors:
            return

    return run


def answer(event: dict[str, Any]) -> Act:
    handler = make_handler({"band": [{"name": "b", "at_least": 0}]}, stream=Drain())
    return lambda: handler(event)


def endpoint(**fields: Any) -> Act:
    return answer(make_event({"a": fields}))


def profile(**fields: Any) -> Act:
    item = {"ProfileId": "p", "CustomerData": json.dumps(fields)}
    return answer(make_connect_event([item]))


OPTIONS: dict[str, dict[str, Any]] = {
    "age": {"format": "dd.mm.yyyy"},
    "ratio": {"per": "Attributes.x"},
    "difference": {"minus": "Attributes.x"},
    "days_between": {"since": "Attributes.x", "format": "yyyy/mm/dd"},
    "weekday": {"format": "unix"},
    "month": {"format": "mm/dd/yy"},
    "target_rate": {"values": ["1"], "rates": [0.5, 0.1]},
}


def features(kind: str, value: Any) -> Act:
    row = {"name": "f", "path": "Attributes.x", "kind": kind, **OPTIONS.get(kind, {})}
    spec = read_spec({"feature": [row]})
    return lambda: build_matrix([{"Attributes": {"x": value}}] * 20, spec, 0.0)


def policy(table: dict[str, Any]) -> Act:
    return quietly(lambda: read_policy(table, threshold=0.5, quantiles=QUANTILES), SettingsError)


class OnFile(NamedTuple):
    """A reader of a file: the file's name and text, the reader, and the error that it may raise."""

    name: str
    text: str
    read: Callable[[Path], object]
    error: type[Exception]

    def place(self, folder: Path) -> Act:
        path = folder / self.name
        path.write_text(self.text, "utf-8")
        return quietly(lambda: self.read(path), self.error)


def policy_file(text: str) -> OnFile:
    return OnFile(
        "policy.toml",
        text,
        lambda path: load_policy(path, threshold=0.5, quantiles=QUANTILES),
        SettingsError,
    )


def manifest(content: dict[str, Any]) -> OnFile:
    text = json.dumps(content)
    return OnFile("manifest.json", text, lambda path: read_manifest(path.parent), BundleError)


def spec(number: int, **more: Any) -> Act:
    rows = [
        {"name": f"f{index}", "path": f"Metrics.m{index}", "kind": "number", **more}
        for index in range(number)
    ]
    return quietly(lambda: list(read_spec({"feature": rows}).columns), SpecError)


def settings(environ: dict[str, str]) -> Act:
    return quietly(lambda: read_settings(environ), SettingsError)


def outcomes(text: str) -> OnFile:
    return OnFile("outcomes.csv", text, read_outcomes, DataError)


def drift(lines: list[str]) -> Act:
    described = {"features": {"f": DRIFT}, "score": DRIFT}
    return quietly(lambda: compare_logs(lines, {"m@1": described}), DataError)


def log_line(**fields: Any) -> str:
    line = {"message": "batch", "model": "m@1", "feature_bins": {"f": [1, 1, 1, 1]}}
    return json.dumps({**line, "score_bins": [1, 1, 1, 1], **fields})


TEXTS: dict[str, tuple[int, Callable[[int], Any]]] = {
    "digits": (50_000, lambda n: "1" * n),
    "digits and a letter": (2_000, lambda n: "1" * n + "x"),
    "zeros and points": (50_000, lambda n: "0." * n),
    "spaces": (50_000, lambda n: " " * n),
    "a date and digits": (50_000, lambda n: "2026-01-31T12:00:00." + "0" * n),
    "a list": (2_000, lambda n: ["1"] * n),
}


def read_feature(kind: str, make: Callable[[int], Any]) -> Callable[[int], Act]:
    return lambda n: features(kind, make(n))


# name -> the smaller size, and what is done with an input of a size
READERS: dict[str, tuple[int, Callable[[int], Act | OnFile]]] = {
    "a metric of digits": (20_000, lambda n: endpoint(Metrics={"score": "1" * n})),
    "a metric of digits and a letter": (
        2_000,
        lambda n: endpoint(Metrics={"score": "1" * n + "x"}),
    ),
    "a metric of spaces": (20_000, lambda n: endpoint(Metrics={"score": " " * n})),
    "metrics of 14 kB": (
        20,
        lambda n: answer(
            make_event({f"e{i}": {"Metrics": {"score": "1" * 14_000 + "x"}} for i in range(n)})
        ),
    ),
    "attributes of long texts": (
        100,
        lambda n: endpoint(Attributes={f"a{i}": ["1" * 1_000] for i in range(n)}),
    ),
    "attributes": (2_000, lambda n: endpoint(Attributes={f"a{i}": ["x"] for i in range(n)})),
    "one attribute's values": (5_000, lambda n: endpoint(Attributes={"a": ["x"] * n})),
    "unknown fields": (2_000, lambda n: endpoint(**{f"u{i}": {"a": [1]} for i in range(n)})),
    "odd endpoints": (
        50,
        lambda n: answer(make_event({f"e{i}": {"Metrics": {"score": []}} for i in range(n)})),
    ),
    "endpoints that are no objects": (
        200,
        lambda n: answer(make_event(dict.fromkeys(map(str, range(n))))),
    ),
    "a campaign's id": (100_000, lambda n: answer(make_event({}, CampaignId="x" * n))),
    "a scheduled time": (100_000, lambda n: answer(make_event({}, ScheduledTime="2" * n))),
    "Connect: one attribute's text": (
        2_000,
        lambda n: profile(attributes={"Metrics_score": "1" * n + "x"}),
    ),
    "Connect: a numbered series": (
        2_000,
        lambda n: profile(attributes={f"X_{i + 1}": "a" for i in range(n)}),
    ),
    "Connect: names of two migrations": (
        1_000,
        lambda n: profile(
            attributes={f"{p}{i}_0": "1" for i in range(n) for p in ("Metrics_", "")}
        ),
    ),
    "Connect: a name of underscores": (20_000, lambda n: profile(attributes={"_1" * n: "a"})),
    "Connect: many names of underscores": (
        50,
        lambda n: profile(attributes={"_1" * 500 + str(i): "a" for i in range(n)}),
    ),
    "Connect: text that is no JSON": (
        50_000,
        lambda n: answer(make_connect_event([{"ProfileId": "p", "CustomerData": "[" * n}])),
    ),
    "Connect: a run's id": (
        100_000,
        lambda n: lambda: CONNECT.parse_event(make_connect_event([], {"RunId": "#2026-" * n})),
    ),
    "Connect: profiles": (
        100,
        lambda n: answer(make_connect_event([{"ProfileId": str(i)} for i in range(n)])),
    ),
    "a document of lists": (5_000, lambda n: lambda: inspect_document({"a": [[1]] * n})),
    "cleaning lists": (5_000, lambda n: lambda: clean_value([[float("nan")]] * n)),
    "cleaning names": (5_000, lambda n: lambda: clean_value({f"\ud800{i}": 1 for i in range(n)})),
    "paths": (
        2_000,
        lambda n: (
            lambda: find_problem({"Metrics": {}}, compile_paths(f"Metrics.m{i}" for i in range(n)))
        ),
    ),
    "values, one by one": (
        2_000,
        lambda n: (
            lambda: [
                read(value)
                for read in (read_number, read_count, read_flag, read_texts, parse_time)
                for value in ("1" * 14, "-" * n, "1" * n)
                for _ in range(50)
            ]
        ),
    ),
    "overrides": (
        200,
        lambda n: policy({"override": [{"campaign_id": f"c{i}", "decimals": 2} for i in range(n)]}),
    ),
    "overrides that tie": (
        200,
        lambda n: policy({"override": [{"campaign_id": "c", "decimals": 2} for _ in range(n)]}),
    ),
    "overrides with bands": (
        50,
        lambda n: policy(
            {
                "override": [
                    {"campaign_id": f"c{i}", "band": [{"name": "b", "at_least": 0.5}] * 2}
                    for i in range(n)
                ]
            }
        ),
    ),
    "overrides with a reach": (
        50,
        lambda n: policy(
            {
                "threshold": {"reach": 0.3},
                "override": [{"campaign_id": f"c{i}"} for i in range(n)],
            }
        ),
    ),
    "bands": (
        500,
        lambda n: policy({"band": [{"name": f"b{i}", "at_least": i / n} for i in range(n)]}),
    ),
    "copied attributes": (
        500,
        lambda n: policy({"external": {f"a{i}": "External.x" for i in range(n)}}),
    ),
    "unknown keys": (1_000, lambda n: policy({f"k{i}": 1 for i in range(n)})),
    "a policy's lines": (500, lambda n: policy_file("[[band]]\nname='a'\nat_least=0.5\n" * n)),
    "a policy's dotted keys": (
        3,
        lambda n: policy_file("".join(f"k{i}{'.a' * 400} = 1\n" for i in range(n))),
    ),
    "a policy's dotted key": (1_000, lambda n: policy_file(f"a{'.a' * n} = 1\n")),
    "a policy's brackets": (2_000, lambda n: policy_file("a=" + "[" * n)),
    "a policy's text": (20_000, lambda n: policy_file("metric='" + "x" * n + "'\n")),
    "features": (500, spec),
    "features of one name": (500, lambda n: spec(n, name="f")),
    "features with unknown keys": (500, lambda n: spec(n, unknown=1)),
    "a vocabulary": (
        2_000,
        lambda n: spec(1, kind="category", values=[f"v{index}" for index in range(n)]),
    ),
    "a manifest's names": (2_000, lambda n: manifest({f"k{i}": [i] for i in range(n)})),
    "a target": (50_000, lambda n: settings({"SCORER_TARGET": "a." * n})),
    "metadata": (2_000, lambda n: settings({"SCORER_METADATA": ",".join(["a-bin-=b"] * n)})),
    "metadata's name": (20_000, lambda n: settings({"SCORER_METADATA": "-bin" * n + "=b"})),
    "milliseconds": (50_000, lambda n: settings({"SCORER_CALL_MS": "9" * n})),
    "unknown settings": (2_000, lambda n: settings({f"SCORER_X{i}": "" for i in range(n)})),
    "log lines": (500, lambda n: drift([log_line()] * n)),
    "a log line's columns": (
        500,
        lambda n: drift([log_line(feature_bins={f"f{i}": [1] for i in range(n)})]),
    ),
    "a log line of braces": (50_000, lambda n: drift(['"batch"' + "{" * n])),
    "a log line's text": (50_000, lambda n: drift(["x" * n + log_line()])),
    "outcomes": (
        1_000,
        lambda n: outcomes("Id,outcome\n" + "".join(f"p{i},1\n" for i in range(n))),
    ),
    "outcomes with problems": (1_000, lambda n: outcomes("Id,outcome\n" + "p,2\n" * n)),
    "outcomes of quotes": (5_000, lambda n: outcomes('Id,outcome\n"' + '""' * n)),
}


READERS |= {
    f"{kind} of {what}": (size, read_feature(kind, make))
    for kind in KINDS
    for what, (size, make) in TEXTS.items()
}


@pytest.fixture(scope="module", autouse=True)
def mapped_memory() -> Iterator[None]:
    """Some 60 MB for small objects that stay mapped.

    A large input's objects fill blocks that Python gives back to the system when they are free, and
    asks for again in the next run: a page fault for each page, which a small input never pays.
    """
    kept = [bytes(64) for _ in range(1_000_000)][::5_000]
    yield
    kept.clear()


@pytest.mark.parametrize("name", READERS)
def test_eight_times_the_input_costs_less_than_sixteen_times(name: str, tmp_path: Path) -> None:
    size, make = READERS[name]

    def prepare(number: int) -> Act:
        act = make(number)
        if not isinstance(act, OnFile):
            return act
        folder = tmp_path / str(number)
        folder.mkdir()
        return act.place(folder)

    small, large = prepare(size), prepare(GROWTH * size)
    small()
    large()
    ratios = []
    for _ in range(TRIES):
        ratios.append(measure(large) / max(measure(small), 20e-6))
        if ratios[-1] < LIMIT:
            return
    raise AssertionError(f"{name}: {[round(ratio) for ratio in ratios]} times")
