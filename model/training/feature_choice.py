"""Decide which features to train on: those given or inferred, without unusable ones and leaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.errors import DataError, SpecError
from model.features import FeatureSpec, load_spec
from model.kinds import KINDS
from model.people.progress import Progress
from model.training.audit import Audit, describe_leak
from model.training.candidates import Sample
from model.training.config import TrainingConfig
from model.training.datasets import OutcomeTable
from model.training.extend import Extension, extend_inference
from model.training.gather import gather_people, sample_matches, sample_people
from model.training.infer import Inference, infer_spec, write_features
from model.training.join import Document, Enrich, Match
from model.training.people import People, is_reserved, keep_features, name_user
from model.training.target_rates import lacks_rates
from model.training.undated import describe_undated, look_at_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureChoice:
    """The spec to train on.

    inference  how it was inferred; None if it was given
    left_out   what was left out, with the reason
    undated    the notice on dates that need a reference time, if there are any: the first to read
    doubts     sentences about features that may be meant otherwise
    """

    spec: FeatureSpec
    inference: Inference | None = None
    left_out: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def read_given(
    path: Path, sample: Callable[[], Sequence[Document]], *, dated: bool
) -> FeatureChoice:
    """The spec in a file, without ages unless `dated`. Raises SpecError if nothing remains.

    `sample` gives some people, whose dates propose a reference time.
    """
    given = load_spec(path)
    if dated or not given.needs_time:
        return FeatureChoice(spec=given)
    kept = tuple(feature for feature in given.features if not KINDS[feature.kind].needs_time)
    if not kept:
        raise SpecError(
            f"{path}: expected --as-of TIME or dated outcomes, because every feature is an age"
        )
    left_out = tuple(
        f"{feature.name}: an age needs --as-of TIME or dated outcomes"
        for feature in given.features
        if KINDS[feature.kind].needs_time
    )
    undated = describe_undated(look_at_spec(given, sample()))
    return FeatureChoice(spec=FeatureSpec(kept), left_out=left_out, undated=tuple(undated))


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """From which people to infer a spec.

    as_of    reference time of ages; None for the outcomes' dates, if there are any
    reserve  share of users that nothing is learnt from
    widen    try features made of others
    """

    endpoints: Sequence[Path]
    outcomes: OutcomeTable
    seed: int
    as_of: float | None = None
    reserve: float = 0.0
    enrich: Enrich | None = None
    widen: bool = True

    @property
    def dated(self) -> bool:
        """Whether ages have a time to be measured against."""
        return self.as_of is not None or self.outcomes.dates is not None


def infer_from_files(request: InferenceRequest, progress: Progress) -> FeatureChoice:
    """The spec that fits a sample of the people. Raises DataError if no one can be learnt from."""
    paths, table = request.endpoints, request.outcomes
    matches = sample_matches(paths, table, request.seed, progress, request.enrich)
    if not matches:
        # Gathering raises an error that says why nothing matched.
        gather_people(paths, table, FeatureSpec(()), None, progress, whole=True)
        raise DataError("expected endpoints and outcomes to share Ids")
    inference = infer_spec([match.document for match in matches], dated=request.dated)
    extension = Extension(inference=inference)
    if request.widen:
        progress("trying features", 0, 1)
        extension = extend_from(request, matches, inference)
        progress("trying features", 1, 1)
    wider = extension.inference
    return FeatureChoice(
        spec=wider.spec,
        inference=wider,
        left_out=tuple(f"{path}: {reason}" for path, reason in wider.left_out),
        undated=tuple(describe_undated(wider.undated)),
        doubts=(
            *(f"{path}: {doubt}" for path, doubt in wider.doubts),
            *([extension.sentence] if extension.sentence else []),
        ),
    )


def extend_from(
    request: InferenceRequest, matches: Sequence[Match], inference: Inference
) -> Extension:
    """Try features made of others on the people of the sample who are not reserved."""
    learnt = [
        match for match in matches if not is_reserved(match.document, match.name, request.reserve)
    ]
    table = request.outcomes
    users: dict[str, int] = {}
    groups = [
        users.setdefault(name_user(match.document, match.name), len(users)) for match in learnt
    ]
    by_date = request.as_of is None and table.dates is not None
    reference = (
        np.array([(table.dates or {})[match.name] for match in learnt])
        if by_date
        else request.as_of
    )
    sample = Sample(
        documents=[match.document for match in learnt],
        inference=inference,
        outcomes=np.array([table.outcomes[match.name] for match in learnt], dtype=np.int64),
    )
    return extend_inference(sample, np.array(groups, dtype=np.int64), reference, request.seed)


def choose_features(
    config: TrainingConfig, outcome_table: OutcomeTable, progress: Progress
) -> FeatureChoice:
    """The given spec, or one inferred from a sample of the people."""
    dated = config.as_of is not None or outcome_table.dates is not None
    if config.features is not None:
        given = read_given(
            config.features,
            lambda: sample_people(
                config.endpoints, outcome_table, config.seed, progress, config.enrich
            ),
            dated=dated,
        )
        if config.uplift is not None and any(map(lacks_rates, given.spec.features)):
            raise SpecError(
                f"{config.features}: expected no target_rate without rates: an uplift model "
                "does not learn response rates"
            )
        return given
    request = InferenceRequest(
        endpoints=config.endpoints,
        outcomes=outcome_table,
        seed=config.seed,
        as_of=config.as_of,
        reserve=config.reserve,
        enrich=config.enrich,
        # What foretells a response need not foretell an effect.
        widen=config.uplift is None and not config.quick,
    )
    return infer_from_files(request, progress)


def leave_out_leaks(people: People, audit: Audit) -> tuple[People, tuple[str, ...]]:
    """Leave out features that certainly leak the outcome, unless there are no others.

    For inferred features only: a feature in a given spec was asked for by name.
    """
    keep = [feature.name not in audit.certain_leaks for feature in people.spec.features]
    if all(keep) or not any(keep):
        return people, ()
    spec, matrix = keep_features(people.spec, people.matrix, keep)
    left_out = tuple(
        f"{describe_leak(feature.name, audit.alone[feature.name])}, so it probably contains the "
        "outcome; add it to a feature spec if it is known before the message is sent"
        for feature, kept in zip(people.spec.features, keep, strict=True)
        if not kept
    )
    return replace(people, spec=spec, matrix=matrix), left_out


def write_inference(inference: Inference, spec: FeatureSpec, left_out: Sequence[str]) -> bytes:
    """The features trained on as TOML, with every reason.

    Categories are written without the vocabulary learnt, so that the next training learns its own.
    """
    names = {feature.name for feature in spec.features}
    kept = FeatureSpec(
        tuple(feature for feature in inference.spec.features if feature.name in names)
    )
    reasons = tuple(
        (path, reason) for path, _, reason in (sentence.partition(": ") for sentence in left_out)
    )
    return write_features(Inference(spec=kept, left_out=reasons)).encode()
