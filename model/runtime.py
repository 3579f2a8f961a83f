"""The one place that imports ONNX Runtime: with its usage telemetry off, and its errors gathered. Takes a model, gives a session.

Never imported by what does not score: importing it costs what importing ONNX Runtime costs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Its Linux wheels report usage to their maker unless told not to before they are loaded (onnxruntime, Privacy.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

INPUT, LABEL, PROBABILITIES = "input", "label", "probabilities"
# Every way in which ONNX Runtime refuses a model or a tensor; it has no common base class for them.
REFUSALS = (
    errors.EPFail,
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoSuchFile,
    errors.NotImplemented,
    errors.RuntimeException,
)


def open_session(model: Path | bytes) -> Any:
    """Load an ONNX model from a file or its bytes into an InferenceSession of one thread. Raises one of REFUSALS.

    One thread: Lambda gives a fraction of a core at small sizes, the service runs calls side by side, and 50 rows take microseconds.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
