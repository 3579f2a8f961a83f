"""Hooks for the runner's tests. Every person in here is invented."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from function.records import Account, Batch, Context, Decision, Endpoint, Reason
from segment_scorer.runner.asking.host_rules import Attempt
from tests.fakes import make_account


class ScriptedHook:
    """Returns the results in order, and the last one from then on. An exception is raised."""

    def __init__(self, *results: Attempt | Exception) -> None:
        self.results = list(results)
        self.events: list[dict[str, Any]] = []

    def call(self, event: dict[str, Any]) -> Attempt:
        self.events.append(event)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        return result

    def take_log(self) -> str:
        return ""


class DecidingHook:
    """Keeps the endpoints that `decide` accepts; fails the batch if it returns None.

    `shows`: whether the decisions are reported. `score`: of everybody.
    """

    def __init__(
        self,
        decide: Callable[[Mapping[str, Any]], bool | None],
        *,
        shows: bool = True,
        score: float = 0.5,
    ) -> None:
        self.decide = decide
        self.score = score
        self.shows = shows
        self.events: list[dict[str, Any]] = []

    def call(self, event: dict[str, Any]) -> Attempt:
        self.events.append(event)
        verdicts = {id_: self.decide(document) for id_, document in event["Endpoints"].items()}
        if None in verdicts.values():
            return Attempt(problem="raised OnPurpose")
        reply = {id_: document for id_, document in event["Endpoints"].items() if verdicts[id_]}
        decisions = {
            id_: Decision(
                selected=bool(keep), sent=bool(keep), reason=Reason.SCORE, score=self.score
            )
            for id_, keep in verdicts.items()
        }
        return Attempt(reply=reply, account=account_of(decisions) if self.shows else None)

    def take_log(self) -> str:
        return '{"batch":1}\n'


def account_of(decisions: Mapping[str, Decision], **changes: Any) -> Account:
    """The account of a batch with these decisions."""
    endpoints = tuple(Endpoint(id=id_, document={}) for id_ in decisions)
    batch = Batch(host="pinpoint", context=Context(), endpoints=endpoints)
    return make_account(batch, list(decisions.values()), **changes)


def write_segment(path: Path, lines: Iterable[object]) -> Path:
    """Write lines as an export: bytes and text unchanged, all else as JSON. `.gz` is gzip."""
    texts = [
        line
        if isinstance(line, bytes)
        else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    data = b"".join(text + b"\n" for text in texts)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def person(number: int, score: float | None = None, **more: Any) -> dict[str, Any]:
    """An exported endpoint that the tiny model scores with `score`."""
    metrics = {} if score is None else {"score": score}
    return {
        "Id": f"person-{number}",
        "ChannelType": "EMAIL",
        "Metrics": metrics,
        "Attributes": {"Plan": ["gold"]},
        **more,
    }
