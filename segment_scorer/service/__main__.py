"""`python -m segment_scorer.service`: the scoring service by itself, as its image starts it."""

from __future__ import annotations

from segment_scorer.service.command import main

if __name__ == "__main__":
    raise SystemExit(main())
