"""A result in, `lift.json` and `lift.html` out. Each file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec

from model.atomic import write_atomically
from segment_scorer.lift.errors import DataError
from segment_scorer.lift.measure import LiftResult
from segment_scorer.lift.page import make_page

FILES = ("lift.json", "lift.html")


def write_lift(result: LiftResult, out: Path) -> None:
    """Write both files into `out`, made if absent. Raises DataError where that cannot be done."""
    data = msgspec.json.format(msgspec.json.encode(result.to_data()), indent=2).decode() + "\n"
    texts = dict(zip(FILES, (data, make_page(result)), strict=True))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomically(out / name, text.encode())
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise DataError(f"--out {out}: expected a folder that can be written: {reason}") from error
