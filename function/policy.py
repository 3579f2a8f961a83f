"""Scores in, decisions out: one for each endpoint, with the reason. The only place that knows a threshold.

Takes rules that `policy_file` has read and checked; never sees an event, never raises for what a person's document holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from function.records import Band, Context, Decision, Endpoint, Reason
from model.document import is_encodable
from model.features import read_texts

TWO_TO_THE_64 = float(1 << 64)
MATCHED = ("application_id", "campaign_id", "treatment_id")


class Holdout(msgspec.Struct, frozen=True, kw_only=True):
    """A control group that is not messaged: `percent` of people, the same ones for the same salt."""

    percent: float = 0.0
    salt: str = ""
    attribute: str = ""

    def holds(self, endpoint: Endpoint) -> bool:
        """Whether this endpoint's user (or, without a UserId, the endpoint) is in the control group: its place is below percent/100."""
        return self.percent > 0.0 and self.draw(endpoint) < self.percent / 100.0

    def draw(self, endpoint: Endpoint) -> float:
        """Where from 0 to 1 the endpoint's user (or, without a UserId, the endpoint) stands, by lot.

        It is the first 8 bytes, big-endian, of BLAKE2b(salt + NUL + key), as a share of 2^64: uniform, the same on every machine,
        and all endpoints of one user have the same.
        """
        user = (endpoint.document or {}).get("User")
        key = (user.get("UserId") if isinstance(user, dict) else None) or endpoint.id
        digest = hashlib.blake2b(f"{self.salt}\0{key}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") / TWO_TO_THE_64


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One complete set of rules: the policy's own, or with the overrides that a campaign matches. See README, "Policy"."""

    mode: Literal["filter", "annotate", "shadow"] = "filter"
    threshold: float
    keep: Literal["at_least", "below"] = "at_least"
    decimals: int = 4
    on_error: Literal["keep", "drop", "raise"] = "keep"
    on_missing_external: Literal["on_error", "score"] = "on_error"
    unreadable: Literal["keep", "drop"] = "keep"
    min_present: float = 0.0
    sparse: Literal["keep", "drop"] = "keep"
    score_attribute: str = "Score"
    band_attribute: str = ""
    metric: str = "Score"
    holdout: Holdout = Holdout()
    bands: tuple[Band, ...] = ()  # highest `at_least` first
    external: Mapping[
        str, str
    ] = {}  # attribute to write -> attribute of the person's external attributes

    def band_for(self, score: float) -> Band | None:
        """The highest band that the rounded score reaches, or None."""
        for band in self.bands:  # a generator here would cost more than the rest of the decision
            if score >= band.at_least:
                return band
        return None


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for the events whose ids are all of `ids`."""

    ids: Mapping[str, str]
    rules: Rules

    def matches(self, context: Context) -> bool:
        """Whether every id given here is the event's."""
        return all(getattr(context, key) == value for key, value in self.ids.items())


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy: its rules, and overrides, the one with most ids first. `warnings` are sentences for whoever deploys it."""

    rules: Rules
    overrides: tuple[Override, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def external(self) -> list[str]:
        """Every attribute of profiles that some rules write."""
        return [
            name
            for rules in (self.rules, *(override.rules for override in self.overrides))
            for name in rules.external.values()
        ]

    def rules_for(self, context: Context) -> Rules:
        """The rules that an event's context falls under."""
        override = self.override_for(context)
        return self.rules if override is None else override.rules

    def override_for(self, context: Context) -> Override | None:
        """The override that an event's context falls under, or None where the policy's own rules hold."""
        return next((override for override in self.overrides if override.matches(context)), None)


def decide(
    endpoints: Sequence[Endpoint],
    scores: Sequence[float | None] | None,
    present: Sequence[float],
    rules: Rules,
) -> list[Decision]:
    """Decide for each endpoint, in order.

    scores   a score from 0 to 1 for each endpoint, None for one that was not scored; or None when the batch has no scores
    present  for each endpoint the share of features that are there, 0 to 1 (unreadable ones: any number)
    """
    unscored = [None] * len(endpoints)
    decisions = [
        decide_one(endpoint, score, share, rules, batch_scored=scores is not None)
        for endpoint, score, share in zip(
            endpoints, unscored if scores is None else scores, present, strict=True
        )
    ]
    if not rules.external:
        return decisions
    return [
        copy_external(decision, endpoint, rules)
        for decision, endpoint in zip(decisions, endpoints, strict=True)
    ]


