"""Explains how the policy decides for each endpoint of an event, with the numbers it used.

Decides nothing itself: it asks the handler that Lambda runs, and reads the account of the batch.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from function.bootstrap import Handler, build_handler
from function.concerns import find_concerns
from function.errors import EventError, ScorerError
from function.hosts import HOSTS, find_host
from function.hosts.connect import CONNECT
from function.hosts.pinpoint import PINPOINT, opted_out
from function.policy import Override, Rules, attributes_for, format_score, select_unscored
from function.records import Account, Campaign, Decision, Endpoint, Reason
from model.customer_profile import PROFILE_ID
from model.features import Matrix, build_matrix
from model.score_kind import ScoreKind
from model.steps import Step
from segment_scorer.monitoring.attribution import (
    attribute_score,
    draw_references,
    make_references,
    rank_features,
)
from segment_scorer.monitoring.overrides import find_unmatched

PATIENCE = 30.0  # seconds for the scores of one explanation


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of one person, and what it did to the score.

    value    what the model saw, as text
    moved    how much it raised the score: log-odds of a response score, else in the score's unit
    without  the mean score if the feature were another person's
    """

    feature: str
    value: str
    moved: float
    without: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint's decision. `because` names the rule that decided; `notes` what else follows.

    selected, holdout, sent  as in `Decision`
    moved  what the model saw and what moved the score, most first; nothing without a score
    usual  the mean score of the people compared with; None without a score
    """

    selected: bool
    holdout: bool
    sent: bool
    reason: Reason
    score: float | None
    because: str
    notes: tuple[str, ...]
    moved: tuple[Moved, ...] = ()
    usual: float | None = None


class Case(NamedTuple):
    """One endpoint, its decision, and what the decision was made from.

    kind               what the score means
    present, features  how many of the model's features the endpoint has, looked-up ones included
    """

    endpoint: Endpoint
    decision: Decision
    rules: Rules
    kind: ScoreKind
    present: int
    features: int


def wrap_endpoint(document: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
    """Make a hook event of one exported endpoint or customer profile. A hook event stays as it is.

    As in the runner, an object with a ProfileId and no Id is a profile, and Connect would send it.
    """
    if find_host(document) is not None or "Items" in document:
        return dict(document)
    profile = next((document[name] for name in PROFILE_ID if document.get(name)), None)
    if profile is not None and not document.get("Id"):
        return CONNECT.build_event({str(profile): json.dumps(document)}, campaign)
    return PINPOINT.build_event({str(document.get("Id") or "endpoint"): document}, campaign)


def explain_event(
    event: Mapping[str, Any],
    environ: Mapping[str, str],
    among: Sequence[Mapping[str, Any]] = (),
) -> list[Explanation]:
    """Let the handler answer `event`, and explain each decision in order.

    among  documents of people to compare with; none: people made of the bundle's golden rows

    Raises what the handler raises.
    """
    accounts: list[Account] = []
    handler = build_handler(environ, observer=accounts.append, stream=io.StringIO())
    handler(event, None)
    if not accounts:
        raise EventError("expected the handler to answer the event, found no account of it")
    (account,) = accounts
    context = account.batch.context
    override = handler.policy.override_for(context)
    rules = handler.policy.rules_for(context)
    features = len(handler.bundle.spec.counted)
    warnings = [*find_unmatched(handler.policy, context), *find_concerns(account)]
    explanations = [
        explain_case(case, account, override, warnings)
        for case in list_cases(account, rules, features, handler.score)
    ]
    references = make_references(handler.bundle)
    if among:
        spec, reference = handler.bundle.spec, context.reference
        references = draw_references(build_matrix(among, spec, reference))
    rows = iter(account.matrix)
    return [
        explanation
        if endpoint.problem is not None
        else add_reasons(explanation, next(rows), references, handler)
        for endpoint, explanation in zip(account.batch.endpoints, explanations, strict=True)
    ]


def add_reasons(
    explanation: Explanation, row: npt.NDArray[np.float32], references: Matrix, handler: Handler
) -> Explanation:
    """Add what the model saw of a person, and what moved the score; nothing without a score."""
    if explanation.score is None:
        return explanation
    spec = handler.bundle.spec
    try:
        found = attribute_score(
            row[np.newaxis],
            references,
            spec,
            lambda matrix: handler.score_rows(matrix, PATIENCE),
            handler.score,
        )
    except ScorerError as error:
        note = f"what moved the score is unknown: {type(error).__name__}"
        return msgspec.structs.replace(explanation, notes=(*explanation.notes, note))
    moved = [
        Moved(
            feature=spec.features[index].name,
            value=describe_value(spec.steps[index], row),
            moved=float(found.moved[index]),
            without=float(found.without[index]),
        )
        for index in rank_features(found.moved.tolist())
    ]
    return msgspec.structs.replace(explanation, moved=tuple(moved), usual=found.usual)


def describe_value(step: Step, row: npt.NDArray[np.float32]) -> str:
    """What the model saw of a feature: a number, or the columns of its category."""
    values = row[step.columns].tolist()
    if math.isnan(values[0]):
        return "missing"
    if len(values) == 1:
        return f"{values[0]:.6g}"
    names = step.feature.columns
    present = [name for name, value in zip(names, values, strict=True) if value]
    return " ".join(present) or "none"


def list_cases(account: Account, rules: Rules, features: int, kind: ScoreKind) -> Iterator[Case]:
    """Each endpoint of the batch with its decision and its row of the matrix."""
    shares = iter(account.present)
    for endpoint, decision in zip(account.batch.endpoints, account.decisions, strict=True):
        share = next(shares) if endpoint.problem is None else 0.0
        yield Case(endpoint, decision, rules, kind, round(share * features), features)


def explain_case(
    case: Case, account: Account, override: Override | None, warnings: Sequence[str]
) -> Explanation:
    """Say why one endpoint was decided on as it was. `warnings` are of the whole event."""
    decision = case.decision
    return Explanation(
        selected=bool(decision.selected),
        holdout=bool(decision.holdout),
        sent=decision.sent,
        reason=decision.reason,
        score=decision.score,
        because=BECAUSE[decision.reason](case),
        notes=(
            *list_notes(case, account, override),
            *(f"warning: {sentence}" for sentence in warnings),
        ),
    )


def list_notes(case: Case, account: Account, override: Override | None) -> Iterator[str]:
    """What else the policy makes of an endpoint, beside the decision."""
    endpoint, decision, rules = case.endpoint, case.decision, case.rules
    if override is not None:
        ids = ", ".join(f"{key} = {value}" for key, value in override.ids.items())
        yield f"override for {ids}"
    if decision.holdout:
        yield explain_selected(case, batch_scored=account.scored is not None)
    if decision.sent and decision.dropped:
        yield f"sent all the same: mode = {rules.mode}"
    if endpoint.document is None:
        yield "left out whatever the policy says: it cannot be sent back"
    if decision.band is not None:
        yield f"band {decision.band.name}, from {decision.band.at_least:g}"
    if decision.sent and HOSTS[account.batch.host].tells_attributes:
        for name, values in attributes_for(endpoint, decision, rules).items():
            yield f"writes Attributes.{name} = {', '.join(values)}"
    document = endpoint.document or {}
    if opted_out(document.get("OptOut"), document.get("EndpointStatus")):
        yield "the host would not send it: OptOut is ALL or EndpointStatus is INACTIVE"


def explain_selected(case: Case, *, batch_scored: bool) -> str:
    """What the rules say of an endpoint in the control group, and why."""
    decision = case.decision
    if decision.excluded_by:
        return f"without the holdout: not selected: {explain_excluded(case)}"
    reason = Reason.SCORE
    if decision.score is None:
        _, reason = select_unscored(case.endpoint, case.rules, batch_scored=batch_scored)
    verdict = "selected" if decision.selected else "not selected"
    return f"without the holdout: {verdict}: {BECAUSE[reason](case)}"


def explain_unreadable(case: Case) -> str:
    """The problem of the endpoint, and the rule for unreadable ones."""
    return f"{case.endpoint.problem}; unreadable = {case.rules.unreadable}"


def explain_holdout(case: Case) -> str:
    """The number drawn for the user, and the share of users that is held out."""
    holdout = case.rules.holdout
    draw = 100 * holdout.draw(case.endpoint)
    return f"its random draw, {draw:.4f} of 100, is below holdout.percent = {holdout.percent:g}"


def explain_excluded(case: Case) -> str:
    """The rule that applies, without the value that it found."""
    name = case.decision.excluded_by
    rules = [
        f"{rule.path} {rule.condition} = {json.dumps(rule.wanted)}"
        for rule in case.rules.excludes
        if rule.reason == name
    ]
    return f"the policy's exclude rule {name} applies: {', or '.join(rules)}"


def explain_no_scores(case: Case) -> str:
    """The rule for a batch without scores."""
    return f"the batch has no scores, or its reply is too large; on_error = {case.rules.on_error}"


def explain_sparse(case: Case) -> str:
    """How many features are present, and how many are needed."""
    return (
        f"{describe_presence(case)}, which is below min_present = {case.rules.min_present:g}; "
        f"sparse = {case.rules.sparse}"
    )


def explain_score(case: Case) -> str:
    """The rounded score against the threshold, and the rule."""
    decision, rules = case.decision, case.rules
    score = decision.score
    sign = ">=" if score is not None and score >= rules.threshold else "<"
    text = "" if score is None else format_score(score, rules.decimals)
    name = "uplift score" if case.kind.is_uplift else "score"
    comparison = f"{name} {text} {sign} threshold {rules.threshold:g}"
    return f"{comparison}; keep = {rules.keep}; {describe_presence(case)}"


def describe_presence(case: Case) -> str:
    """How many of the model's features the endpoint has."""
    return f"{case.present} of {case.features} features present"


BECAUSE: Mapping[Reason, Callable[[Case], str]] = {
    Reason.UNREADABLE: explain_unreadable,
    Reason.HOLDOUT: explain_holdout,
    Reason.EXCLUDED: explain_excluded,
    Reason.NO_SCORES: explain_no_scores,
    Reason.SPARSE: explain_sparse,
    Reason.SCORE: explain_score,
}
