"""mypy holds every host to the `Host` port: no method of a host can be renamed unnoticed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from function.hosts import HOSTS

ROOT = Path(__file__).parents[2]
PORT = (
    "name",
    "limit_seconds",
    "is_event",
    "parse_event",
    "build_reply",
    "build_event",
    "read_reply",
)
# For the runner. Its importers are the ones that fail.
USED_ELSEWHERE = {"opted_out"}
# numpy has nothing to do with a host's methods, and takes mypy seconds to read.
CONFIG = """
[mypy]
strict = true
follow_imports = silent
incremental = false

[mypy-numpy.*]
follow_imports = skip
ignore_missing_imports = true
"""


def find_members(name: str) -> list[str]:
    """What the port asks of a host, and the functions of the host's module."""
    source = (ROOT / "function" / "hosts" / f"{name}.py").read_text("utf-8")
    functions = re.findall(r"^def (\w+)\(", source, re.MULTILINE)
    return [*PORT, *(function for function in functions if function not in USED_ELSEWHERE)]


def rename(source: str, member: str) -> str:
    """The source of a host with one member of its class, or one function, renamed."""
    pattern = rf"^((?:    )?(?:def )?){member}\b(?=\(|: | = )"
    renamed, count = re.subn(pattern, rf"\1{member}_renamed", source, flags=re.MULTILINE)
    assert count == 1, f"expected one definition of {member}, found {count}"
    return renamed


CASES = [(name, member) for name in HOSTS for member in find_members(name)]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """mypy's errors in copies of the hosts, each with another member renamed; in a single run."""
    folder = tmp_path_factory.mktemp("typed")
    for package in ("function", "model"):
        copy = folder / package
        shutil.copytree(ROOT / package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    hosts = folder / "function" / "hosts"
    for name, member in CASES:
        source = (hosts / f"{name}.py").read_text("utf-8")
        (hosts / f"{name}_without_{member}.py").write_text(rename(source, member), "utf-8")
    (folder / "mypy.ini").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, sorted(hosts.glob("*.py")))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return [line for line in done.stdout.splitlines() if "error: " in line]


def test_the_hosts_as_they_are_pass(complaints: list[str]) -> None:
    assert [line for line in complaints if "_without_" not in line.partition(":")[0]] == []


@pytest.mark.parametrize(("name", "member"), CASES)
def test_a_host_with_a_renamed_member_fails_mypy_by_name(
    complaints: list[str], name: str, member: str
) -> None:
    lines = [line for line in complaints if f"{name}_without_{member}.py" in line]
    assert any(f'"{member}"' in line for line in lines), lines
