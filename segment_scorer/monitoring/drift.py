"""Compares the people in the function's logs with the people the model was trained on.

Takes log lines, gives the population stability index (PSI) of each feature and of the score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from function.telemetry import BATCH, MODEL
from model.bins import Distribution, measure_drift, read_distribution
from model.errors import BundleError, DataError
from model.people.naming import name_some
from segment_scorer.monitoring.chance import count_people_needed, estimate_chance

# Siddiqi's reading of the index, in general use since.
SHIFTED = 0.1
DIFFERENT = 0.25
SCORE = "(score)"
NO_REFERENCE = "{}: expected a drift reference as the trainer writes it, found another form"
OTHER_BINS = "{}: expected the bins of the model's drift reference, found others"


class LogLine(msgspec.Struct, frozen=True):
    """The fields of a log line that are read; a line may have others.

    feature_bins  people in each drift bin, column by column in the order of the reference
    """

    message: str
    model: str
    feature_bins: list[list[int]] | None = None
    score_bins: list[int] | None = None
    reference: dict[str, Any] | None = None


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of one feature column, or of the score.

    index         the PSI
    noise         the PSI that chance alone exceeds in any of the columns once in a hundred
                  comparisons
    visible       a PSI of this size or more would be found in 4 of 5 comparisons
    missing       share of people without a value now, `missing_then` in training
    verdict       stable, shifted, different or too few
    """

    name: str
    index: float
    noise: float
    visible: float
    people: int
    missing: float
    missing_then: float
    verdict: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The drift of one model's columns, the largest first, and a verdict as a sentence."""

    model: str
    batches: int
    people: int
    columns: tuple[ColumnDrift, ...]
    verdict: str


@dataclass
class BinSums:
    """The bins of all batches of one model, added up: column -> people in each bin."""

    batches: int = 0
    bins: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class LoggedBins:
    """The bins of all batches of one model in logs, added up; the columns have no names there."""

    batches: int = 0
    features: list[list[int]] = field(default_factory=list)
    score: list[int] = field(default_factory=list)

    def add(self, line: LogLine) -> None:
        """Add one batch. Raises DataError if its bins do not fit those of earlier batches."""
        features = line.feature_bins or []
        try:
            self.features = [
                add_counts(held, counts)
                for held, counts in zip(
                    self.features or [[]] * len(features), features, strict=True
                )
            ]
            self.score = add_counts(self.score, line.score_bins or [])
        except ValueError as error:
            raise DataError(
                f"{line.model}: expected all batches of one model to have the same bins, found "
                "another number of them"
            ) from error
        self.batches += 1

    def name(self, model: str, reference: Mapping[str, Any]) -> BinSums:
        """The same sums, by the reference's columns. Raises DataError if it has others."""
        columns = reference.get("features")
        if not columns or not isinstance(columns, dict):
            raise DataError(NO_REFERENCE.format(model))
        if len(columns) != len(self.features):
            raise DataError(OTHER_BINS.format(model))
        return BinSums(
            self.batches, {**dict(zip(columns, self.features, strict=True)), SCORE: self.score}
        )


def add_bins(sums: dict[str, list[int]], bins: Mapping[str, Sequence[int]]) -> None:
    """Add bins to `sums`, column by column. A column without bins adds nothing.

    Raises ValueError for a number of bins that differs from earlier batches.
    """
    for name, counts in bins.items():
        sums[name] = add_counts(sums.get(name, ()), counts)


def add_counts(held: Sequence[int], counts: Sequence[int]) -> list[int]:
    """Add up the bins of one column; none of them add nothing. Raises ValueError for others."""
    if held and counts:
        return [a + b for a, b in zip(held, counts, strict=True)]
    return list(held or counts)


def compare_logs(
    lines: Iterable[str], references: Mapping[str, Mapping[str, Any]]
) -> list[Comparison]:
    """Compare each model's batches with its training data, in order of appearance.

    lines       log lines. Text before the first brace (a time, the name of a stream) and lines of
                other kinds are ignored
    references  label of a model -> its manifest's `drift`, for logs without the line that a
                starting function writes
    Raises DataError if no line is a batch's, if a model has no reference, or if bins do not fit.
    """
    known: dict[str, Mapping[str, Any]] = dict(references)
    found: dict[str, LoggedBins] = {}
    decoder = msgspec.json.Decoder(LogLine)
    for text in lines:
        if f'"{BATCH}"' not in text and f'"{MODEL}"' not in text:
            continue
        try:
            line = decoder.decode(text[text.index("{") :])
        except ValueError:  # no brace, or other JSON (msgspec's DecodeError is a ValueError)
            continue
        if line.message == MODEL and line.reference is not None:
            known[line.model] = line.reference
        elif line.message == BATCH and line.feature_bins is not None:
            found.setdefault(line.model, LoggedBins()).add(line)
    if not found:
        raise DataError(
            "expected records of batches with drift bins, as the function and the runner write "
            "them unless SCORER_BINS_SHARE drops the bins; found none"
        )
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise DataError(
            f"expected the drift reference of {', '.join(unknown)}, found none: the log lacks the "
            "line that a starting function writes. Name that model's bundle with --bundle"
        )
    return [
        compare_sums(model, bins.name(model, known[model]), known[model])
        for model, bins in found.items()
    ]


