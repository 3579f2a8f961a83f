"""The seconds that look-up and scoring may take. Reads no clock."""

from __future__ import annotations

from function.hosts import Host
from function.records import Batch


def measure_budget(
    host: Host, batch: Batch, remaining: float, cold: float, reserve: float
) -> float:
    """Seconds for look-up and scoring.

    remaining  seconds until Lambda ends the invocation
    cold       seconds that the host has already waited
    reserve    seconds held back for the fallback and the reply
    A caller may ask for less time, never for more; of the caller's time half is held back at most.
    """
    own = min(remaining, host.limit_seconds - cold) - reserve
    if batch.patience is None:
        return own
    return min(own, batch.patience - cold - min(reserve, batch.patience / 2))
