"""The environment in, one frozen Settings out, or one SettingsError that lists every problem. Reads no file and no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from function.errors import SettingsError

PREFIX = "SCORER_"
ROOT = Path(__file__).parent.parent
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. README, "Settings", explains each for its user."""

    bundle: Path
    policy: Path
    target: str
    fallback: str
    reserve: float  # seconds
    log_level: str


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read every `SCORER_*` variable. Raises SettingsError for an unknown name or a value outside its range, all problems at once."""
    problems = [f"{name}: unknown setting" for name in environ if name.startswith(PREFIX) and name not in READERS]
    values: dict[str, Any] = {}
    for name, (field, default, read) in READERS.items():
        try:
            values[field] = read(environ.get(name, default))
        except ValueError as error:
            problems.append(f"{name}: expected {error}")
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(**values)


def _path(text: str) -> Path:
    if not text:
        raise ValueError("a path")
    return Path(text)


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text

    return read


def _milliseconds(lowest: int, highest: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not text.isdecimal() or not text.isascii() or not lowest <= int(text) <= highest:
            raise ValueError(f"whole milliseconds from {lowest} to {highest}")
        return int(text) / 1000

    return read


def _target(text: str) -> str:
    if text != "bundled":
        raise ValueError("bundled")
    return text


# variable -> field of Settings, default, reader
READERS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "SCORER_BUNDLE": ("bundle", str(ROOT / "model" / "artifact"), _path),
    "SCORER_POLICY": ("policy", str(ROOT / "function" / "policy.toml"), _path),
    "SCORER_TARGET": ("target", "bundled", _target),
    "SCORER_FALLBACK": ("fallback", "bundled", _choice("bundled", "none")),
    "SCORER_RESERVE_MS": ("reserve", "500", _milliseconds(0, 10_000)),
    "SCORER_LOG_LEVEL": ("log_level", "INFO", _choice(*LEVELS)),
}
