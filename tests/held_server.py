"""The real service, one inference at a time, over a model that waits until a file exists.

Started as a process with the arguments BUNDLE GATE.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.features import Matrix
from segment_scorer.service.log import start_log
from segment_scorer.service.server import load_model, serve
from segment_scorer.service.settings import ServiceSettings


class Held:
    """Computes once the gate is there."""

    def __init__(self, bundle: Path, gate: Path) -> None:
        self._model = load_model(bundle)
        self.facts = self._model.facts
        self._gate = gate

    def compute(self, matrix: Matrix, outputs: Sequence[str]) -> Mapping[str, Any]:
        print(json.dumps({"message": "computing"}), file=sys.stderr, flush=True)
        while not self._gate.exists():
            time.sleep(0.01)
        return self._model.compute(matrix, outputs)


if __name__ == "__main__":
    start_log("info")
    place, gate = Path(sys.argv[1]), Path(sys.argv[2])
    serve(
        ServiceSettings(bundle=place, listen=("127.0.0.1:0",), max_calls=1),
        load=lambda bundle: Held(bundle, gate),
    )
