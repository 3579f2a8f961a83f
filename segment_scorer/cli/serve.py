"""`segment-scorer serve`: the service, with the options of `segment_scorer.service.command`."""

from __future__ import annotations

from collections.abc import Sequence

from segment_scorer.service.command import main as serve


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal stops it; give the exit status."""
    return serve(arguments, "segment-scorer serve")
