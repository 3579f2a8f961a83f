"""The pipeline over the tiny bundle, without files or environment, for the property tests."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from function.errors import ScorerUnavailable
from function.hosts import HOSTS, decode_event
from function.marshaller import Marshaller
from function.pipeline import Pipeline
from function.policy import Policy
from function.policy_file import read_policy
from function.records import Observer, Scorer
from function.scorers.bundled import BundledScorer
from function.telemetry import Telemetry
from model.bundle import Bundle, load_bundle
from tests.fakes import FakeScorer, make_bundle, make_uplift_bundle
from tests.strategies import KIND

# As in Lambda: ours, with AWS's own behind it
MARSHALLER = Marshaller(decode_event, LambdaMarshaller())
DRIFT = {"edges": [0.25, 0.5], "shares": [0.5, 0.25, 0.125], "missing": 0.125}


class Drain(io.TextIOBase):
    """A stream that keeps nothing and, like Lambda's stdout, refuses what UTF-8 cannot encode."""

    def write(self, text: str) -> int:
        return len(text.encode())


@cache
def load_tiny(kind: str = "response") -> tuple[Bundle, Scorer]:
    """The bundle that scores a person by `Metrics.score`, with drift bins; and its scorer."""
    make = {"response": make_bundle, "uplift": make_uplift_bundle}[kind]
    with TemporaryDirectory() as folder:
        bundle = load_bundle(
            make(Path(folder) / "tiny", drift={"features": {"score": DRIFT}, "score": DRIFT})
        )
        return bundle, BundledScorer(bundle)


def read_drawn(policy: Mapping[str, Any]) -> tuple[Policy, str]:
    """The policy that hypothesis drew, and the kind of scores that it is for."""
    kind = policy.get(KIND, "response")
    bundle, _ = load_tiny(kind)
    table = {key: value for key, value in policy.items() if key != KIND}
    return read_policy(
        table, threshold=bundle.threshold, quantiles=bundle.quantiles, score=bundle.score
    ), kind


def make_handler(
    policy: Mapping[str, Any],
    *,
    working: bool = True,
    observer: Observer | None = None,
    stream: Any = None,
    level: str = "INFO",
    asked: Scorer | None = None,
    telemetry: Telemetry | None = None,
) -> Callable[[Any], dict[str, Any]]:
    """A handler under a policy (plain data). The tiny model scores, or `asked`, or nothing.

    The policy's own key KIND says which tiny model.
    """
    read, kind = read_drawn(policy)
    bundle, scorer = load_tiny(kind)
    pipeline = Pipeline(
        hosts=tuple(HOSTS.values()),
        spec=bundle.spec,
        scorers=(
            asked
            or (
                scorer
                if working
                else FakeScorer(error=ScorerUnavailable("expected a service, found none"))
            ),
        ),
        policy=read,
        telemetry=telemetry or Telemetry(bundle=bundle, stream=stream or Drain(), level=level),
        label=bundle.label,
        reserve=0.5,
        observer=observer,
    )
    return lambda event: pipeline.answer(event, lambda: float("inf"))


def freeze(value: Any) -> Any:
    """A JSON value as something that cannot change: types and order kept, NaN equal to itself."""
    if isinstance(value, dict):
        return tuple((key, freeze(field)) for key, field in value.items())
    if isinstance(value, list):
        return ["list", *map(freeze, value)]
    return (type(value).__name__, repr(value))
