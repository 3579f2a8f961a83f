from __future__ import annotations

from pathlib import Path

import pytest

from tools.image.steps.prune import UNUSED, prune

PACKAGES = "lib/python3.13/site-packages"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    for folder in (
        "numpy/core/tests/data",
        "numpy/core/include/numpy",
        "tested",
        "onnxruntime/capi",
        "google/protobuf",
        "aws_lambda_powertools/logging",
    ):
        (tmp_path / PACKAGES / folder).mkdir(parents=True)
        (tmp_path / PACKAGES / folder / "file.py").touch()
        (tmp_path / PACKAGES / folder / "file.pyi").touch()
    for pattern in UNUSED:
        if pattern.endswith(".*"):
            (tmp_path / PACKAGES / pattern.replace("*", "1.32.0")).touch()
        else:
            (tmp_path / PACKAGES / pattern / "deep").mkdir(parents=True)
            (tmp_path / PACKAGES / pattern / "deep" / "file.js").touch()
    (tmp_path / "include").mkdir()
    (tmp_path / PACKAGES / "numpy" / "tests").touch()  # a file of that name is no test suite
    return tmp_path


def test_removes_what_serves_no_event_and_nothing_else(environment: Path) -> None:
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
        "aws_lambda_powertools/logging/file.py",
        "numpy/tests",
    }
    assert not (environment / "include").exists()
    assert sorted(path.name for path in (environment / PACKAGES / "onnxruntime").iterdir()) == [
        "capi"
    ]


@pytest.mark.parametrize(
    "missing", ["onnxruntime/tools/deep/file.js", "onnxruntime/capi/libonnxruntime.so.1.32.0"]
)
def test_fails_when_a_package_has_no_longer_what_is_to_be_removed(
    missing: str, environment: Path
) -> None:
    path = environment / PACKAGES / missing
    path.unlink()
    if path.parent.name == "deep":
        path.parent.rmdir()
        path.parent.parent.rmdir()
    with pytest.raises(FileNotFoundError, match="expected onnxruntime/"):
        prune(environment)
