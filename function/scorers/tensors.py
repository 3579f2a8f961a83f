"""Matrix [n, f] -> Open Inference request; Open Inference answer -> scores [n].

Knows messages, no channel and no clock.
Rule 1: each difference between servers in the messages is a field of `Dialect`, never an `if` on a
server's name.
Rule 2: an answer is accepted only if it has one row for each row sent, in floating point, finite,
and from 0 to 1.
"""

from __future__ import annotations

import numpy as np

from function.errors import ScorerRejected
from function.records import Scores
from function.settings import Dialect
from model.features import Matrix
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

PROBABILITY_DATATYPES = ("FP32", "FP64")
# A probability computed in float32 may miss 0 or 1 by its rounding error.
ROUNDING = 1e-6


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
    if dialect.output_name:
        request.outputs.add(name=dialect.output_name)
    return request


def read_scores(response: ModelInferResponse, rows: int, dialect: Dialect) -> Scores:
    """Take float64 [rows] from an answer, raw or contents whichever was asked for.

    Raises ScorerRejected, with a sentence of its own for each problem.
    """
    index = _find_output(response, dialect)
    output = response.outputs[index]
    if output.datatype not in PROBABILITY_DATATYPES:
        found = output.datatype if output.datatype in DATATYPES else "another datatype"
        raise ScorerRejected(
            "the scoring service answered with labels or other values; expected probabilities, "
            f"FP32 or FP64, found {found}"
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
    scores = _pick_column(values, dialect.positive_column).astype(np.float64)
    if not np.isfinite(scores).all():
        raise ScorerRejected(
            "the scoring service answered with scores that are no finite numbers; found "
            f"{int((~np.isfinite(scores)).sum())} in {rows} rows"
        )
    outside = (scores < -ROUNDING) | (scores > 1 + ROUNDING)
    if outside.any():
        raise ScorerRejected(
            "the scoring service answered with scores that are no probabilities; expected each "
            f"from 0 to 1, found {int(outside.sum())} of {rows} outside"
        )
    clipped: Scores = np.clip(scores, 0.0, 1.0)
    return clipped


def _find_output(response: ModelInferResponse, dialect: Dialect) -> int:
    names = [output.name for output in response.outputs]
    if not dialect.output_name:
        if len(names) != 1:
            raise ScorerRejected(
                f"the scoring service answered with {len(names)} outputs; name the one that holds "
                "the probabilities (SCORER_OUTPUT)"
            )
        return 0
    if names.count(dialect.output_name) != 1:
        raise ScorerRejected(
            "the scoring service's answer lacks the output that was asked for (SCORER_OUTPUT), "
            f"found {len(names)} outputs"
        )
    return names.index(dialect.output_name)


def _pick_column(values: Array, column: int | None) -> Array:
    width = values.shape[1] if values.ndim == 2 else 1
    if column is None and width in {1, 2}:
        column = width - 1
    if column is None or not 0 <= column < width:
        raise ScorerRejected(
            f"the scoring service's answer has {width} columns; say which one is the positive "
            "class (SCORER_POSITIVE_COLUMN)"
        )
    return values[:, column] if values.ndim == 2 else values
