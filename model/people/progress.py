"""How a pass over files of people reports its progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# Called with a stage, how much of it is done, and how much there is.
Progress: TypeAlias = Callable[[str, int, int], None]
