"""A bundle's ONNX model, loaded and checked: takes a float32 matrix, gives scores or all outputs.

The only module that imports ONNX Runtime, which takes a while: import it only where a model is run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

# ONNX Runtime's Linux wheels report usage to their maker unless this is set before the import
# (onnxruntime, Privacy.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import msgspec
import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from model.bundle import Bundle, check_golden
from model.errors import BundleError
from model.features import Matrix
from model.score_kind import ScoreError, ScoreKind

if TYPE_CHECKING:
    import numpy.typing as npt

INPUT, LABEL = "input", "label"
MOST_BOUND = 200  # rows; a batch has no more. For each size up to it buffers are kept.
# ONNX Runtime's errors for a model or a tensor that it refuses. They have no common base class.
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
# ONNX element type -> datatype as the Open Inference Protocol names it
DATATYPES = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64"}


class ModelFailure(Exception):
    """ONNX Runtime could not compute, or a score is not finite."""


class TensorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Name, datatype and shape of a tensor, as the Open Inference Protocol states them.

    A length of -1 means any length.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Name, version, input and outputs of a model.

    takes_missing  whether the model scores a row that holds NaN
    """

    name: str
    version: str
    input: TensorFacts
    outputs: tuple[TensorFacts, ...]
    takes_missing: bool

    @property
    def width(self) -> int:
        """Number of columns of the input."""
        return self.input.shape[1]


class BoundBuffers(msgspec.Struct, frozen=True):
    """Memory that ONNX Runtime reads rows from and writes scores to, and the binding of both.

    A call then allocates nothing and converts nothing.

    scores  a view of the last column of the output
    """

    binding: Any
    input: Matrix
    scores: npt.NDArray[np.float32]


class OnnxModel:
    """The ONNX model of a bundle, in this process. Several threads may compute at once."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the model and score the golden rows.

        Raises BundleError when ONNX Runtime refuses the model, when the model's input or outputs
        differ from what the manifest needs, or when it scores the golden rows differently.
        """
        self._bundle = bundle
        try:
            self._session = open_session(bundle.model)
        except REFUSALS as error:
            raise BundleError(
                f"{bundle.model_file}: expected an ONNX model, "
                f"found a file that ONNX Runtime refuses ({type(error).__name__})"
            ) from error
        self._inputs = tuple(_read_facts(node) for node in self._session.get_inputs())
        self._outputs = tuple(_read_facts(node) for node in self._session.get_outputs())
        self._check_tensors()
        # Buffers by the number of rows, for calls to come
        self._bound: dict[int, list[BoundBuffers]] = {}
        try:
            scores = self.score(bundle.golden_rows)
        except ModelFailure as error:
            raise BundleError(
                f"{bundle.model_file}: expected a model that scores its golden rows: {error}"
            ) from error
        check_golden(bundle, scores)

    @cached_property
    def facts(self) -> ModelFacts:
        """Facts of the loaded model. The first use scores one row, to find `takes_missing`."""
        missing = np.full((1, len(self._bundle.spec.columns)), np.nan, dtype=np.float32)
        try:
            self.score(missing)
            takes_missing = True
        except ModelFailure:
            takes_missing = False
        return ModelFacts(
            name=self._bundle.name,
            version=self._bundle.version,
            input=self._inputs[0],
            outputs=self._outputs,
            takes_missing=takes_missing,
        )

    def compute(
        self, matrix: Matrix, outputs: Sequence[str] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Outputs by name, row i for row i of float32 [n, f]. Raises ModelFailure.

        outputs  names of the outputs; none: all
        """
        names = outputs or [facts.name for facts in self._outputs]
        return dict(zip(names, self._run(names, matrix), strict=True))

    def score(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        """Scores for float32 [n, f]: float64 [n], in the range that the manifest states.

        Raises ModelFailure.
        """
        kind = self._bundle.score
        rows, width = matrix.shape
        if 0 < rows <= MOST_BOUND and width == len(self._bundle.spec.columns):
            scores = self._run_bound(matrix)
        else:
            scores = self._run([kind.output], matrix)[0][:, -1].astype(np.float64)
        try:
            return kind.clip(scores)
        except ScoreError as error:
            raise ModelFailure(str(error)) from error

    def _run(self, outputs: Sequence[str], matrix: Matrix) -> list[npt.NDArray[Any]]:
        try:
            values: list[npt.NDArray[Any]] = self._session.run(outputs, {INPUT: matrix})
        except REFUSALS as error:
            raise ModelFailure(f"ONNX Runtime failed with {type(error).__name__}") from error
        return values

    def _run_bound(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        rows = len(matrix)
        waiting = self._bound.setdefault(rows, [])
        # Another thread may compute with the buffers of this size: it has taken them off the list.
        bound = waiting.pop() if waiting else self._bind(rows)
        bound.input[...] = matrix
        try:
            self._session.run_with_iobinding(bound.binding)
        except REFUSALS as error:
            raise ModelFailure(f"ONNX Runtime failed with {type(error).__name__}") from error
        scores = bound.scores.astype(np.float64)
        waiting.append(bound)
        return scores

    def _bind(self, rows: int) -> BoundBuffers:
        kind, binding = self._bundle.score, self._session.io_binding()
        matrix = np.empty((rows, len(self._bundle.spec.columns)), dtype=np.float32)
        output = np.empty((rows, kind.columns), dtype=np.float32)
        for bind, name, buffer in (
            (binding.bind_input, INPUT, matrix),
            (binding.bind_output, kind.output, output),
        ):
            bind(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
        return BoundBuffers(binding=binding, input=matrix, scores=output[:, -1])

    def _check_tensors(self) -> None:
        path, width = self._bundle.model_file, len(self._bundle.spec.columns)
        wanted = TensorFacts(name=INPUT, datatype="FP32", shape=(-1, width))
        if self._inputs != (wanted,):
            raise BundleError(
                f"{path}: expected one input, {_describe(wanted)}; "
                f"found {', '.join(map(_describe, self._inputs)) or 'none'}"
            )
        kind = self._bundle.score
        needed = list_outputs(kind)
        is_complete = set(needed) <= set(self._outputs)
        if not is_complete or (kind.is_uplift and len(self._outputs) > len(needed)):
            raise BundleError(
                f"{path}: expected the outputs of {kind.kind} scores, "
                f"{' and '.join(map(_describe, needed))}; "
                f"found {', '.join(map(_describe, self._outputs)) or 'none'}"
            )


def list_outputs(kind: ScoreKind) -> tuple[TensorFacts, ...]:
    """The outputs of a model whose scores are of a kind.

    A classifier also has its labels. An uplift model has one output.
    """
    scores = TensorFacts(name=kind.output, datatype="FP32", shape=(-1, kind.columns))
    if kind.is_uplift:
        return (scores,)
    return (TensorFacts(name=LABEL, datatype="INT64", shape=(-1,)), scores)


def open_session(model: bytes) -> Any:
    """Load an ONNX model into an InferenceSession of one thread.

    One thread is enough: 50 rows take microseconds, a small Lambda function has a fraction of a
    core, and the service runs calls side by side. Raises one of REFUSALS.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _read_facts(node: Any) -> TensorFacts:
    shape = tuple(length if isinstance(length, int) else -1 for length in node.shape)
    return TensorFacts(name=node.name, datatype=DATATYPES.get(node.type, node.type), shape=shape)


def _describe(facts: TensorFacts) -> str:
    return f"{facts.name}: {facts.datatype} [{', '.join(map(str, facts.shape))}]"
