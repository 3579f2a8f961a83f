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
    A caller may ask for less time, never for more; of a short time half is held back at most.
    """
    if batch.patience is None:
        return min(remaining, host.limit_seconds - cold) - reserve
    patience = min(batch.patience, host.limit_seconds)
    return min(remaining, patience - cold) - min(reserve, patience / 2)
