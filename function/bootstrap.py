"""The composition root: reads the environment once, loads bundle and policy, and makes the handler.

Imports only the chosen scorer and store. Does nothing at import. Raises SettingsError or
BundleError if the function cannot serve.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from msgspec.structs import replace

from function.correlation import read_correlation
from function.errors import SettingsError
from function.external.lookup import GROUP, ExternalSource
from function.hosts import HOSTS, Host
from function.hosts.connect import ConnectHost
from function.hosts.web import WebHost
from function.hosts.web_request import make_access
from function.pipeline import Pipeline
from function.policy import Policy
from function.policy_file import load_policy
from function.records import ExternalStore, Observer, Scorer, Scores
from function.scorers.fallback import score_in_order
from function.setting_values import BUNDLED
from function.settings import (
    ExternalSettings,
    RemoteSettings,
    Settings,
    read_settings,
)
from function.telemetry import LOCAL, Telemetry
from model.bundle import Bundle, load_bundle
from model.features import Matrix
from model.score_kind import RESPONSE, ScoreKind

# Lambda's init phase ends after 10 s. Lambda repeats a longer one inside the first invocation.
LONGEST_INIT = 10.0


class Handler:
    """What Lambda calls: `handler(event, context) -> reply`. Built by `build_handler`."""

    def __init__(
        self,
        *,
        settings: Settings,
        bundle: Bundle,
        policy: Policy,
        pipeline: Pipeline,
        cold_start: float,
        score: ScoreKind = RESPONSE,
    ) -> None:
        """`cold_start`: seconds that the host of the first event has already waited.

        score  what the scores mean that the policy decides by
        """
        self.settings = settings
        self.bundle = bundle
        self.policy = policy
        self.score = score
        self._pipeline = pipeline
        self._cold_start: float | None = cold_start

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one hook event. See `Pipeline.answer` for what it raises."""
        cold, self._cold_start = self._cold_start, None
        return self._pipeline.answer(
            event, watch_remaining(context), cold, read_correlation(context)
        )

    def score_rows(self, matrix: Matrix, timeout: float) -> Scores:
        """Score float32 [n, f] outside any event, to explain a score. Raises ScorerError."""
        return score_in_order(self._pipeline.scorers, matrix, timeout).scores


