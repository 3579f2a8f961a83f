"""What a score means, and the range that it is in: a manifest's `score`.

Takes plain data; gives a ScoreKind. No other module knows how large a score of a kind can be, or
which output of a model holds it. Scores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from model.errors import name_kind

if TYPE_CHECKING:
    import numpy.typing as npt

Scores: TypeAlias = "npt.NDArray[np.float64]"
# A score computed in float32 may miss the limits of its range by its rounding error.
ROUNDING = 1e-6


class ScoreError(ValueError):
    """Scores that their kind cannot have. The text says what was expected and found."""


class KindFacts(msgspec.Struct, frozen=True):
    """What holds for every model of a kind.

    low, high  the widest range of its scores
    output     the output of the ONNX model that holds them, FP32 [-1, columns]; the last column
               is the score
    meaning    what a score says, for people
    """

    low: float
    high: float
    output: str
    columns: int
    meaning: str


KINDS: Mapping[str, KindFacts] = {
    "response": KindFacts(
        0.0, 1.0, "probabilities", 2, "how likely a person responds, messaged or not"
    ),
    "uplift": KindFacts(
        -1.0, 1.0, "effect", 1, "by how much a message changes how likely a person responds"
    ),
}


class ScoreKind(msgspec.Struct, frozen=True):
    """`score` of a manifest.

    kind       response or uplift, as in KINDS
    low, high  the range of the scores
    """

    kind: str
    low: float
    high: float

    @property
    def is_uplift(self) -> bool:
        """Whether a score is the effect of a message. Only then may it be called one."""
        return self.kind == "uplift"

    @property
    def output(self) -> str:
        """The output of the ONNX model that holds the scores."""
        return KINDS[self.kind].output

    @property
    def columns(self) -> int:
        """Columns of that output."""
        return KINDS[self.kind].columns

    @property
    def meaning(self) -> str:
        """What a score says, for people."""
        return KINDS[self.kind].meaning

    @property
    def span(self) -> str:
        """The range in words: `from 0 to 1`."""
        return f"from {self.low:g} to {self.high:g}"

    def holds(self, number: object) -> bool:
        """Whether a JSON or TOML value is a number in the range. NaN and booleans are not."""
        return (
            isinstance(number, int | float)
            and not isinstance(number, bool)
            and self.low <= number <= self.high
        )

    def clip(self, scores: Scores) -> Scores:
        """Scores [n] of a model: finite, and in the range. A rounding error beyond it is cut off.

        Raises ScoreError for anything else.
        """
        low, high = self.low, self.high
        if all(low <= score <= high for score in scores.tolist()):  # False for NaN, too
            return scores
        odd = int((~np.isfinite(scores)).sum())
        if odd:
            raise ScoreError(
                f"expected finite scores, found NaN or infinity in {odd} of {len(scores)} rows"
            )
        outside = int(((scores < self.low - ROUNDING) | (scores > self.high + ROUNDING)).sum())
        if outside:
            raise ScoreError(
                f"expected {self.kind} scores {self.span}, found {outside} of {len(scores)} outside"
            )
        clipped: Scores = np.clip(scores, self.low, self.high)
        return clipped

    def to_mapping(self) -> dict[str, Any]:
        """The manifest's `score`."""
        return {"kind": self.kind, "low": self.low, "high": self.high}


RESPONSE = ScoreKind("response", 0.0, 1.0)
UPLIFT = ScoreKind("uplift", -1.0, 1.0)
# kind -> its widest range, where no manifest says more
WIDEST = {each.kind: each for each in (RESPONSE, UPLIFT)}


def read_score_kind(manifest: Mapping[str, Any]) -> ScoreKind:
    """Read `score` of a manifest. Raises ScoreError naming the first problem.

    A bundle of an earlier release has none: its scores are of responses.
    """
    if "score" not in manifest:
        return RESPONSE
    described = manifest["score"]
    if not isinstance(described, dict):
        raise ScoreError(f"expected score to be an object, found {name_kind(described)}")
    kind, low, high = (described.get(key) for key in ("kind", "low", "high"))
    if not isinstance(kind, str) or kind not in KINDS:
        found = "other text" if isinstance(kind, str) else name_kind(kind)
        raise ScoreError(f"expected score.kind to be one of {', '.join(KINDS)}, found {found}")
    widest = WIDEST[kind]
    if not (widest.holds(low) and widest.holds(high) and low < high):  # type: ignore[operator]  # are numbers
        raise ScoreError(
            f"expected score.low and score.high, the lower first, {widest.span} for kind {kind}, "
            "found other values"
        )
    if kind == "uplift" and not low < 0 < high:  # type: ignore[operator]
        raise ScoreError(
            "expected score.low below 0 and score.high above 0 for kind uplift, found another range"
        )
    return ScoreKind(kind, float(low), float(high))  # type: ignore[arg-type]
