"""A campaign while its scoring service is killed, hung and restarted.

Nobody is lost, and no score differs.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
from tests.processes import ROOT, Server

CUSTOMERS = 23_570
BUNDLE = ROOT / "model" / "artifact"
# Progress is reported after each file: forty batches between two acts.
FILE_LINES = 2_000


@pytest.fixture(scope="module")
def segment(cdnow_files: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("cdnow")
    with gzip.open(cdnow_files / "endpoints.jsonl.gz", "rb") as file:
        lines = file.readlines()
    paths = []
    for start in range(0, len(lines), FILE_LINES):
        paths.append(folder / f"part-{start:06}.jsonl")
        paths[-1].write_bytes(b"".join(lines[start : start + FILE_LINES]))
    return paths


class UnreliableService:
    """A scoring service that is killed, hung or left alone, in a seeded order, amid a file.

    The first two acts come before their file begins, so that calls always meet a dead and a hung
    service, however slow the machine is.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._dice = random.Random(1997)
        self._deck = [self.peace] * 3 + [self.kill, self.hang] * 3
        self._dice.shuffle(self._deck)
        self._sure = [self.hang, self.kill]
        self._timer: threading.Timer | None = None
        self.server: Server | None = Server(BUNDLE, listen=address)

    def turn(self, *_: int) -> None:
        """Between two files: end the last act, let calls find the service, plan the next act."""
        self._wait_for_act()
        self.wake()
        time.sleep(0.5)
        if self._sure:
            self._sure.pop()()
        elif self._deck:
            self._timer = threading.Timer(self._dice.uniform(0.0, 0.05), self._deck.pop())
            self._timer.start()

    def _wait_for_act(self) -> None:
        if self._timer:
            self._timer.join()

    def peace(self) -> None:
        pass

    def kill(self) -> None:
        if self.server:
            self.server.end()
            self.server = None

    def hang(self) -> None:
        if self.server:
            self.server.signal(signal.SIGSTOP)

    def wake(self) -> None:
        if self.server:
            self.server.signal(signal.SIGCONT)
        else:
            self.server = Server(BUNDLE, listen=self._address)

    def close(self) -> None:
        self._wait_for_act()
        if self.server:
            self.server.end()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[UnreliableService]:
    service = UnreliableService(f"unix:{tmp_path}/scorer.sock")
    yield service
    service.close()


def run(segment: list[Path], out: Path, **environ: str) -> RunOptions:
    return RunOptions(
        segment=segment,
        out=out,
        scheduled_time="1997-10-01T00:00:00Z",
        processes=1,
        environ=environ,
    )  # the service changes between chunks


def read_decisions(out: Path) -> list[dict[str, str]]:
    with (out / "decisions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_campaign_through_a_service_that_dies_and_hangs_loses_nobody_and_changes_no_score(
    segment: list[Path], service: UnreliableService, tmp_path: Path
) -> None:
    run_segment(run(segment, tmp_path / "bundled"), lambda *_: None)
    environ = {
        "SCORER_TARGET": service._address,
        "SCORER_CALL_MS": "500",
        "SCORER_BREAKER_MS": "50",
    }
    summary = run_segment(run(segment, tmp_path / "remote", **environ), service.turn).summary
    assert summary.received == CUSTOMERS
    assert summary.failed == 0
    assert summary.received == (summary.kept or 0) + (summary.filtered or 0)
    lines = [
        json.loads(line)
        for line in (tmp_path / "remote" / "batches.jsonl").read_text().splitlines()
    ]
    errors = Counter(line.get("error") for line in lines if line.get("message") == "batch")
    assert {None, "ScorerUnavailable", "ScorerTimeout"} <= set(
        errors
    )  # answered by the service, and by the fallback for either reason
    assert read_decisions(tmp_path / "remote") == read_decisions(tmp_path / "bundled")


def test_without_a_fallback_whoever_has_no_score_is_kept_and_every_score_is_still_the_models(
    segment: list[Path], service: UnreliableService, tmp_path: Path
) -> None:
    segment = segment[:6]
    run_segment(run(segment, tmp_path / "bundled"), lambda *_: None)
    environ = {
        "SCORER_TARGET": service._address,
        "SCORER_FALLBACK": "none",
        "SCORER_CALL_MS": "500",
        "SCORER_BREAKER_MS": "50",
    }
    summary = run_segment(run(segment, tmp_path / "remote", **environ), service.turn).summary
    assert (summary.received, summary.failed) == (6 * FILE_LINES, 0)
    assert summary.unscored
    right = {row["Id"]: row for row in read_decisions(tmp_path / "bundled")}
    rows = read_decisions(tmp_path / "remote")
    assert len(rows) == len({row["Id"] for row in rows}) == summary.received
    scored = [row for row in rows if row["reason"] == "score"]
    assert len(scored) == summary.received - summary.unscored > 0
    assert all(row == right[row["Id"]] for row in scored)
    assert all(row["sent"] == "true" for row in rows if row["reason"] == "no_scores")
