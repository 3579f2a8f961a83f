"""Times, costs and sizes as the table shows them."""

from __future__ import annotations

GB, MB, KB = 1e9, 1e6, 1e3
KIB, MIB = 1024, 1024**2
MINUTE, HOUR = 60.0, 3600.0


def show_time(seconds: float) -> str:
    """In seconds, minutes or hours."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h"


def show_micro(seconds: float) -> str:
    """In millionths of a second."""
    return f"{1e6 * seconds:.1f} µs"


def show_dollars(dollars: float) -> str:
    """To the cent."""
    return f"${dollars:.2f}" if dollars >= 0.01 else "under $0.01"


def show_size(amount: float) -> str:
    """Bytes in kB, MB or GB."""
    if amount < MB:
        return f"{amount / KB:.0f} kB"
    return f"{amount / GB:.1f} GB" if amount >= GB else f"{amount / MB:.0f} MB"


def show_quota(amount: float) -> str:
    """Bytes in KiB or MiB, in which AWS counts them."""
    return f"{amount / MIB:.0f} MiB" if amount >= MIB else f"{amount / KIB:.0f} KiB"
