"""The line of rooms: hosts (parse) -> external -> features -> scorers -> policy -> hosts (reply).

Each event goes through each room once. The only two `try`s are here, around the look-up and around
scoring: a bad endpoint is a value, not an exception. Keeps nothing between events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from function.budget import measure_budget
from function.correlation import NO_CORRELATION, Correlation
from function.errors import EventError, EventTimeMissing, ExternalError, ScorerError
from function.exclusion import NOBODY_EXCLUDED, Excluded, exclude_people, find_rest
from function.external.lookup import (
    ExternalSource,
    LookupResult,
    describe_lookup,
    do_without_external,
    look_up_external,
)
from function.hosts import EXPECTED_EVENT, Host, find_host
from function.hosts.reading import check_documents
from function.policy import Policy, Rules, decide
from function.records import (
    Account,
    Batch,
    Decision,
    Endpoint,
    Observer,
    Reason,
    Scored,
    Scorer,
)
from function.scorers.fallback import score_in_order
from function.telemetry import Telemetry
from model.features import FeatureSpec, Matrix, build_matrix, share_present
from model.paths import ReadPath, compile_paths

EVENTS = (dict, Mapping)  # the first spares a look into the registry of the second


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """The rooms, put together by `bootstrap`.

    scorers   in the order in which they are asked
    mixed     whether those after the first give scores of another kind, for which the bundle has
              no drift reference, and which only a policy lets decide
    label     the bundle's `name@version`, for logs and for replies without scores
    reserve   seconds held back from every budget for the fallback and the reply
    external  where endpoints are enriched from; None if no external attribute is used
    clock     seconds that never go backwards
    """

    hosts: Sequence[Host]
    spec: FeatureSpec
    scorers: Sequence[Scorer]
    mixed: bool = False
    policy: Policy
    telemetry: Telemetry
    label: str
    reserve: float
    observer: Observer | None = None
    external: ExternalSource | None = None
    clock: Callable[[], float] = time.monotonic

    def answer(
        self,
        event: object,
        remaining: Callable[[], float],
        cold: float | None = None,
        correlation: Correlation = NO_CORRELATION,
    ) -> dict[str, Any]:
        """Answer one event.

        remaining  seconds until Lambda ends this invocation
        cold       seconds of a cold start that the host has already waited; None after the first
                   event
        correlation  the ids of the invocation, for logs and for a scoring service
        Raises EventError for anything but a hook event, and the errors that the policy's
        `on_error = "raise"` asks for.
        """
        if not isinstance(event, EVENTS) or (host := find_host(event, self.hosts)) is None:
            raise EventError(EXPECTED_EVENT)
        left, arrived = remaining(), self.clock()
        batch = host.parse_event(event)
        deadline = arrived + measure_budget(host, batch, left, cold or 0.0, self.reserve)
        rules = self.policy.rules_for(batch.context)
        if batch.refusal is not None:
            return self._refuse(host, batch, rules, left, cold=cold, correlation=correlation)
        batch = check_documents(batch, lambda: self._list_paths(host, rules), host.name_document)
        asked = self.clock()
        looked_up = self._enrich(batch, deadline - asked, rules, correlation)
        looking_up = self.clock() - asked
        readable = [
            endpoint.document
            for endpoint in looked_up.endpoints
            if endpoint.document is not None and endpoint.problem is None
        ]
        matrix = build_matrix(readable, self.spec, batch.context.reference)
        shares = share_present(matrix, self.spec)
        scorable = [share >= rules.min_present for share in shares]
        excluded = NOBODY_EXCLUDED
        if rules.excludes:
            excluded = exclude_people(
                looked_up.endpoints,
                rules.excludes,
                batch.context.reference,
                looked_up=looked_up.error is None,
            )
            rest = find_rest(looked_up.endpoints, excluded)
            scorable = [each and free for each, free in zip(scorable, rest, strict=True)]
        needs_time = self.spec.needs_time or any(rule.needs_time for rule in rules.excludes)
        time_missing = needs_time and batch.context.reference is None
        started = self.clock()
        lacking = self._find_lacking(looked_up.error, time_missing, rules)
        rows = matrix if all(scorable) else matrix[scorable]
        scored, error = self._score(rows, deadline - started, rules, lacking, correlation)
        scoring = self.clock() - started
        scores: list[float] | None = scored.scores.tolist() if scored else None
        decisions = self._decide(
            looked_up.endpoints, scores, shares, scorable, rules, excluded=excluded
        )
        reply = host.build_reply(batch, decisions, rules, scored.label if scored else self.label)
        drawn = self.telemetry.draw_bins()
        feature_bins, score_bins = None, None
        if drawn or self.observer is not None:
            known = None if self.mixed else scores
            feature_bins, score_bins = self.telemetry.count_bins(matrix, known)
        account = Account(
            batch=batch,
            reply=reply,
            mode=rules.mode,
            min_present=rules.min_present,
            reach=rules.reach,
            label=self.label,
            scored=scored,
            matrix=matrix,
            present=shares,
            feature_bins=feature_bins,
            score_bins=score_bins,
            bins_drawn=drawn,
            error=error,
            time_missing=time_missing,
            exclude_seen=excluded.seen,
            excluded_by=count_excluded(decisions, rules) if rules.excludes else {},
            external=describe_lookup(
                looked_up, looking_up, sum(decision.external_dropped for decision in decisions)
            )
            if self.external
            else {},
            external_error=looked_up.error,
            scoring=scoring,
            remaining=remaining(),
            cold=cold,
            correlation=correlation,
        )
        return self._conclude(account)

    def _conclude(self, account: Account) -> dict[str, Any]:
        if self.observer is not None:
            self.observer(account)
        self.telemetry.record(account)
        return account.reply.body

    def _refuse(
        self,
        host: Host,
        batch: Batch,
        rules: Rules,
        remaining: float,
        *,
        cold: float | None,
        correlation: Correlation,
    ) -> dict[str, Any]:
        """Answer a request that the host refuses: nothing is looked up, scored or decided."""
        account = Account(
            batch=batch,
            reply=host.build_reply(batch, (), rules, self.label),
            mode=rules.mode,
            label=self.label,
            scored=None,
            matrix=build_matrix([], self.spec, None),
            present=(),
            feature_bins=None,
            scoring=0.0,
            remaining=remaining,
            cold=cold,
            correlation=correlation,
        )
        return self._conclude(account)

    def _list_paths(self, host: Host, rules: Rules) -> Sequence[ReadPath]:
        """The paths of a document that the model, the look-up and the reply need.

        The holdout's UserId is none of them: without a usable one the endpoint's id is drawn.
        """
        key = (".".join(self.external.key),) if self.external and self.external.key else ()
        written = ("Attributes",) if host.annotates and rules.writes_attributes else ()
        excluding = (rule.path for rule in rules.excludes)
        return compile_paths((*self.spec.paths, *key, *written, *excluding))

    def _enrich(
        self, batch: Batch, timeout: float, rules: Rules, correlation: Correlation
    ) -> LookupResult:
        if self.external is None:
            return LookupResult(endpoints=batch.endpoints)
        try:
            return look_up_external(batch.endpoints, self.external, timeout)
        except ExternalError as error:
            if self._needs_external(rules) and rules.on_error == "raise" and rules.mode != "shadow":
                self.telemetry.report_error(error, correlation)
                raise
            return do_without_external(batch.endpoints, error)

    def _needs_external(self, rules: Rules) -> bool:
        return (
            self.external is not None
            and (self.external.scored or any(rule.is_external for rule in rules.excludes))
            and rules.on_missing_external == "on_error"
        )

    def _find_lacking(
        self, lookup_error: ExternalError | None, time_missing: bool, rules: Rules
    ) -> ScorerError | ExternalError | None:
        """What the batch lacks, if the policy does not let it be scored without."""
        if lookup_error is not None and self._needs_external(rules):
            return lookup_error
        if time_missing and rules.on_missing_time == "no_scores":
            return EventTimeMissing(
                "expected a time in the event, since the model or an exclude rule reads ages, "
                "found none"
            )
        return None

    def _score(
        self,
        matrix: Matrix,
        timeout: float,
        rules: Rules,
        lacking: ScorerError | ExternalError | None,
        correlation: Correlation,
    ) -> tuple[Scored | None, ScorerError | ExternalError | None]:
        if lacking is not None:
            if rules.on_error == "raise" and rules.mode != "shadow":
                self.telemetry.report_error(lacking, correlation)
                raise lacking
            return None, lacking
        if not len(matrix):
            return Scored(scores=np.empty(0), label=self.label), None
        alike = self.mixed and rules.on_other_kind == "on_error"
        scorers = self.scorers[:1] if alike else self.scorers
        try:
            scored = score_in_order(scorers, matrix, timeout, self.clock, correlation)
        except ScorerError as error:
            if rules.on_error == "raise" and rules.mode != "shadow":
                self.telemetry.report_error(error, correlation)
                raise
            return None, error
        return scored, None

    def _decide(
        self,
        endpoints: Sequence[Endpoint],
        scores: Sequence[float] | None,
        present: Sequence[float],
        scorable: Sequence[bool],
        rules: Rules,
        *,
        excluded: Excluded,
    ) -> list[Decision]:
        """Assign the scored rows to the endpoints of the batch, and let the policy decide."""
        if len(present) == len(endpoints) and all(scorable):  # nobody is unreadable or excluded
            return decide(endpoints, scores, present, rules, excluded.rules)
        each, shares, masks = iter(scores or ()), iter(present), iter(scorable)
        full_scores: list[float | None] = []
        full_shares: list[float] = []
        for endpoint in endpoints:
            readable = endpoint.problem is None
            full_shares.append(next(shares) if readable else 0.0)
            has_score = scores is not None and readable and next(masks)
            full_scores.append(next(each) if has_score else None)
        scores_or_none = None if scores is None else full_scores
        return decide(endpoints, scores_or_none, full_shares, rules, excluded.rules)


def count_excluded(decisions: Sequence[Decision], rules: Rules) -> dict[str, int]:
    """Count the decisions by the `[[exclude]]` rule that is their reason; 0 for the other rules."""
    counts = dict.fromkeys((rule.reason for rule in rules.excludes), 0)
    for decision in decisions:
        if decision.reason is Reason.EXCLUDED:
            counts[decision.excluded_by] += 1
    return counts
