"""What a cold start loads, seen in a fresh process: modules, never seconds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.fake_external import make_external_bundle, make_store

ROOT = Path(__file__).parents[2]
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


def modules_after(statement: str) -> set[str]:
    program = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(loaded)


def test_the_default_path_imports_nothing_of_training_or_the_command_line() -> None:
    event = {"Endpoints": {"a": {"Metrics": {"RecencyDays": 5}}}}
    loaded = modules_after(
        f"import function.handler; assert function.handler.handle({event!r}, None) is not None"
    )
    assert loaded & NEVER == set()
    assert "onnxruntime" in loaded


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
