"""External stores for tests: in memory, and files of `external build`. All people are invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from function.errors import ExternalError
from model.features import read_spec
from segment_scorer.external_store.rows import Row
from segment_scorer.external_store.sqlite import write_file
from tests.fakes import FakeClock, make_bundle

# The tiny model scores by its first column; here it reads it from the person's external attributes.
EXTERNAL_SPEC = {"feature": [{"name": "score", "path": "External.score", "kind": "number"}]}


class FakeStore:
    """Answers from `people`, or fails with `error`, after `takes` seconds of `clock`.

    `asked` and `timeouts` hold the arguments of all calls.
    """

    def __init__(
        self,
        people: Mapping[str, Mapping[str, Any] | None] | None = None,
        error: ExternalError | None = None,
        *,
        takes: float = 0.0,
        clock: FakeClock | None = None,
    ) -> None:
        self.people = people or {}
        self.error = error
        self.takes = takes
        self.clock = clock or FakeClock()
        self.asked: list[list[str]] = []
        self.timeouts: list[float] = []

    def fetch(self, keys: Sequence[str], timeout: float) -> dict[str, Mapping[str, Any] | None]:
        self.asked.append(list(keys))
        self.timeouts.append(timeout)
        self.clock.pass_by(min(self.takes, timeout))
        if self.error is not None:
            raise self.error
        return {key: self.people[key] for key in keys if key in self.people}


def make_external_bundle(directory: Path) -> Path:
    return make_bundle(directory, read_spec(EXTERNAL_SPEC))


def make_store(path: Path, people: Mapping[str, dict[str, Any]]) -> Path:
    write_file(
        [
            Row(f"row {index}", key, dict(attributes))
            for index, (key, attributes) in enumerate(people.items())
        ],
        path,
    )
    return path
