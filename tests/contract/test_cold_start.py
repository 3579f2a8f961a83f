"""What a cold start loads, seen in a fresh process: modules, never seconds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.fake_external import make_external_bundle, make_store

ROOT = Path(__file__).parents[2]
# Prints the loaded modules.
SHOW = "import sys\nfound = sorted(sys.modules)\nimport json\nprint(json.dumps(found))"
NEVER = {
    "sklearn",
    "scipy",
    "pandas",
    "boto3",
    "skl2onnx",
    "onnx",
    "matplotlib",
    "pyarrow",
    "typer",
    "rich",
    "tomlkit",
    "model.training",
    "model.people",
    "segment_scorer",
    "tools",
}


def modules_after(statement: str, *options: str) -> set[str]:
    """Modules loaded after a statement in a new process; `options` are Python's."""
    done = subprocess.run(
        [sys.executable, *options, "-c", f"{statement}\n{SHOW}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return read_modules(done.stdout)


def read_modules(shown: str) -> set[str]:
    """The modules in the last line that `SHOW` has printed."""
    return set(json.loads(shown.splitlines()[-1]))


def test_the_default_path_imports_nothing_of_training_or_the_command_line() -> None:
    event = {"Endpoints": {"a": {"Metrics": {"RecencyDays": 5}}}}
    loaded = modules_after(
        f"import function.handler; assert function.handler.handle({event!r}, None) is not None"
    )
    assert loaded & NEVER == set()
    assert "onnxruntime" in loaded


def read_reasons() -> tuple[set[str], set[str]]:
    """Modules that docs/image.md gives a reason for, and those that they bring."""
    text = (ROOT / "docs" / "image.md").read_text("utf-8")
    section = text.partition("\n## What a start loads\n")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    named, brought = (set(re.findall(r"`([\w.]+)`", "".join(r[n] for r in rows))) for n in (1, 3))
    return named, brought


def write_programs(*folders: str) -> tuple[str, str]:
    """Programs that import what `folders` hold: the bare imports, and a start to its first reply.

    To be run without `site`, since its files in an environment load modules of their own.
    """
    example = ROOT / "examples" / "events" / "cdnow-five-customers.json"
    event = json.loads(example.read_text("utf-8"))
    search = f"import sys; sys.path += {list(folders)!r}"
    return (
        f"{search}; import numpy, onnxruntime",
        f"{search}; import function.handler; function.handler.handle({event!r}, None)",
    )


def check_reasons(bare: set[str], loaded: set[str]) -> None:
    """Every module that a start loads beyond the bare imports is in the table, and no other."""
    named, brought = read_reasons()
    known = {*named, *brought, "function", "model"} - {"numpy", "onnxruntime"}
    unexplained = {
        name
        for name in loaded - bare
        # Modules that begin with an underscore are the halves in C of those that do not.
        if name[0] != "_" and not any(f"{name}.".startswith(f"{each}.") for each in known)
    }
    assert not unexplained, "expected a row in docs/image.md, What a start loads"
    assert named <= loaded, "docs/image.md gives a reason for what is not loaded"


def test_every_module_that_a_start_loads_has_a_reason() -> None:
    bare, start = write_programs(str(ROOT), sysconfig.get_path("purelib"))
    check_reasons(modules_after(bare, "-S"), modules_after(start, "-S"))


def test_the_garbage_collector_rests_while_a_start_loads_and_works_again_afterwards() -> None:
    modules_after(
        "import gc; before = gc.get_stats(); import function.handler\n"
        "assert gc.get_stats() == before, 'expected no collection while loading'\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 10_000"
    )


def test_wherever_onnx_runtime_is_loaded_its_telemetry_is_off() -> None:
    sources = [
        path
        for folder in ("function", "model", "segment_scorer")
        for path in (ROOT / folder).rglob("*.py")
    ]
    importers = [
        path.relative_to(ROOT).as_posix()
        for path in sources
        if re.search(r"^\s*(import|from) onnxruntime", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert importers == ["model/runtime.py"]
    modules_after("import os, model.runtime; assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'")


def test_the_default_path_does_not_import_grpc() -> None:
    assert not {"grpc", "google.protobuf"} & modules_after("import function.handler")


def test_a_start_without_a_warning_does_not_import_the_formatter_of_warnings() -> None:
    loaded = modules_after("import function.handler")
    assert not {"aws_lambda_powertools", "jmespath"} & loaded


def test_the_default_path_opens_no_external_store() -> None:
    stores = {
        "function.external.sqlite",
        "function.external.dynamodb",
        "segment_scorer.external_store.sqlite",
        "segment_scorer.external_store.rows",
        "sqlite3",
    }
    assert not (stores | {"boto3", "botocore.session"}) & modules_after("import function.handler")


def test_the_host_over_http_loads_no_more_than_its_own_modules() -> None:
    loaded = modules_after("import function.handler")
    assert {name for name in loaded if name.startswith("function.hosts.")} == {
        f"function.hosts.{name}"
        for name in (
            *("connect", "host", "pinpoint", "pinpoint_event", "reading", "results"),
            *("web", "web_request"),
        )
    }
    # Packages of the standard library that only HTTP or secrets would need
    assert not loaded & {"http", "http.client", "hmac", "ssl", "urllib.request"}


def test_a_sqlite_store_loads_sqlite_and_no_client_of_aws(tmp_path: Path) -> None:
    environ = {
        "SCORER_BUNDLE": str(make_external_bundle(tmp_path / "bundle")),
        "SCORER_EXTERNAL": f"sqlite:{make_store(tmp_path / 'external.sqlite', {})}",
    }
    loaded = modules_after(
        f"from function.bootstrap import build_handler; build_handler({environ!r})"
    )
    assert "sqlite3" in loaded
    assert (
        not {
            "boto3",
            "botocore.session",
            "segment_scorer.external_store.sqlite",
            "segment_scorer.external_store.rows",
        }
        & loaded
    )


def test_the_command_line_says_what_it_can_do_without_importing_what_does_it() -> None:
    loaded = modules_after(
        "import segment_scorer.cli.main; segment_scorer.cli.main.main(['--help'])"
    )
    assert not loaded & {"onnxruntime", "numpy", "typer", "sklearn", "pyarrow"}


@pytest.mark.parametrize("verb", ["train", "run"])
def test_the_help_of_a_verb_loads_no_library_that_only_its_work_needs(verb: str) -> None:
    loaded = modules_after(
        f"from segment_scorer.cli.main import main; assert main(['{verb}', '--help']) == 0"
    )
    assert f"segment_scorer.cli.{verb}" in loaded
    libraries = {"sklearn", "skl2onnx", "scipy", "matplotlib", "altair", "onnxruntime", "pyarrow"}
    assert not loaded & libraries
