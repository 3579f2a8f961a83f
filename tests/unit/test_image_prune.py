from __future__ import annotations

from pathlib import Path

import pytest

from tools.image.steps.prune import ONNX_RUNTIME_TOOLS, prune

PACKAGES = "lib/python3.13/site-packages"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    for folder in (
        "numpy/core/tests/data",
        "numpy/core/include/numpy",
        "tested",
        "onnxruntime/capi",
        "google/protobuf",
    ):
        (tmp_path / PACKAGES / folder).mkdir(parents=True)
        (tmp_path / PACKAGES / folder / "file.py").touch()
    for tool in ONNX_RUNTIME_TOOLS:
        (tmp_path / PACKAGES / "onnxruntime" / tool).mkdir()
    (tmp_path / "include").mkdir()
    (tmp_path / PACKAGES / "numpy" / "tests").touch()  # a file of that name is no test suite
    return tmp_path


def test_removes_test_suites_headers_and_tools_for_models_and_nothing_else(
    environment: Path,
) -> None:
    prune(environment)
    left = {
        str(path.relative_to(environment / PACKAGES))
        for path in environment.rglob("*")
        if path.is_file()
    }
    assert left == {
        "tested/file.py",
        "onnxruntime/capi/file.py",
        "google/protobuf/file.py",
        "numpy/tests",
    }
    assert not (environment / "include").exists()
    assert sorted(path.name for path in (environment / PACKAGES / "onnxruntime").iterdir()) == [
        "capi"
    ]


def test_fails_when_onnx_runtime_has_no_longer_what_is_to_be_removed(environment: Path) -> None:
    (environment / PACKAGES / "onnxruntime" / "tools").rmdir()
    with pytest.raises(FileNotFoundError):
        prune(environment)
