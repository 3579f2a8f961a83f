"""Log lines in, a comparison with what the model learnt from out: the population stability index of each feature and of the score.

Reads what `telemetry` wrote, wherever it lay since. Never part of the function's own work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from function.telemetry import BATCH, MODEL
from model.bins import Reference, estimate_noise, measure_drift, read_reference
from model.errors import BundleError, DataError
from model.people.naming import name_some

# Siddiqi's reading of the index, in general use since.
SHIFTED = 0.1
DIFFERENT = 0.25
SCORE = "(score)"


class Line(msgspec.Struct, frozen=True):
    """What this module reads of a log line; everything else in it is ignored."""

    message: str
    model: str
    feature_bins: dict[str, list[int]] | None = None
    score_bins: list[int] | None = None
    reference: dict[str, Any] | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One feature's drift, or the score's. `noise` is the index that chance alone exceeds once in a hundred times."""

    name: str
    index: float
    noise: float
    people: int
    missing: float
    missing_then: float
    verdict: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of all that one model saw, the largest first; the verdict is a sentence."""

    model: str
    batches: int
    people: int
    columns: tuple[Column, ...]
    verdict: str


class Counts:
    """The bins of all batches of one model, added up."""

    def __init__(self) -> None:
        self.batches = 0
        self.bins: dict[str, list[int]] = {}

    def add(self, line: Line) -> None:
        """Add one batch; one without scores has no bins of them. Raises DataError when its bins are not those of earlier batches."""
        self.batches += 1
        try:
            add_bins(self.bins, {**(line.feature_bins or {}), SCORE: line.score_bins or []})
        except ValueError as error:
            raise DataError(
                f"{line.model}: expected all batches of one model to have the same bins"
            ) from error


def add_bins(sums: dict[str, list[int]], bins: Mapping[str, Sequence[int]]) -> None:
    """Add bins to `sums`, column by column; a column without bins, as of scores that there are none of, adds nothing.

    Raises ValueError for a column that has as many bins as none before.
    """
    for name, counts in bins.items():
        held = sums.get(name)
        if held and counts:
            sums[name] = [a + b for a, b in zip(held, counts, strict=True)]
        elif counts or held is None:
            sums[name] = list(counts)


def compare_logs(
    lines: Iterable[str], references: Mapping[str, Mapping[str, Any]]
) -> list[Comparison]:
    """Compare every model's batches with what it learnt from, one comparison a model, in order of appearance.

    lines       log lines; what stands before the first brace (a time, a stream's name) and lines of other kinds are passed over
    references  label of a model -> its manifest's `drift`, for logs that do not hold the line a starting function writes
    Raises DataError when no line is a batch's, a model's reference is nowhere to be found, or bins do not fit each other.
    """
    known: dict[str, Mapping[str, Any]] = dict(references)
    found: dict[str, Counts] = {}
    decoder = msgspec.json.Decoder(Line)
    for text in lines:
        if f'"{BATCH}"' not in text and f'"{MODEL}"' not in text:
            continue
        try:
            line = decoder.decode(text[text.index("{") :])
        except ValueError:  # no brace, or no JSON of this form (msgspec's DecodeError is one)
            continue
        if line.message == MODEL and line.reference is not None:
            known[line.model] = line.reference
        elif line.message == BATCH and line.feature_bins is not None:
            found.setdefault(line.model, Counts()).add(line)
    if not found:
        raise DataError(
            "expected log lines of batches, as the function and the runner write them at SCORER_LOG_LEVEL=INFO; found none"
        )
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise DataError(
            f"expected --bundle to be the bundle of {', '.join(unknown)}, since the log does not hold that model's first line"
        )
    return [compare_counts(model, counts, known[model]) for model, counts in found.items()]


def compare_counts(model: str, counts: Counts, described: Mapping[str, Any]) -> Comparison:
    """Compare one model's summed bins with its reference. Raises DataError when the two have not the same bins."""
    try:
        references = {
            name: read_reference(value)
            for name, value in {**described["features"], SCORE: described["score"]}.items()
        }
    except (KeyError, TypeError, BundleError) as error:
        raise DataError(f"{model}: expected a reference as the trainer writes it") from error
    columns = []
    for name, bins in counts.bins.items():
        if name not in references or len(bins) not in {0, len(references[name].shares)}:
            raise DataError(f"{model}: expected the bins that the model's reference has")
        if sum(bins):
            columns.append(compare_column(name, bins, references[name]))
    columns.sort(key=lambda column: -column.index)
    people = max((column.people for column in columns), default=0)
    return Comparison(
        model=model,
        batches=counts.batches,
        people=people,
        columns=tuple(columns),
        verdict=judge(columns, people),
    )


def compare_column(name: str, bins: Sequence[int], reference: Reference) -> Column:
    """Compare one column's bins with its reference."""
    people = sum(bins)
    index, noise = measure_drift(reference.shares, bins), estimate_noise(reference.shares, people)
    if index <= noise and noise >= SHIFTED:
        verdict = "too few"
    else:
        verdict = "stable" if index < SHIFTED else "shifted" if index < DIFFERENT else "different"
    return Column(
        name=name,
        index=round(index, 4),
        noise=round(noise, 4),
        people=people,
        missing=round(bins[-1] / people, 4),
        missing_then=reference.shares[-1],
        verdict=verdict,
    )


def judge(columns: Sequence[Column], people: int) -> str:
    """The verdict on all columns, the largest index first, as a sentence."""
    different = [column.name for column in columns if column.verdict == "different"]
    shifted = [column.name for column in columns if column.verdict == "shifted"]
    if different:
        return f"Different: {name_some(different)} no longer look as they did in training. Find out why; then train again on newer people."
    if shifted:
        return f"Shifted: {name_some(shifted)} moved since training. Watch it, and evaluate the model on newer outcomes."
    if any(column.verdict == "stable" for column in columns):
        return "Stable: nothing moved since training."
    return f"Too few to tell: {people:,} people, where a column of ten bins needs about 220."
