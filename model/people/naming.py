"""Puts names into a sentence: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence


def name_some(names: Sequence[str], most: int = 5) -> str:
    """`a, b`, or with more than `most` of them `a, b, c, d, e and 2 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
