"""The function over a remote scorer, as a host sees it: events in, replies and log lines out."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from function.bootstrap import build_handler
from tests.bundles import COLUMNS, expected_scores
from tests.fakes import FakeClock, FakeContext, make_endpoint, make_event, read_log

# Seconds for a call that is answered or refused: enough even on a machine that stalls.
ANSWERED = 10.0
SILENT = 1.0  # seconds for a call that is never answered: only these are waited for to the end
RESERVE = 0.5  # the setting's default
PEOPLE = 10
PATIENCE = 180.0
# As the policy rounds scores by default. The remote scorer must agree to this many decimals.
DECIMALS = 4


class Function:
    """A function on a clock that stands still, so that a slow machine does not shorten a call.

    The breaker's clock is real, and it soon lets calls through again.
    """

    def __init__(self, target: str, bundle: Path, **settings: str) -> None:
        self.log = io.StringIO()
        environ = {
            "SCORER_TARGET": target,
            "SCORER_BUNDLE": str(bundle),
            "SCORER_CALL_MS": "30000",
            "SCORER_BREAKER_MS": "300",
            **{f"SCORER_{name.upper()}": value for name, value in settings.items()},
        }
        self._clock = FakeClock()
        self._handle = build_handler(environ, stream=self.log, clock=self._clock)

    def ask(self, seconds: float = ANSWERED) -> dict[str, Any]:
        """Send one event, check everyone in the reply by the scores, and return the log line.

        seconds  time for the call
        """
        rows = np.random.default_rng(1).normal(size=(PEOPLE, len(COLUMNS))).astype(np.float32)
        metrics = [dict(zip(COLUMNS, map(float, row), strict=True)) for row in rows]
        event = make_event(
            {f"id-{index}": make_endpoint(Metrics=each) for index, each in enumerate(metrics)}
        )
        reply = self._handle(event, FakeContext(seconds + RESERVE, self._clock))
        logged = [line for line in read_log(self.log.getvalue()) if line.get("message") == "batch"][
            -1
        ]
        line = {"error": None, "scored_by": None, **logged}  # a record omits None
        scores = np.round(expected_scores(rows), DECIMALS)
        if line["scored_by"] is None:  # the shipped policy keeps people without a score
            assert list(reply) == list(event["Endpoints"])
            assert line["unscored"] == PEOPLE
        else:
            assert list(reply) == [
                id_ for id_, score in zip(event["Endpoints"], scores, strict=True) if score >= 0.5
            ]
            got = [float(definition["Attributes"]["Score"][0]) for definition in reply.values()]
            assert np.allclose(got, scores[scores >= 0.5], rtol=0, atol=1.01 * 10**-DECIMALS)
        assert line["received"] == line["kept"] + line["filtered"] == PEOPLE
        return line

    def ask_until(
        self, condition: Callable[[dict[str, Any]], bool], seconds: float = ANSWERED
    ) -> dict[str, Any]:
        """Ask repeatedly, without a restart, until a log line meets the condition."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if condition(line := self.ask(seconds)):
                return line
            time.sleep(0.02)
        raise AssertionError(f"the condition was never met; last line: {line}")

    def recover(self) -> dict[str, Any]:
        """Ask until the remote scorer answers again."""
        return self.ask_until(lambda line: line["error"] is None)
