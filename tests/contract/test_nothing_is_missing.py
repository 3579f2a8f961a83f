"""If a host, a scorer or a setting is added in part, a test here names the part that is missing."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import function.scorers
from function.concerns import WHERE_TIME_IS
from function.hosts import HOSTS, find_host
from function.records import HostName, Scorer
from function.settings import (
    READERS,
    Dialect,
    ExternalSettings,
    RemoteSettings,
    Settings,
    WebSettings,
)
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS
from tests.contract.test_hosts import PEOPLE, SECONDS, make_events
from tests.contract.test_scorers_agree import SCORERS
from tests.strategies import EVENTS_OF

ROOT = Path(__file__).parents[2]


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def has_a_recorded_event(name: HostName) -> bool:
    path = ROOT / "tests" / "events" / f"{name}.json"
    return path.is_file() and find_host(json.loads(path.read_bytes())) is HOSTS[name]


HOST_PARTS: Mapping[str, Callable[[HostName], bool]] = {
    "an entry in function.hosts.HOSTS": lambda name: name in HOSTS and HOSTS[name].name == name,
    "tests/events/NAME.json, which only this host recognises": has_a_recorded_event,
    "a row in tests/events/README.md": lambda name: (
        f"`{name}.json`" in read("tests/events/README.md")
    ),
    "a strategy in tests.strategies.EVENTS_OF": lambda name: name in EVENTS_OF,
    "its limit in tests/contract/test_hosts.py, SECONDS": lambda name: name in SECONDS,
    "its event in tests/contract/test_hosts.py, make_events": lambda name: (
        name in make_events(PEOPLE)
    ),
    "a host adapter of the runner, HOST_ADAPTERS": lambda name: name in HOST_ADAPTERS,
    "where its event has a time, function.concerns.WHERE_TIME_IS": lambda name: (
        name in WHERE_TIME_IS
    ),
    "its name in docs/operations.md": lambda name: f"`{name}`" in read("docs/operations.md"),
    "its name in docs/runner.md": lambda name: f"--host {name}" in read("docs/runner.md"),
}


@pytest.mark.parametrize("part", HOST_PARTS)
@pytest.mark.parametrize("name", get_args(HostName))
def test_a_host_has_every_part(name: HostName, part: str) -> None:
    assert HOST_PARTS[part](name), f"the host {name} lacks {part}"


def test_every_host_has_a_name_of_the_type() -> None:
    assert set(HOSTS) == set(get_args(HostName))


def find_scorers() -> list[type[Any]]:
    """The classes in function/scorers/ that can score."""
    modules = [
        importlib.import_module(f"function.scorers.{module.name}")
        for module in pkgutil.iter_modules(function.scorers.__path__)
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and hasattr(value, "score_batch")
    ]


def names_in(path: str) -> set[str]:
    tree = ast.parse(read(path))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


SCORER_PARTS: Mapping[str, Callable[[type[Any]], bool]] = {
    "a place in function.bootstrap, which chooses it": lambda scorer: (
        scorer.__name__ in names_in("function/bootstrap.py")
    ),
    "its module in the docstring of function.records.Scorer": lambda scorer: (
        scorer.__module__.removeprefix("function.") in (Scorer.__doc__ or "")
    ),
    "an entry in tests/contract/test_scorers_agree.py, SCORERS": lambda scorer: scorer in SCORERS,
}


@pytest.mark.parametrize("part", SCORER_PARTS)
@pytest.mark.parametrize("scorer", find_scorers(), ids=lambda scorer: scorer.__name__)
def test_a_scorer_has_every_part(scorer: type[Any], part: str) -> None:
    assert SCORER_PARTS[part](scorer), f"the scorer {scorer.__name__} lacks {part}"


def test_the_scorers_are_found() -> None:
    assert {scorer.__name__ for scorer in find_scorers()} >= {"BundledScorer", "RemoteScorer"}


def list_documented_settings() -> dict[str, list[str]]:
    """Setting -> its defaults, as the tables `variable | default` of the documents have them."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        in_table = False
        for line in path.read_text("utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not line.startswith("|"):
                in_table = False
            elif cells[1:2] == ["default"]:
                in_table = True
            elif in_table:
                for name in re.findall(r"`(SCORER_\w+)`", cells[0]):
                    found.setdefault(name, []).append(cells[1])
    return found


def find_default(path: str) -> Any:
    """The default of a field of Settings, given by its path."""
    group, _, name = path.rpartition(".")
    kind = {
        "": Settings,
        "remote": RemoteSettings,
        "remote.dialect": Dialect,
        "external": ExternalSettings,
        "web": WebSettings,
    }[group]
    return next(field.default for field in msgspec.structs.fields(kind) if field.name == name)


@pytest.mark.parametrize("setting", READERS)
def test_a_setting_is_documented(setting: str) -> None:
    assert setting in list_documented_settings(), "expected a row in README.md or docs/"


@pytest.mark.parametrize("setting", READERS)
def test_the_documented_default_of_a_setting_is_the_real_one(setting: str) -> None:
    path, read_text = READERS[setting]
    for cell in list_documented_settings()[setting]:
        literal = re.fullmatch(r"`([^`]+)`", cell)
        if setting == "SCORER_TARGET":
            assert cell == "`bundled`"
            assert find_default("remote") is None
        elif literal:
            assert read_text(literal[1]) == find_default(path)


def test_no_document_has_a_setting_that_there_is_not() -> None:
    service = {name for name in list_documented_settings() if name.startswith("SCORER_SERVICE_")}
    assert set(list_documented_settings()) - service <= set(READERS)
