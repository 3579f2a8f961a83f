"""Names that were retired are gone, and no class name of the project exists twice.

docs/decisions/0015 says why. The CHANGELOG lists the renamed public names.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("function/", "model/", "protos/", "segment_scorer/", "tools/")
# These lists would find themselves; old public names live on in the table that explains them.
EXEMPT = {
    "tests/contract/test_retired_names.py",
    "tests/unit/test_renamed.py",
    "function/renamed.py",
    "CHANGELOG.md",
}

FOLDERS = ("benchmarks", "campaign", "cli", "deploy", "function/profiles", "image", "service")
FILES = {
    *("assess.py", "batching.py", "books.py", "enrich.py", "forms.py", "ledger.py", "policies.py"),
    *("people_files.py", "people_parquet.py", "people_records.py", "people_tables.py"),
    *("ray_engine.py", "remarks.py", "request.py", "saving.py", "settling.py", "sides.py"),
    *("sources.py", "tally.py", "walking.py", "profiles_demo.py", "fake_profiles.py"),
    *("test_books_balance.py", "test_books_balance_connect.py", "test_profile.py"),
}
CLASSES = {
    *("Action", "Answers", "Block", "Call", "Column", "Counts", "DynamoProfiles", "Entry", "Fate"),
    *("Ledger", "Line", "LookUp", "Order", "Page", "Place", "Profiles", "ProfilesError"),
    *("ProfilesRejected", "ProfilesTimeout", "ProfilesUnavailable", "Purpose", "Question"),
    *("Recipe", "Report", "Request", "Side", "Source", "SqliteProfiles", "Tally", "Terms"),
    *("Walker", "Standing"),
}
FUNCTIONS = {
    *("answer_few", "begin_page", "choose_profiles", "close_books", "end_page", "keep_apart"),
    *("judge_against", "look_up_profiles", "match_principal", "match_statement", "open_profiles"),
    *("open_recipe", "place_in_order", "print_report", "promise_gain", "prove_bundle"),
    *("read_blocks", "read_ledger", "read_purpose", "say_kept", "settle_terms", "stay_silent"),
    *("tell_apart", "tell_expected", "tell_fate", "tell_run", "tell_story", "telltale", "walk_all"),
    *("walk_block", "walk_here", "walk_in_order", "walk_in_processes", "walk_in_threads"),
    *("walk_on_ray", "weigh_profit", "write_form"),
}
# Parts of an identifier, split at underscores.
WORDS = {
    *("books", "ledger", "tally", "fate", "fates", "remark", "remarks", "rival", "rivals"),
    *("telltale", "promised", "settle", "settled", "settles", "settling", "sitting"),
    *("tenth", "tenths"),
}
# Old public names, wherever they stand.
TEXTS = re.compile(
    r"SCORER_PROFILES|on_missing_profiles|ProfilesTable|segment-scorer profiles|--profiles\b"
    r"|profiles_(?:error|failed|found|missing|ms|unreadable)\b|\bhow-manieth\b"
)


@cache
def list_files() -> tuple[str, ...]:
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(name for name in names if name not in EXEMPT and (ROOT / name).is_file())


def list_modules() -> list[str]:
    generated = ("_pb2.py", "_pb2_grpc.py")
    return [name for name in list_files() if name.endswith(".py") and not name.endswith(generated)]


@cache
def parse(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text("utf-8"))


def list_classes() -> Iterator[tuple[str, str]]:
    """(file, class) of the packages."""
    for name in list_modules():
        if name.startswith(PACKAGES):
            nodes = ast.walk(parse(name))
            yield from ((name, node.name) for node in nodes if isinstance(node, ast.ClassDef))


def list_identifiers(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines: classes, functions, parameters, variables, attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_retired_folder_is_gone(folder: str) -> None:
    assert [name for name in list_files() if name.startswith(f"{folder}/")] == []


def test_retired_files_are_gone() -> None:
    assert [name for name in list_files() if Path(name).name in FILES] == []


def test_retired_classes_are_gone() -> None:
    assert [(file, name) for file, name in list_classes() if name in CLASSES] == []


def test_retired_functions_and_words_are_gone() -> None:
    found = {
        (module, name)
        for module in list_modules()
        for name in list_identifiers(parse(module))
        if name in FUNCTIONS or WORDS & set(name.lower().split("_"))
    }
    assert sorted(found) == []


def test_old_public_names_are_gone() -> None:
    explained = {"tests/unit/test_policy_file.py", "tests/unit/test_settings.py"}  # test the errors
    texts = (".py", ".md", ".toml", ".yaml", ".yml", ".html", ".json", ".mjs", ".sh")
    found = [
        (name, match[0])
        for name in sorted({*list_files()} - explained)
        if name.endswith(texts) or name in {"Makefile", "Dockerfile", ".ci/run"}
        for match in TEXTS.finditer((ROOT / name).read_text("utf-8"))
    ]
    assert found == []


def test_no_class_name_exists_twice() -> None:
    count = Counter(name for _, name in list_classes())
    twice = {name for name, times in count.items() if times > 1}
    assert [(file, name) for file, name in list_classes() if name in twice] == []


def test_the_lists_can_find_something(tmp_path: Path) -> None:
    module = (
        "class A:\n    def close_books(self, ledger):\n        return self.tally(page_terms=1)\n"
    )
    assert {"close_books", "ledger", "tally"} <= set(list_identifiers(ast.parse(module)))
    assert TEXTS.search("SCORER_PROFILES_KEY")
