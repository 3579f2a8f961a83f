"""The bundled scorer: ONNX Runtime in this process, one thread. Takes a checked bundle, gives scores; never reads a document."""

from __future__ import annotations

import numpy as np

from function.errors import BundleError, ScorerRejected
from function.records import Scores
from model.bundle import Bundle, check_golden
from model.features import Matrix
from model.runtime import INPUT, PROBABILITIES, REFUSALS, open_session


class BundledScorer:
    """Scores by the bundle's ONNX model. The positive class is the last column of `probabilities`."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the model and score the golden rows. Raises BundleError when it does not fit the manifest or scores differently."""
        self.label = bundle.label
        try:
            self._session = open_session(bundle.model_file)
        except REFUSALS as error:
            raise BundleError(
                f"{bundle.model_file}: expected an ONNX model that this ONNX Runtime can load"
            ) from error
        inputs = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
        width = len(bundle.spec.columns)
        if (
            INPUT not in inputs
            or inputs[INPUT][-1] != width
            or PROBABILITIES not in {tensor.name for tensor in self._session.get_outputs()}
        ):
            raise BundleError(
                f"{bundle.model_file}: expected an input `{INPUT}` of {width} columns and an output `{PROBABILITIES}`"
            )
        check_golden(bundle, self.score_batch(bundle.golden_rows, 0.0))

    def score_batch(self, matrix: Matrix, timeout: float) -> Scores:  # noqa: ARG002  # microseconds; nothing to cut short
        """Score float32 [n, f]: float64 [n]. Raises ScorerRejected when ONNX Runtime refuses or a score is not finite."""
        try:
            (probabilities,) = self._session.run([PROBABILITIES], {INPUT: matrix})
        except REFUSALS as error:
            raise ScorerRejected(
                "bundled model: expected ONNX Runtime to accept the matrix"
            ) from error
        scores: Scores = probabilities[:, -1].astype(np.float64)
        if not np.isfinite(scores).all():
            raise ScorerRejected("bundled model: expected finite scores")
        return scores
