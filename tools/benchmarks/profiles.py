"""Where a command's time goes, by Python's profiler: folders of ours, and packages.

Takes a command of Python, gives a list for a sentence. Under the profiler each call of a function
costs more, so the shares of parts with many small functions are too large.
"""

from __future__ import annotations

import pstats
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from model.errors import SegmentScorerError
from tools.benchmarks.example import ROOT, clean_environ

MOST, SITE = 8, "site-packages"
# "<built-in method zlib.crc32>", "<method 'decode_lines' of 'msgspec.json.Decoder' objects>"
FROM_C = re.compile(r"<built-in method (?!builtins)_?(\w+)\.|of '_?(\w+)\.")
# file, line and name of a function, as pstats has them; the file of one in C is "~"
Function: TypeAlias = tuple[str, int, str]


class ProfileError(SegmentScorerError):
    """The profiled command failed."""


def profile_command(module: str, *arguments: str) -> str:
    """Run `python -m MODULE ARGUMENTS` under cProfile, in one process. Raises ProfileError."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "profile"
        command = [sys.executable, "-m", "cProfile", "-o", str(file), "-m", module, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=clean_environ(), capture_output=True, check=False
        )
        if done.returncode:
            raise ProfileError(f"expected exit status 0, found {done.returncode}")
        stats: Any = pstats.Stats(str(file))
        own = {key: each[2] for key, each in stats.stats.items()}
    return describe_profile(own)


def describe_profile(own: Mapping[Function, float], most: int = MOST) -> str:
    """The parts with the most time of their own, and their share of the whole."""
    parts: dict[str, float] = defaultdict(float)
    for function, seconds in own.items():
        parts[name_part(function)] += seconds
    whole = sum(parts.values())
    largest = sorted(parts, key=lambda name: parts[name], reverse=True)[:most]
    return ", ".join(f"{name} {parts[name] / whole:.0%}" for name in largest)


def name_part(function: Function) -> str:
    """Our folder of a function, else its package; of a function in C the package, if it has one."""
    file, _, name = function
    if file == "~":
        found = FROM_C.search(name)
        return (found[1] or found[2]) if found else "Python itself"
    parts = Path(file).parts
    if SITE in parts:
        return Path(parts[parts.index(SITE) + 1]).stem
    if Path(file).is_relative_to(ROOT):
        return "/".join(Path(file).relative_to(ROOT).parent.parts[:3])
    return "Python's library"
