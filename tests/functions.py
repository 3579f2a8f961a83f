"""The function as a campaign host sees it, over a remote scorer: events in, replies and log lines out."""

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

ANSWERED = 10.0  # seconds a call gets that somebody answers or refuses: more than even a machine that stands still now and then needs
SILENT = 1.0  # seconds a call gets that nobody answers: only these are waited for to the end
RESERVE = 0.5  # the setting's default
PEOPLE = 10
PATIENCE = 180.0
# The bundled scorer must not be able to hide behind the remote one: scores are rounded as the policy's default says.
DECIMALS = 4


class Function:
    """One function instance on a clock that stands still: a call gets the seconds a test gives it, however slow the machine is.

    The breaker's own clock is real, and it lets calls through again soon.
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
        """Send one event whose call may take so long, check that everybody was answered as the scores say, and give its log line."""
        rows = np.random.default_rng(1).normal(size=(PEOPLE, len(COLUMNS))).astype(np.float32)
        metrics = [dict(zip(COLUMNS, map(float, row), strict=True)) for row in rows]
        event = make_event(
            {f"id-{index}": make_endpoint(Metrics=each) for index, each in enumerate(metrics)}
        )
        reply = self._handle(event, FakeContext(seconds + RESERVE, self._clock))
        logged = [line for line in read_log(self.log.getvalue()) if line.get("message") == "batch"][
            -1
        ]
        line = {"error": None, "scored_by": None, **logged}  # the formatter leaves out what is None
        scores = np.round(expected_scores(rows), DECIMALS)
        if line["scored_by"] is None:  # the shipped policy keeps everybody who has no score
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
        """Ask again and again, without a restart, until a log line is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if condition(line := self.ask(seconds)):
                return line
            time.sleep(0.02)
        raise AssertionError(f"never came to the wanted state; last: {line}")

    def recover(self) -> dict[str, Any]:
        """Ask until the remote scorer answers again."""
        return self.ask_until(lambda line: line["error"] is None)