def build_handler(
    environ: Mapping[str, str],
    *,
    scorer: Scorer | None = None,
    external: ExternalStore | None = None,
    observer: Observer | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Handler:
    """Build the handler: read the settings, load bundle and policy, import the chosen scorer.

    environ   `SCORER_*` settings and Lambda's own variables
    scorer    asked instead of the configured ones (tests)
    external  asked instead of the configured store (tests)
    observer  called with the account of each batch (the runner)
    stream    where log lines and metrics go; default stdout, which CloudWatch reads
    clock     seconds that never go backwards (tests)
    Raises SettingsError or BundleError.
    """
    settings = read_settings(environ)
    bundle = load_bundle(settings.bundle)
    score = choose_score_kind(settings, bundle)
    policy = load_policy_for(settings.policy, bundle, score)
    telemetry = Telemetry(
        bundle=bundle,
        stream=stream or sys.stdout,
        level=settings.log_level,
        bins_share=settings.bins_share,
        function_name=environ.get("AWS_LAMBDA_FUNCTION_NAME") or LOCAL,
        function_version=environ.get("AWS_LAMBDA_FUNCTION_VERSION") or LOCAL,
    )
    pipeline = Pipeline(
        hosts=choose_hosts(settings),
        spec=bundle.spec,
        scorers=choose_scorers(settings, bundle) if scorer is None else (scorer,),
        mixed=score.kind != bundle.score.kind,
        policy=policy,
        telemetry=telemetry,
        label=bundle.label,
        reserve=settings.reserve,
        observer=observer,
        external=choose_external(settings.external, bundle, policy, external),
        clock=clock,
    )
    warnings = [*policy.warnings, *warn_of_kinds(settings, bundle, score)]
    if settings.external.store and pipeline.external is None:
        warnings.append(
            "SCORER_EXTERNAL is set, but neither the model nor the policy reads External attributes"
        )
    telemetry.introduce(warnings)
    return Handler(
        settings=settings,
        bundle=bundle,
        policy=policy,
        pipeline=pipeline,
        cold_start=measure_cold_start(environ),
        score=score,
    )


def choose_hosts(settings: Settings) -> Sequence[Host]:
    """The hosts that are answered, as the settings want them."""
    web, connect = WebHost(make_access(settings.web.secrets)), ConnectHost(settings.naming)
    configured: Mapping[str, Host] = {web.name: web, connect.name: connect}
    return tuple(configured.get(host.name, host) for host in HOSTS.values())


def choose_score_kind(settings: Settings, bundle: Bundle) -> ScoreKind:
    """What the scores mean that the policy decides by: the target's, which is asked first."""
    stated = settings.remote.dialect.score if settings.remote is not None else None
    return bundle.score if stated is None or stated.kind == bundle.score.kind else stated


def load_policy_for(path: Path, bundle: Bundle, score: ScoreKind) -> Policy:
    """Read the policy. The bundle recommends nothing for scores of another kind than its own."""
    if score.kind != bundle.score.kind:
        return load_policy(path, threshold=None, quantiles=(), score=score)
    return load_policy(path, threshold=bundle.threshold, quantiles=bundle.quantiles, score=score)


def warn_of_kinds(settings: Settings, bundle: Bundle, score: ScoreKind) -> list[str]:
    """A sentence if the fallback's scores are of another kind than the target's."""
    if score.kind == bundle.score.kind or settings.fallback != BUNDLED:
        return []
    sentence = (
        f"the service gives {score.kind} scores and the bundle {bundle.score.kind} scores: the "
        "bundled model stands in only where the policy says on_other_kind = score"
    )
    return [sentence]


def choose_scorers(settings: Settings, bundle: Bundle) -> Sequence[Scorer]:
    """The scorers in the order in which they are asked. Each is imported only if chosen."""
    scorers: list[Scorer] = []
    if settings.remote is not None:
        score = choose_score_kind(settings, bundle)
        scorers.append(make_remote_scorer(settings.remote, bundle, score))
    if settings.remote is None or settings.fallback == BUNDLED:
        from function.scorers.bundled import BundledScorer  # noqa: PLC0415  # loads ONNX Runtime

        scorers.append(BundledScorer(bundle))
    return scorers


def make_remote_scorer(settings: RemoteSettings, bundle: Bundle, score: ScoreKind) -> Scorer:
    """The remote scorer, which connects at its first call. The default model is the bundle's."""
    from function.scorers.remote import RemoteScorer  # noqa: PLC0415  # loads gRPC

    dialect = replace(
        settings.dialect,
        model=settings.dialect.model or bundle.name,
        score=score,
    )
    return RemoteScorer(replace(settings, dialect=dialect))


def choose_external(
    settings: ExternalSettings, bundle: Bundle, policy: Policy, given: ExternalStore | None = None
) -> ExternalSource | None:
    """Where external attributes come from; None if neither the model nor the policy reads any.

    Raises SettingsError if one reads them and no store is set: every such feature would be missing.
    """
    scored = [
        path.removeprefix(f"{GROUP}.")
        for feature in bundle.spec.features
        for path in feature.paths
        if path.startswith(f"{GROUP}.")
    ]
    wanted = list(dict.fromkeys((*scored, *policy.external)))
    if not wanted:
        return None
    return ExternalSource(
        store=given or open_store(settings, wanted),
        key=settings.key,
        patience=settings.timeout,
        scored=bool(scored),
    )


def open_store(settings: ExternalSettings, wanted: Sequence[str]) -> ExternalStore:
    """The store that `SCORER_EXTERNAL` names, for the attributes `wanted`."""
    kind, _, location = settings.store.partition(":")
    if kind == "sqlite":
        from function.external.sqlite import SqliteStore  # noqa: PLC0415  # loads sqlite3

        return SqliteStore(Path(location))
    if kind == "dynamodb":
        try:
            from function.external.dynamodb import DynamoStore  # noqa: PLC0415  # loads boto3
        except ModuleNotFoundError as error:
            raise SettingsError(
                "SCORER_EXTERNAL: dynamodb needs boto3 (the extra `aws`), which is not installed"
            ) from error
        return DynamoStore(location, settings.partition_key, wanted, settings.timeout)
    raise SettingsError(
        "SCORER_EXTERNAL: expected a store, sqlite:PATH or dynamodb:TABLE, found none; the model "
        "or the policy reads External attributes"
    )


def watch_remaining(context: Any) -> Callable[[], float]:
    """A clock of the seconds left to this invocation; infinite without Lambda's context."""
    ask = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: float("inf")) if ask is None else (lambda: ask() / 1000.0)


def measure_cold_start(environ: Mapping[str, str]) -> float:
    """Seconds since this process started, at most 10, if a host is waiting for them; else 0.

    A host waits only in Lambda, and only if the environment was not initialised ahead of time
    (provisioned concurrency, SnapStart).
    """
    on_demand = environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
    if "AWS_LAMBDA_RUNTIME_API" not in environ or not on_demand:
        return 0.0
    try:
        # proc(5): field 22 is the process's start, in ticks since boot. Field 2, in parentheses,
        # may hold spaces.
        fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return min(max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started), LONGEST_INIT)
    except (OSError, ValueError, IndexError):
        return LONGEST_INIT  # the host may have waited as long as an init can take
