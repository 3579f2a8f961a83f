"""A new external store or output format is told here, by name, which part is still missing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from function.settings import read_settings
from segment_scorer.runner.writing.formats import FORMATS
from segment_scorer.runner.writing.names import FILES

ROOT = Path(__file__).parents[2]
STORES = sorted(
    path.stem
    for path in (ROOT / "function" / "external").glob("*.py")
    if path.stem not in {"__init__", "lookup"}
)


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def is_a_setting(name: str) -> bool:
    store = f"{name}:place"
    return read_settings({"SCORER_EXTERNAL": store}).external.store == store


def has_a_fetcher(name: str) -> bool:
    module = importlib.import_module(f"function.external.{name}")
    return any(hasattr(each, "fetch") for each in vars(module).values())


STORE_PARTS: Mapping[str, Callable[[str], bool]] = {
    "a class with `fetch` in function/external/NAME.py": has_a_fetcher,
    "NAME:PLACE as a value of SCORER_EXTERNAL in function/settings.py": is_a_setting,
    "an import in function/bootstrap.py": lambda name: (
        f"function.external.{name}" in read("function/bootstrap.py")
    ),
    "a builder, segment_scorer/external_store/NAME.py": lambda name: (
        ROOT / "segment_scorer" / "external_store" / f"{name}.py"
    ).is_file(),
    "the builder in segment_scorer/cli/external.py": lambda name: (
        f"external_store.{name}" in read("segment_scorer/cli/external.py")
    ),
    "its address in docs/external.md": lambda name: f"{name}:" in read("docs/external.md"),
    "its address in the README's settings": lambda name: f"`{name}:" in read("README.md"),
    "its tests, tests/*/test_external_NAME.py": lambda name: any(
        (ROOT / "tests").glob(f"*/test_external_{name}.py")
    ),
}
FORMAT_PARTS: Mapping[str, Callable[[str], bool]] = {
    "its file among those that a new run deletes": lambda name: FORMATS[name].file in FILES,
    "a row with its file and its option in docs/runner.md": lambda name: any(
        f"`{FORMATS[name].file}`" in line and "--also" in line and f"{name}`" in line
        for line in read("docs/runner.md").splitlines()
    ),
    "its name in the help of `run --also`": lambda name: name in read("segment_scorer/cli/run.py"),
    "a test that reads it back, in tests/unit/test_runner_formats.py": lambda name: (
        f'"{name}"' in read("tests/unit/test_runner_formats.py")
    ),
}


def test_the_stores_are_found() -> None:
    assert {"sqlite", "dynamodb"} <= set(STORES)


@pytest.mark.parametrize("part", STORE_PARTS)
@pytest.mark.parametrize("name", STORES)
def test_an_external_store_has_every_part(name: str, part: str) -> None:
    assert STORE_PARTS[part](name), f"the store {name} lacks {part}"


@pytest.mark.parametrize("part", FORMAT_PARTS)
@pytest.mark.parametrize("name", FORMATS)
def test_an_output_format_has_every_part(name: str, part: str) -> None:
    assert FORMAT_PARTS[part](name), f"the output format {name} lacks {part}"


# Of the files that a format writes if one is not enough, the documents name the first.
NUMBERED = {name for format_ in FORMATS.values() for name in format_.further[1:]}


@pytest.mark.parametrize("file", [name for name in FILES if name not in NUMBERED])
def test_every_output_file_is_documented(file: str) -> None:
    assert f"`{file}`" in read("docs/runner.md"), f"docs/runner.md lacks {file}"
