"""One event in, sentences out: which rule of the policy decided for each endpoint, and with which numbers.

Decides nothing itself: the very handler that Lambda runs is asked, and watched. Never imported by it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from function.bootstrap import build_handler
from function.errors import EventError
from function.external.lookup import GROUP
from function.hosts import connect, pinpoint
from function.policy import Policy, Rules, attributes_for, format_score
from function.policy_file import load_policy
from function.records import Batch, Decision, Endpoint
from function.settings import read_settings
from model.bundle import load_bundle
from model.customer_profile import PROFILE_ID
from model.features import FeatureSpec, build_matrix, share_present


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one endpoint. `because` says which rule decided; `notes` what else follows from the policy."""

    keep: bool
    stays: bool
    reason: str
    score: float | None
    because: str
    notes: tuple[str, ...]


def wrap_endpoint(
    document: Mapping[str, Any],
    *,
    application_id: str,
    campaign_id: str,
    treatment_id: str,
    time: str,
) -> dict[str, Any]:
    """The hook event of one endpoint, or one customer profile, as exported; what is a hook event already is given back as it is.

    As for the runner, an object with a ProfileId and no Id is a profile, which Connect would send.
    """
    if pinpoint.is_event(document) or "Items" in document:
        return dict(document)
    profile = next((document[name] for name in PROFILE_ID if document.get(name)), None)
    if profile is not None and not document.get("Id"):
        run = f"{campaign_id}#{time[:19].replace(':', '-')}Z"
        return connect.build_event(
            {str(profile): json.dumps(document)}, campaign_id=campaign_id, run_id=run, action_id=""
        )
    return pinpoint.build_event(
        {str(document.get("Id") or "endpoint"): document},
        application_id=application_id,
        campaign_id=campaign_id,
        activity_id="",
        treatment_id=treatment_id,
        scheduled_time=time,
    )


def explain_event(event: Mapping[str, Any], environ: Mapping[str, str]) -> list[Explanation]:
    """Let the handler answer `event` and explain every decision, in order. Raises what the handler does."""
    settings = read_settings(environ)
    bundle = load_bundle(settings.bundle)
    policy = load_policy(settings.policy, threshold=bundle.threshold, quantiles=bundle.quantiles)
    seen: list[tuple[Batch, Sequence[Decision]]] = []
    build_handler(
        environ,
        observer=lambda batch, decisions: seen.append((batch, decisions)),
        stream=io.StringIO(),
    )(event, None)
    if not seen:
        raise EventError("expected the handler to answer the event")
    batch, decisions = seen[0]
    return [
        explain_decision(endpoint, decision, policy, batch, bundle.spec)
        for endpoint, decision in zip(batch.endpoints, decisions, strict=True)
    ]


def explain_decision(
    endpoint: Endpoint, decision: Decision, policy: Policy, batch: Batch, spec: FeatureSpec
) -> Explanation:
    """Say why one endpoint was decided on as it was."""
    override = policy.override_for(batch.context)
    rules = policy.rules if override is None else override.rules
    reasons = {
        "unreadable": lambda: f"{endpoint.problem}; unreadable = {rules.unreadable}",
        "holdout": lambda: (
            f"its place by lot, {100 * rules.holdout.place(endpoint):.4f} of 100, is below holdout.percent = {rules.holdout.percent:g}"
        ),
        "no_scores": lambda: (
            f"the batch has no scores, or is too large to send back; on_error = {rules.on_error}"
        ),
        "sparse": lambda: (
            f"{describe_presence(endpoint, batch, spec)}, which is below min_present = {rules.min_present:g}; sparse = {rules.sparse}"
        ),
        "score": lambda: (
            f"{describe_comparison(decision, rules)}; {describe_presence(endpoint, batch, spec)}"
        ),
    }
    notes = (
        []
        if override is None
        else [
            "override for " + ", ".join(f"{key} = {value}" for key, value in override.ids.items())
        ]
    )
    if decision.stays and not decision.keep:
        notes.append(f"stays all the same: mode = {rules.mode}")
    if decision.keep is False and endpoint.document is None:
        notes.append("left out whatever the policy says: it cannot be sent back")
    if decision.band is not None:
        notes.append(f"band {decision.band.name}, from {decision.band.at_least:g}")
    if decision.stays and batch.host == "pinpoint":
        notes += [
            f"writes Attributes.{name} = {', '.join(values)}"
            for name, values in attributes_for(decision, rules).items()
        ]
    document = endpoint.document or {}
    if pinpoint.opted_out(document.get("OptOut"), document.get("EndpointStatus")):
        notes.append("no host would ask: OptOut is ALL or EndpointStatus is INACTIVE")
    return Explanation(
        keep=decision.keep,
        stays=decision.stays,
        reason=decision.reason,
        score=decision.score,
        because=reasons[decision.reason](),
        notes=tuple(notes),
    )


def describe_comparison(decision: Decision, rules: Rules) -> str:
    """How the rounded score stands to the threshold, and what that means."""
    sign = ">=" if decision.score is not None and decision.score >= rules.threshold else "<"
    score = "" if decision.score is None else format_score(decision.score, rules.decimals)
    return f"score {score} {sign} threshold {rules.threshold:g}; keep = {rules.keep}"


def describe_presence(endpoint: Endpoint, batch: Batch, spec: FeatureSpec) -> str:
    """How many of the model's features the endpoint itself has; what is looked up elsewhere is not seen from here."""
    own = FeatureSpec(tuple(feature for feature in spec.features if feature.keys[0] != GROUP))
    if not own.features:
        return "all features are looked up elsewhere"
    share = float(
        share_present(build_matrix([endpoint.document or {}], own, batch.context.reference), own)[0]
    )
    whose = "features" if len(own.features) == len(spec.features) else "features of its own"
    return f"{round(share * len(own.features))} of {len(own.features)} {whose} present"
