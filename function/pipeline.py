"""The line of rooms: event -> hosts (parse) -> external -> features -> scorers -> policy -> hosts (reply), each gone through once.

Holds the only two `try`s of the line, around the look-up and around scoring; a bad endpoint is a value, not an exception. Keeps nothing
between events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from function.errors import EventError, ExternalError, ScorerError
from function.external.lookup import (
    ExternalSource,
    LookupResult,
    describe_lookup,
    do_without_external,
    look_up_external,
)
from function.policy import Policy, Rules, decide
from function.records import Batch, Decision, Endpoint, Observer, Scored, Scorer
from function.scorers.fallback import score_in_order
from function.telemetry import Account, Telemetry
from model.features import FeatureSpec, Matrix, build_matrix, share_present


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The rooms, put together by `bootstrap`.

    hosts    modules with NAME, LIMIT_SECONDS, is_event, parse_event and build_reply
    scorers  in the order of resort; label is the bundle's, for logs and replies when nobody scored
    reserve  seconds held back from every budget for the last resort and the reply
    external where endpoints are enriched from; None when no external attribute is used
    clock    seconds that never go backwards
    """

    hosts: Sequence[ModuleType]
    spec: FeatureSpec
    scorers: Sequence[Scorer]
    policy: Policy
    telemetry: Telemetry
    label: str
    reserve: float
    observer: Observer | None = None
    external: ExternalSource | None = None
    clock: Callable[[], float] = time.monotonic

    def answer(
        self, event: object, remaining: Callable[[], float], cold: float | None = None
    ) -> dict[str, Any]:
        """Answer one event.

        remaining  seconds until Lambda ends this invocation; cold  seconds of a cold start that the host has waited
                   already, None when this is not the first event.
        Raises EventError for what is no hook event, and what the policy's `on_error = "raise"` asks for.
        """
        host = self._recognise(event)
        budget = min(remaining(), host.LIMIT_SECONDS - (cold or 0.0)) - self.reserve
        deadline = self.clock() + budget
        batch: Batch = host.parse_event(event)
        rules = self.policy.rules_for(batch.context)
        asked = self.clock()
        look_up = self._enrich(batch, deadline - asked, rules)
        looking_up = self.clock() - asked
        matrix = build_matrix(
            [e.document for e in look_up.endpoints if e.document is not None and e.problem is None],
            self.spec,
            batch.context.reference,
        )
        present = share_present(matrix, self.spec)
        scorable = present >= rules.min_present
        started = self.clock()
        scored, error = self._score(matrix[scorable], deadline - started, rules, look_up.error)
        scoring = self.clock() - started
        decisions = self._decide(look_up.endpoints, scored, present, scorable, rules)
        reply = host.build_reply(batch, decisions, rules, scored.label if scored else self.label)
        if self.observer is not None:
            self.observer(batch, reply.decisions)
        self.telemetry.record(
            Account(
                batch=batch,
                reply=reply,
                mode=rules.mode,
                scored=scored,
                error=error,
                matrix=matrix,
                missing=1.0 - float(present.mean()) if len(present) else 0.0,
                scoring=scoring,
                remaining=remaining(),
                cold=cold,
                label=self.label,
                external=describe_lookup(
                    look_up, looking_up, sum(d.external_dropped for d in decisions)
                )
                if self.external
                else {},
                external_error=look_up.error,
            )
        )
        body: dict[str, Any] = reply.body
        return body

    def _recognise(self, event: object) -> ModuleType:
        if isinstance(event, Mapping):
            for host in self.hosts:
                if host.is_event(event):
                    return host
        raise EventError(
            "expected a campaign hook event: an object with $.Endpoints, an object (Amazon Pinpoint), "
            "or $.Items.CustomerProfiles, a list (Amazon Connect)"
        )

    def _enrich(self, batch: Batch, timeout: float, rules: Rules) -> LookupResult:
        if self.external is None:
            return LookupResult(endpoints=batch.endpoints)
        try:
            return look_up_external(batch.endpoints, self.external, timeout)
        except ExternalError as error:
            if self._needs_external(rules) and rules.on_error == "raise" and rules.mode != "shadow":
                raise
            return do_without_external(batch.endpoints, error)

    def _needs_external(self, rules: Rules) -> bool:
        return (
            self.external is not None
            and self.external.scored
            and rules.on_missing_external == "on_error"
        )

    def _score(
        self, matrix: Matrix, timeout: float, rules: Rules, lacking: ExternalError | None
    ) -> tuple[Scored | None, ScorerError | ExternalError | None]:
        if lacking is not None and self._needs_external(rules):
            return None, lacking
        if not len(matrix):
            return Scored(scores=np.empty(0), label=self.label), None
        try:
            return score_in_order(self.scorers, matrix, timeout, self.clock), None
        except ScorerError as error:
            if rules.on_error == "raise" and rules.mode != "shadow":
                raise
            return None, error

    def _decide(
        self,
        endpoints: Sequence[Endpoint],
        scored: Scored | None,
        present: Any,
        scorable: Any,
        rules: Rules,
    ) -> list[Decision]:
        """Lay the rows that were scored over the endpoints of the batch, row for row, and let the policy decide."""
        shares, masks = iter(present.tolist()), iter(scorable.tolist())
        scores = iter(scored.scores.tolist() if scored else ())
        full_scores: list[float | None] = []
        full_shares: list[float] = []
        for endpoint in endpoints:
            readable = endpoint.problem is None
            full_shares.append(next(shares) if readable else 0.0)
            full_scores.append(next(scores) if scored and readable and next(masks) else None)
        return decide(endpoints, full_scores if scored else None, full_shares, rules)