def compare_sums(model: str, sums: BinSums, described: Mapping[str, Any]) -> Comparison:
    """Compare one model's bins with its reference. Raises DataError if they have other bins."""
    try:
        references = {
            name: read_distribution(value)
            for name, value in {**described["features"], SCORE: described["score"]}.items()
        }
    except (KeyError, TypeError, BundleError) as error:
        raise DataError(NO_REFERENCE.format(model)) from error
    compared = sum(any(bins) for bins in sums.bins.values())
    columns = []
    for name, bins in sums.bins.items():
        if name not in references or len(bins) not in {0, len(references[name].shares)}:
            raise DataError(OTHER_BINS.format(model))
        if sum(bins):
            columns.append(compare_column(name, bins, references[name], compared))
    columns.sort(key=lambda column: -column.index)
    people = max((column.people for column in columns), default=0)
    return Comparison(
        model=model,
        batches=sums.batches,
        people=people,
        columns=tuple(columns),
        verdict=judge(columns, references, people),
    )


def compare_column(
    name: str, bins: Sequence[int], reference: Distribution, columns: int
) -> ColumnDrift:
    """Compare one column's bins with its reference. `columns`: how many are compared at once."""
    people = sum(bins)
    index = measure_drift(reference.shares, bins)
    chance = estimate_chance(reference.shares, people, columns)
    if index <= chance.noise and chance.noise >= SHIFTED:
        verdict = "too few"
    else:
        verdict = "stable" if index < SHIFTED else "shifted" if index < DIFFERENT else "different"
    return ColumnDrift(
        name=name,
        index=round(index, 4),
        noise=round(chance.noise, 4),
        visible=round(chance.visible, 4),
        people=people,
        missing=round(bins[-1] / people, 4),
        missing_then=reference.shares[-1],
        verdict=verdict,
    )


def judge(
    columns: Sequence[ColumnDrift], references: Mapping[str, Distribution], people: int
) -> str:
    """The verdict on all columns, the largest index first, as a sentence."""
    verdicts = {column.verdict for column in columns}
    if "different" in verdicts:
        return (
            f"Drift: {count_columns(columns, 'different')} from training (PSI over {DIFFERENT:g})"
            f"{name_first(columns, 'different')}. Check the data before sending; retrain if the "
            "change is real."
        )
    if "shifted" in verdicts:
        return (
            f"Shift: {count_columns(columns, 'shifted')} from training (PSI over {SHIFTED:g})"
            f"{name_first(columns, 'shifted')}. Watch it, and evaluate the model on newer outcomes."
        )
    if not columns:
        return "Too few to tell: no people."
    weakest = max(columns, key=lambda column: column.visible)
    if "too few" in verdicts:
        needed = count_people_needed(references[weakest.name].shares, len(columns), SHIFTED)
        return (
            f"Too few to tell: {people:,} people. A shift (PSI {SHIFTED:g}) would be found 4 times "
            f"in 5 among about {needed:,}."
        )
    return (
        f"Stable: no feature differs from training (PSI below {SHIFTED:g}). A PSI of "
        f"{weakest.visible:.2g} would be found 4 times in 5."
    )


def count_columns(columns: Sequence[ColumnDrift], verdict: str) -> str:
    """A phrase such as `9 of 14 features differ`, or `the scores differ`, or both."""
    features = [column for column in columns if column.name != SCORE]
    moved = sum(column.verdict == verdict for column in features)
    scores = any(column.name == SCORE and column.verdict == verdict for column in columns)
    if not moved:
        return "the scores differ"
    phrase = f"{moved} of {len(features)} features"
    if scores:
        return f"{phrase} and the scores differ"
    return f"{phrase} {'differs' if moved == 1 else 'differ'}"


def name_first(columns: Sequence[ColumnDrift], verdict: str) -> str:
    """The features that moved most, as a clause; nothing if only the scores moved."""
    moved = [
        column.name for column in columns if column.verdict == verdict and column.name != SCORE
    ]
    return f", most of all {name_some(moved[:3])}" if moved else ""
