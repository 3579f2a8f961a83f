"""What moves the scores in each band: names of features, from a sample of the segment.

Input: the function in this process, and the first people of the segment. Output: rows for the
report without any value of a person. Called once, after the last chunk.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from function.bootstrap import Handler
from function.external.lookup import GROUP
from function.policy import Rules
from model.document import is_typed
from model.errors import SegmentScorerError
from model.features import Matrix, build_matrix, share_present
from model.people.columns import RecordError
from model.people.records import make_decoder
from model.values import parse_time
from segment_scorer.monitoring.attribution import (
    attribute_score,
    draw_references,
    score_in_parts,
)
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.segments import SegmentFile, open_segment_file

MOST_PEOPLE = 2_000  # of the segment's first people, from whom the sample is taken
SAMPLE = 20  # people of a band
FEWEST = 10  # a band with fewer of them is not shown
NAMED = 3  # features on each side
PATIENCE = 30.0  # seconds for one call of the model


def explain_bands(
    handler: Handler, rules: Rules, segment_files: Iterable[SegmentFile], config: RunConfig
) -> list[dict[str, Any]]:
    """For each band `{name, people, raised, lowered}`, the highest scores first.

    Without bands, those whom the score selects and the others. Nothing where the model is not in
    this process, where it reads a store that would have to be asked again, or where it fails.
    """
    spec = handler.bundle.spec
    reads_store = any(path.startswith(f"{GROUP}.") for path in spec.paths)
    if handler.settings.remote is not None or reads_store:
        return []
    # The run is complete: it must not fail because a file has gone meanwhile.
    with contextlib.suppress(SegmentScorerError, OSError):
        documents = list(itertools.islice(read_documents(segment_files, config), MOST_PEOPLE))
        time = parse_time(config.scheduled_time)
        matrix = build_matrix(documents, spec, None if math.isnan(time) else time)
        matrix = matrix[[share >= rules.min_present for share in share_present(matrix, spec)]]
        if len(matrix) >= FEWEST:
            return explain_groups(handler, rules, matrix)
    return []


def read_documents(
    segment_files: Iterable[SegmentFile], config: RunConfig
) -> Iterator[Mapping[str, Any]]:
    """The documents of readable people, in order."""
    for segment_file in segment_files:
        with open_segment_file(segment_file.name, plain_columns=config.plain_columns) as file:
            decode = make_decoder(file.header, naming=config.naming)
            for _, raw in file:
                with contextlib.suppress(RecordError):
                    document = decode(raw).document
                    if is_typed(document):
                        yield document


def explain_groups(handler: Handler, rules: Rules, matrix: Matrix) -> list[dict[str, Any]]:
    """Group people by band, and say of each group what moved the scores. Raises ScorerError."""
    spec, references = handler.bundle.spec, draw_references(matrix)

    def score(rows: Matrix) -> npt.NDArray[np.float64]:
        return handler.score_rows(rows, PATIENCE)

    scores = score_in_parts(matrix, score)
    groups: dict[str, list[int]] = defaultdict(list)
    for index in np.argsort(-scores, kind="stable").tolist():
        groups[name_group(float(scores[index]), rules)].append(index)
    names = [feature.name for feature in spec.features]
    shown = []
    for name, people in groups.items():
        if len(people) < FEWEST:
            continue
        # Evenly from the highest score of the band to its lowest.
        sample = people[:: max(1, len(people) // SAMPLE)][:SAMPLE]
        moved = np.mean(
            [
                attribute_score(matrix[[row]], references, spec, score, handler.score).moved
                for row in sample
            ],
            axis=0,
        )
        shown.append({"name": name, "people": len(people), **name_sides(names, moved.tolist())})
    return shown


def name_group(score: float, rules: Rules) -> str:
    """The band of a score, or, without bands, its side of the threshold."""
    rounded = round(score, rules.decimals)
    if rules.bands:
        band = rules.band_for(rounded)
        return band.name if band else "none"
    return "at least the threshold" if rounded >= rules.threshold else "below the threshold"


def name_sides(names: Sequence[str], moved: Sequence[float]) -> dict[str, list[str]]:
    """The features that raised scores most, and those that lowered them most."""
    order = sorted(range(len(names)), key=lambda index: -abs(moved[index]))
    return {
        "raised": [names[index] for index in order if moved[index] > 0][:NAMED],
        "lowered": [names[index] for index in order if moved[index] < 0][:NAMED],
    }
