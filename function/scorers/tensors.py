"""Matrix [n, f] -> Open Inference request; Open Inference answer -> scores [n].

Knows messages, no channel and no clock.
Rule 1: each difference between servers in the messages is a field of `Dialect`, never an `if` on a
server's name.
Rule 2: an answer is accepted only if it has one row for each row sent, in floating point, finite,
and in the range of its kind.
"""

from __future__ import annotations

import numpy as np

from function.errors import ScorerRejected
from function.records import Scores
from function.settings import Dialect
from model.features import Matrix
from model.score_kind import KINDS, ScoreError
from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.tensor import (
    DATATYPES,
    Array,
    TensorError,
    read_contents,
    read_raw,
    write_contents,
    write_raw,
)

SCORE_DATATYPES = ("FP32", "FP64")
# The outputs in which our service, and servers of our bundles, give scores -> their kind.
OUTPUTS = {each.output: kind for kind, each in KINDS.items()}


def build_request(matrix: Matrix, dialect: Dialect, id_: str = "") -> ModelInferRequest:
    """Put float32 [n, f] into one input tensor, columns in the matrix's order, NaN as NaN.

    FP64 holds the same numbers exactly. `id_` is the request's id; servers may log it.
    """
    values: Array = matrix.astype(np.float64) if dialect.datatype == "FP64" else matrix
    request = ModelInferRequest(model_name=dialect.model, model_version=dialect.version, id=id_)
    tensor = request.inputs.add(
        name=dialect.input_name, datatype=dialect.datatype, shape=matrix.shape
    )
    if dialect.encoding == "raw":
        request.raw_input_contents.append(write_raw(values))
    else:
        tensor.contents.CopyFrom(write_contents(values))
    if dialect.output:
        request.outputs.add(name=dialect.output)
    return request


def read_scores(response: ModelInferResponse, rows: int, dialect: Dialect) -> Scores:
    """Take float64 [rows] from an answer, raw or contents whichever was asked for.

    Raises ScorerRejected, with a sentence of its own for each problem.
    """
    index = _find_output(response, dialect)
    output = response.outputs[index]
    if output.datatype not in SCORE_DATATYPES:
        found = output.datatype if output.datatype in DATATYPES else "another datatype"
        raise ScorerRejected(
            "the scoring service answered with labels or other values; expected "
            f"{dialect.kind.kind} scores, FP32 or FP64, found {found}"
        )
    raws = response.raw_output_contents
    if raws and len(raws) != len(response.outputs):
        raise ScorerRejected(
            "the scoring service's answer is incomplete; expected raw contents for each of its "
            f"{len(response.outputs)} outputs, found {len(raws)}"
        )
    try:
        if raws:
            values = read_raw(output.datatype, output.shape, raws[index])
        else:
            values = read_contents(output.datatype, output.shape, output.contents)
    except TensorError as error:
        raise ScorerRejected(f"the scoring service's answer cannot be read: {error}") from error
    if values.ndim not in {1, 2} or len(values) != rows:
        raise ScorerRejected(
            "the scoring service answered for another number of rows; expected one score for each "
            f"of {rows} rows, found shape {list(values.shape)}"
        )
    try:
        return dialect.kind.clip(_pick_column(values, dialect).astype(np.float64))
    except ScoreError as error:
        raise ScorerRejected(f"the scoring service's scores cannot be used: {error}") from error


def _find_output(response: ModelInferResponse, dialect: Dialect) -> int:
    names = [output.name for output in response.outputs]
    if not dialect.output:
        if len(names) != 1:
            raise ScorerRejected(
                f"the scoring service answered with {len(names)} outputs; name the one that holds "
                "the scores (SCORER_OUTPUT)"
            )
        found = OUTPUTS.get(names[0], dialect.kind.kind)
        if found != dialect.kind.kind:
            raise ScorerRejected(
                f"the scoring service answered with {found} scores; expected {dialect.kind.kind} "
                "scores (SCORER_SCORE_KIND)"
            )
        return 0
    if names.count(dialect.output) != 1:
        raise ScorerRejected(
            "the scoring service's answer lacks the output that was asked for (SCORER_OUTPUT), "
            f"found {len(names)} outputs"
        )
    return names.index(dialect.output)


def _pick_column(values: Array, dialect: Dialect) -> Array:
    column = dialect.positive_column
    width = values.shape[1] if values.ndim == 2 else 1
    # One column is the score. The last of two is the positive class, where there are classes.
    if column is None and 1 <= width <= dialect.kind.columns:
        column = width - 1
    if column is None or not 0 <= column < width:
        raise ScorerRejected(
            f"the scoring service's answer has {width} columns; say which one is the positive "
            "class, or the effect (SCORER_POSITIVE_COLUMN)"
        )
    return values[:, column] if values.ndim == 2 else values
