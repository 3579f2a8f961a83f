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
from tests.fakes import FakeContext, make_endpoint, make_event, read_log

BUDGET = 60.0  # seconds that Lambda gives; far more than the settings below ever let a call take
PEOPLE = 10
PATIENCE = 180.0
# The bundled scorer must not be able to hide behind the remote one: scores are rounded as the policy's default says.
DECIMALS = 4


class Function:
    """One function instance. A call has long enough on a busy machine; a test that waits for it to run out gives it less."""

    def __init__(self, target: str, bundle: Path, **settings: str) -> None:
        self.log = io.StringIO()
        environ = {
            "SCORER_TARGET": target,
            "SCORER_BUNDLE": str(bundle),
            "SCORER_CALL_MS": "10000",
            "SCORER_BREAKER_MS": "300",
            **{f"SCORER_{name.upper()}": value for name, value in settings.items()},
        }
        self._handle = build_handler(environ, stream=self.log)

    def ask(self) -> dict[str, Any]:
        """Send one event, check that everybody was answered within the budget and as the scores say, and give its log line."""
        rows = np.random.default_rng(1).normal(size=(PEOPLE, len(COLUMNS))).astype(np.float32)
        metrics = [dict(zip(COLUMNS, map(float, row), strict=True)) for row in rows]
        event = make_event({f"id-{index}": make_endpoint(Metrics=each) for index, each in enumerate(metrics)})
        context = FakeContext(BUDGET)
        reply = self._handle(event, context)
        assert context.get_remaining_time_in_millis() > 0
        logged = [line for line in read_log(self.log.getvalue()) if line.get("message") == "batch"][-1]
        line = {"error": None, "scored_by": None, **logged}  # the formatter leaves out what is None
        scores = np.round(expected_scores(rows), DECIMALS)
        if line["scored_by"] is None:  # the shipped policy keeps everybody who has no score
            assert list(reply) == list(event["Endpoints"])
            assert line["unscored"] == PEOPLE
        else:
            assert list(reply) == [id_ for id_, score in zip(event["Endpoints"], scores, strict=True) if score >= 0.5]
            got = [float(definition["Attributes"]["Score"][0]) for definition in reply.values()]
            assert np.allclose(got, scores[scores >= 0.5], rtol=0, atol=1.01 * 10**-DECIMALS)
        assert line["received"] == line["kept"] + line["filtered"] == PEOPLE
        return line

    def ask_until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask again and again, without a restart, until a log line is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if condition(line := self.ask()):
                return line
            time.sleep(0.02)
        raise AssertionError(f"never came to the wanted state; last: {line}")

    def recover(self) -> dict[str, Any]:
        """Ask until the remote scorer answers again."""
        return self.ask_until(lambda line: line["error"] is None)
