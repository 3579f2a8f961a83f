"""`segment-scorer serve`: the scoring service, whose options are its own (`segment_scorer.service.command`)."""

from __future__ import annotations

from collections.abc import Sequence

from segment_scorer.service.command import main as serve


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; give the exit status."""
    return serve(arguments, "segment-scorer serve")