def decide_one(
    endpoint: Endpoint, score: float | None, share: float, rules: Rules, *, batch_scored: bool
) -> Decision:
    """Decide for one endpoint. The first of these that applies is the reason: unreadable, holdout, no_scores, sparse, score."""
    stays_anyway = rules.mode != "filter" and endpoint.document is not None
    if endpoint.problem is not None:
        keep = rules.unreadable == "keep" and endpoint.document is not None
        return Decision(keep=keep, stays=keep or stays_anyway, reason=Reason.UNREADABLE)
    held = rules.holdout.percent > 0.0 and rules.holdout.holds(endpoint)
    rounded = None if score is None or share < rules.min_present else round(score, rules.decimals)
    band = None if rounded is None or not rules.bands else rules.band_for(rounded)
    if held:
        return Decision(
            keep=False,
            stays=stays_anyway,
            reason=Reason.HOLDOUT,
            score=rounded,
            band=band,
            holdout=True,
        )
    if not batch_scored:
        keep = rules.on_error != "drop"
        return Decision(keep=keep, stays=keep or stays_anyway, reason=Reason.NO_SCORES)
    if rounded is None:
        keep = rules.sparse == "keep"
        return Decision(keep=keep, stays=keep or stays_anyway, reason=Reason.SPARSE)
    keep = rounded >= rules.threshold if rules.keep == "at_least" else rounded < rules.threshold
    return Decision(
        keep=keep, stays=keep or stays_anyway, reason=Reason.SCORE, score=rounded, band=band
    )


def copy_external(decision: Decision, endpoint: Endpoint, rules: Rules) -> Decision:
    """A decision with the attributes that `[external]` copies from the endpoint's profile, as lists of texts.

    What the profile has not, or has only as null or empty text, is not written; what can be no text is left out and counted.
    """
    if endpoint.problem is not None:
        return decision  # it has not been enriched: what it calls External is the sender's
    profile = (endpoint.document or {}).get("External") or {}
    written: dict[str, list[str]] = {}
    dropped = 0
    for name, field in rules.external.items():
        value = profile.get(field)
        values = value if isinstance(value, list) else [value]
        readable = [
            text for item in values if not isinstance(item, list) for text in read_texts(item)
        ]
        texts = [text for text in readable if is_encodable(text)]
        dropped += sum(item is not None and item != "" for item in values) - len(texts)
        if texts:
            written[name] = texts
    return msgspec.structs.replace(decision, external=written, external_dropped=dropped)


def threshold_for_reach(reach: float, quantiles: Sequence[float], keep: str) -> float:
    """The score at which `reach` (0 to 1) of the people the model was evaluated on would stay, read off its quantiles linearly."""
    share = 1.0 - reach if keep == "at_least" else reach
    position = share * (len(quantiles) - 1)
    for index, (low, high) in enumerate(pairwise(quantiles)):
        if position <= index + 1:
            return low + (position - index) * (high - low)
    return quantiles[-1]


def attributes_for(decision: Decision, rules: Rules) -> dict[str, list[str]]:
    """The attributes the policy writes on an endpoint that stays: name -> list of one text, as Pinpoint's API has them."""
    if rules.mode == "shadow" or decision.reason == Reason.UNREADABLE:
        return {}
    written: dict[str, list[str]] = {**decision.external}
    if decision.score is not None and rules.score_attribute:
        written[rules.score_attribute] = [format_score(decision.score, rules.decimals)]
    if decision.band is not None and rules.band_attribute:
        written[rules.band_attribute] = [decision.band.name]
    if rules.holdout.attribute and rules.holdout.percent > 0:
        written[rules.holdout.attribute] = ["true" if decision.holdout else "false"]
    return written


def format_score(score: float, decimals: int) -> str:
    """A rounded score as text with the policy's number of decimals, the same in attributes, files and sentences."""
    return f"{score:.{decimals}f}"


def count_outcomes(decisions: Sequence[Decision]) -> dict[str, Any]:
    """How a batch ended: received = kept + filtered, each reason, and drops that the mode did not act on."""
    reasons = [decision.reason for decision in decisions]
    kept = sum(decision.stays for decision in decisions)
    return {
        "received": len(decisions),
        "kept": kept,
        "filtered": len(decisions) - kept,
        "held_out": reasons.count(Reason.HOLDOUT),
        "unreadable": reasons.count(Reason.UNREADABLE),
        "unscored": reasons.count(Reason.NO_SCORES),
        "sparse": reasons.count(Reason.SPARSE),
        "would_filter": sum(decision.stays and not decision.keep for decision in decisions),
    }
