"""The bundled scorer: the bundle's model in this process. Takes a matrix, gives scores."""

from __future__ import annotations

from function.correlation import NO_CORRELATION, Correlation
from function.errors import ScorerRejected
from function.records import BUNDLE_SOURCE, Scores
from model.bundle import Bundle
from model.features import Matrix
from model.runtime import ModelFailure, OnnxModel


class BundledScorer:
    """Scores by the bundle's ONNX model."""

    source = BUNDLE_SOURCE

    def __init__(self, bundle: Bundle) -> None:
        """Load the model. Raises BundleError when it does not fit the manifest."""
        self.label = bundle.label
        self._model = OnnxModel(bundle)

    def score_batch(
        self,
        matrix: Matrix,
        timeout: float,  # noqa: ARG002  # takes microseconds
        correlation: Correlation = NO_CORRELATION,  # noqa: ARG002  # asks nobody
    ) -> Scores:
        """Score float32 [n, f]: float64 [n].

        Raises ScorerRejected when ONNX Runtime refuses the matrix or a score is not finite.
        """
        try:
            return self._model.score(matrix)
        except ModelFailure as error:
            raise ScorerRejected(f"bundled model: {error}") from error
