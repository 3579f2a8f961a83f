"""What a cold start with a remote scorer loads, seen in a fresh process."""

from __future__ import annotations

from tests.contract.test_cold_start import NEVER, modules_after

BUILD = "import os; os.environ.update({environ!r}); import function.handler"


def test_a_remote_scorer_without_fallback_needs_no_onnx_runtime() -> None:
    loaded = modules_after(
        BUILD.format(environ={"SCORER_TARGET": "localhost:8081", "SCORER_FALLBACK": "none"})
    )
    assert "grpc" in loaded
    assert not loaded & {*NEVER, "onnxruntime", "service"}


def test_a_fallback_is_loaded_before_it_is_needed() -> None:
    assert {"grpc", "onnxruntime"} <= modules_after(
        BUILD.format(environ={"SCORER_TARGET": "unix:/tmp/none.sock"})
    )
