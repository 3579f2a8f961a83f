"""Turns scores into decisions, one per endpoint, with the reason. Only here a threshold is known.

Takes rules that `policy_file` has read and checked. Never sees an event, and never raises because
of what a document holds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from function.exclusion import GROUP, Exclude
from function.holdout import Holdout
from function.overrides import Ids, find_override
from function.records import Band, Context, Decision, Endpoint, Reason
from model.document import is_encodable
from model.values import read_texts

BY_SCORE = Reason.SCORE  # looking a member up in the class takes as long as deciding
# The count of each other reason
OTHER_REASONS: Mapping[str, Reason] = {
    "held_out": Reason.HOLDOUT,
    "excluded": Reason.EXCLUDED,
    "unreadable": Reason.UNREADABLE,
    "unscored": Reason.NO_SCORES,
    "sparse": Reason.SPARSE,
}
# `keep` -> whether a score and the threshold select a person
SELECTS: Mapping[str, Callable[[float, float], bool]] = {
    "at_least": operator.ge,
    "below": operator.lt,
}


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One complete set of rules, for all campaigns or for those that an override matches.

    docs/policy.md explains each rule. `reach` is the share of people that `threshold` was chosen to
    keep, None if the policy names a threshold. `bands` are sorted, the highest first; `external`
    maps the attribute to write to the external attribute that it copies.
    """

    mode: Literal["filter", "annotate", "shadow"] = "filter"
    threshold: float
    reach: float | None = None
    keep: Literal["at_least", "below"] = "at_least"
    decimals: int = 4
    on_error: Literal["keep", "drop", "raise"] = "keep"
    on_missing_external: Literal["on_error", "score"] = "on_error"
    on_other_kind: Literal["on_error", "score"] = "on_error"
    on_missing_time: Literal["score", "no_scores"] = "score"
    unreadable: Literal["keep", "drop"] = "keep"
    min_present: float = 0.0
    sparse: Literal["keep", "drop"] = "keep"
    score_attribute: str = "Score"
    band_attribute: str = ""
    metric: str = "Score"
    holdout: Holdout = Holdout()
    bands: tuple[Band, ...] = ()
    excludes: tuple[Exclude, ...] = ()
    external: Mapping[str, str] = {}

    @property
    def writes_attributes(self) -> bool:
        """Whether these rules write attributes, where a host has a place for them.

        The holdout's does not count: who is unreadable must not depend on the holdout.
        """
        names = (self.score_attribute, self.band_attribute, *self.external)
        return self.mode != "shadow" and any(names)

    def band_for(self, score: float) -> Band | None:
        """The highest band that the rounded score reaches, or None."""
        # A generator would cost more than the rest of the decision.
        for band in self.bands:
            if score >= band.at_least:
                return band
        return None


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for events that carry all of `ids`."""

    ids: Mapping[str, str]
    rules: Rules


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Rules, and overrides, the most specific first. `warnings` are for the deployer.

    digest  SHA-256 of the file, by which the runner compares policies; "" without a file
    by_ids  the same overrides, by their ids
    """

    rules: Rules
    overrides: tuple[Override, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: str = ""
    by_ids: Mapping[Ids, Override] = {}

    @property
    def external(self) -> list[str]:
        """Every external attribute that some rules copy or exclude people by."""
        every = [self.rules, *(override.rules for override in self.overrides)]
        copied = [name for rules in every for name in rules.external.values()]
        excluding = [rule for rules in every for rule in rules.excludes if rule.is_external]
        return [*copied, *(rule.path.removeprefix(f"{GROUP}.") for rule in excluding)]

    def rules_for(self, context: Context) -> Rules:
        """The rules for an event."""
        override = self.override_for(context) if self.by_ids else None
        return self.rules if override is None else override.rules

    def override_for(self, context: Context) -> Override | None:
        """The most specific override that matches an event; None if none does."""
        event = (context.application_id, context.campaign_id, context.treatment_id)
        return find_override(self.by_ids, event)


def decide(
    endpoints: Sequence[Endpoint],
    scores: Sequence[float | None] | None,
    present: Sequence[float],
    rules: Rules,
    excluded: Sequence[str] = (),
) -> list[Decision]:
    """Decide for each endpoint, in order.

    scores   per endpoint a score, None if it was not scored; or None if the batch has
             no scores
    present  per endpoint the share of features present, 0 to 1; any number if it is unreadable
    excluded  per endpoint the `[[exclude]]` rule that applies, "" if none does; () without rules
    """
    batch_scored = scores is not None
    each = [None] * len(endpoints) if scores is None else scores
    # Looked up once: this loop is what most batches take.
    least, decimals, threshold, bands = (
        rules.min_present,
        rules.decimals,
        rules.threshold,
        rules.bands,
    )
    selects, is_filter, draws = SELECTS[rules.keep], rules.mode == "filter", rules.holdout.draws
    decisions = []
    for endpoint, score, share in zip(endpoints, each, present, strict=True):
        rounded = None if score is None or share < least else round(score, decimals)
        if rounded is None or endpoint.problem is not None:
            selected, reason = select_unscored(endpoint, rules, batch_scored=batch_scored)
        else:
            selected, reason = selects(rounded, threshold), BY_SCORE
        held = draws and rules.holdout.holds(endpoint)
        decisions.append(
            Decision(
                selected=selected,
                holdout=held,
                # What is no JSON object cannot be sent back, whatever the mode.
                sent=endpoint.document is not None and (not is_filter or (selected and not held)),
                reason=Reason.HOLDOUT if held else reason,
                score=rounded,
                band=rules.band_for(rounded) if bands and rounded is not None else None,
            )
        )
    for index, rule in enumerate(excluded):
        if rule:
            decisions[index] = exclude_one(endpoints[index], rule, rules)
    if not rules.external:
        return decisions
    return [
        copy_external(decision, endpoint, rules)
        for decision, endpoint in zip(decisions, endpoints, strict=True)
    ]


def exclude_one(endpoint: Endpoint, rule: str, rules: Rules) -> Decision:
    """The decision on an endpoint that an `[[exclude]]` rule applies to. It has no score."""
    held = rules.holdout.draws and rules.holdout.holds(endpoint)
    return Decision(
        selected=False,
        holdout=held,
        sent=endpoint.document is not None and rules.mode != "filter",
        reason=Reason.HOLDOUT if held else Reason.EXCLUDED,
        excluded_by=rule,
    )


def select_unscored(endpoint: Endpoint, rules: Rules, *, batch_scored: bool) -> tuple[bool, Reason]:
    """Whether the rules would message an endpoint that has no score to go by, and by which rule.

    The holdout plays no part.
    """
    if endpoint.problem is not None:
        return rules.unreadable == "keep" and endpoint.document is not None, Reason.UNREADABLE
    if not batch_scored:
        return rules.on_error != "drop", Reason.NO_SCORES
    return rules.sparse == "keep", Reason.SPARSE


def leave_out(decision: Decision) -> Decision:
    """The decision on an endpoint that a limit of the reply's size leaves out.

    `selected` stays what the rules say: it must not depend on who else is in the reply.
    """
    if decision.excluded_by:
        return msgspec.structs.replace(decision, sent=False)
    reason = Reason.HOLDOUT if decision.holdout else Reason.NO_SCORES
    return Decision(selected=decision.selected, holdout=decision.holdout, sent=False, reason=reason)


def copy_external(decision: Decision, endpoint: Endpoint, rules: Rules) -> Decision:
    """Add the attributes that `[external]` copies from the store, as lists of texts.

    Absent, null and empty values are not copied. Values that cannot be text are left out and
    counted. An unreadable endpoint was not enriched: an `External` in it is the sender's.
    """
    if endpoint.problem is not None:
        return decision
    attributes = (endpoint.document or {}).get("External") or {}
    written: dict[str, list[str]] = {}
    dropped = 0
    for name, field in rules.external.items():
        value = attributes.get(field)
        values = value if isinstance(value, list) else [value]
        readable = [
            text for item in values if not isinstance(item, list) for text in read_texts(item)
        ]
        texts = [text for text in readable if is_encodable(text)]
        dropped += sum(item is not None and item != "" for item in values) - len(texts)
        if texts:
            written[name] = texts
    return msgspec.structs.replace(decision, external=written, external_dropped=dropped)


def attributes_for(endpoint: Endpoint, decision: Decision, rules: Rules) -> dict[str, list[str]]:
    """The attributes to write on an endpoint: name -> list of texts, as in Pinpoint.

    An unreadable endpoint has no score and nothing of the store, but belongs to the control group
    or not. It is marked if its own `Attributes` are an object, or absent.
    """
    return attributes_beside((endpoint.document or {}).get("Attributes"), decision, rules)


def attributes_beside(own: object, decision: Decision, rules: Rules) -> dict[str, list[str]]:
    """The attributes to write beside an endpoint's own `Attributes`; see `attributes_for`."""
    if rules.mode == "shadow" or not (own is None or isinstance(own, dict)):
        return {}
    written: dict[str, list[str]] = {**decision.external}
    if decision.score is not None and rules.score_attribute:
        written[rules.score_attribute] = [format_score(decision.score, rules.decimals)]
    if decision.band is not None and rules.band_attribute:
        written[rules.band_attribute] = [decision.band.name]
    if rules.holdout.attribute and rules.holdout.draws:
        written[rules.holdout.attribute] = ["true" if decision.holdout else "false"]
    return written


def format_score(score: float, decimals: int) -> str:
    """A score with the policy's number of decimals: the same in attributes, files and sentences.

    A negative score that rounds to 0 has no sign.
    """
    return f"{score:z.{decimals}f}"


def count_outcomes(decisions: Sequence[Decision]) -> dict[str, int]:
    """Count a batch: received = kept + filtered, each reason, and drops that the mode ignores."""
    others = [decision.reason for decision in decisions if decision.reason is not BY_SCORE]
    dropped = [decision.dropped for decision in decisions if decision.sent]
    kept = len(dropped)
    return {
        "received": len(decisions),
        "kept": kept,
        "filtered": len(decisions) - kept,
        **{name: others.count(reason) for name, reason in OTHER_REASONS.items()},
        "would_filter": dropped.count(True),
    }
