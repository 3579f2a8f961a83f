"""The composition root: reads the environment once, loads bundle and policy, imports only the chosen scorer, gives the handler.

Never acts at import. Raises SettingsError or BundleError, in one sentence, when the function cannot serve.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from function.errors import SettingsError
from function.external.lookup import GROUP, ExternalSource
from function.hosts import HOSTS
from function.pipeline import Pipeline
from function.policy import Policy
from function.policy_file import load_policy
from function.records import ExternalStore, Observer, Scorer
from function.settings import Settings, read_settings
from function.telemetry import Telemetry
from model.bundle import Bundle, load_bundle

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
    ) -> None:
        """`cold_start`: seconds that the host of the first event has already waited."""
        self.settings = settings
        self.bundle = bundle
        self.policy = policy
        self._pipeline = pipeline
        self._cold_start: float | None = cold_start

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one hook event. See `Pipeline.answer` for what it raises."""
        cold, self._cold_start = self._cold_start, None
        return self._pipeline.answer(event, watch_remaining(context), cold)


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
    policy = load_policy(settings.policy, threshold=bundle.threshold, quantiles=bundle.quantiles)
    telemetry = Telemetry(bundle=bundle, stream=stream or sys.stdout, level=settings.log_level)
    pipeline = Pipeline(
        hosts=tuple(HOSTS.values()),
        spec=bundle.spec,
        scorers=choose_scorers(settings, bundle) if scorer is None else (scorer,),
        policy=policy,
        telemetry=telemetry,
        label=bundle.label,
        reserve=settings.reserve,
        observer=observer,
        external=choose_external(settings, bundle, policy, external),
        clock=clock,
    )
    warnings = list(policy.warnings)
    if settings.external and pipeline.external is None:
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
    )


def choose_scorers(settings: Settings, bundle: Bundle) -> Sequence[Scorer]:
    """The scorers in their order of resort, each imported only when chosen."""
    scorers: list[Scorer] = []
    if settings.target != "bundled":
        scorers.append(connect_scorer(settings, bundle))
    if settings.target == "bundled" or settings.fallback == "bundled":
        from function.scorers.bundled import BundledScorer  # noqa: PLC0415  # costs what importing onnxruntime costs

        scorers.append(BundledScorer(bundle))
    return scorers


def connect_scorer(settings: Settings, bundle: Bundle) -> Scorer:
    """The remote scorer; nothing is connected yet. Where no model is named, the bundle's name is the served model's too."""
    from function.scorers.remote import RemoteScorer, RemoteSettings  # noqa: PLC0415  # costs what importing gRPC costs
    from function.scorers.tensors import Dialect  # noqa: PLC0415

    dialect = Dialect(
        model=settings.model or bundle.name,
        version=settings.model_version,
        input_name=settings.input_name,
        datatype=settings.datatype,
        encoding=settings.encoding,
        output_name=settings.output_name,
        positive_column=settings.positive_column,
    )
    return RemoteScorer(
        RemoteSettings(
            target=settings.target,
            dialect=dialect,
            tls=settings.tls,
            tls_ca=settings.tls_ca,
            tls_cert=settings.tls_cert,
            tls_key=settings.tls_key,
            authority=settings.authority,
            metadata=settings.metadata,
            call_cap=settings.call_cap,
            idle=settings.idle,
            breaker=settings.breaker,
        )
    )


def choose_external(
    settings: Settings, bundle: Bundle, policy: Policy, given: ExternalStore | None = None
) -> ExternalSource | None:
    """Where external attributes come from, the store imported only when chosen; None when neither the model nor the policy reads one.

    Raises SettingsError when one does and no store is set: without it every such feature would be missing for everybody.
    """
    scored = [feature.keys[1] for feature in bundle.spec.features if feature.keys[0] == GROUP]
    wanted = list(dict.fromkeys((*scored, *policy.external)))
    if not wanted:
        return None
    store = given or open_external(settings, wanted)
    return ExternalSource(
        store=store,
        key=settings.external_key,
        patience=settings.external_patience,
        scored=bool(scored),
    )


def open_external(settings: Settings, wanted: Sequence[str]) -> ExternalStore:
    """The store that `SCORER_EXTERNAL` names, for the attributes `wanted`."""
    kind, _, where = settings.external.partition(":")
    if kind == "sqlite":
        from function.external.sqlite import SqliteStore  # noqa: PLC0415  # only the chosen store is loaded

        return SqliteStore(Path(where))
    if kind == "dynamodb":
        try:
            from function.external.dynamodb import DynamoStore  # noqa: PLC0415  # costs what importing boto3 costs
        except ModuleNotFoundError as error:
            raise SettingsError(
                "SCORER_EXTERNAL: dynamodb needs boto3 (the extra `aws`), which is not installed"
            ) from error
        return DynamoStore(
            where, settings.external_partition_key, wanted, settings.external_patience
        )
    raise SettingsError(
        "SCORER_EXTERNAL: expected a store, sqlite:PATH or dynamodb:TABLE; the model or the policy reads External attributes"
    )


def watch_remaining(context: Any) -> Callable[[], float]:
    """A clock of the seconds left to this invocation; without Lambda's context, never-ending."""
    ask = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: float("inf")) if ask is None else (lambda: ask() / 1000.0)


def measure_cold_start(environ: Mapping[str, str]) -> float:
    """Seconds from this process's start until now, at most 10, where a host is waiting for them; else 0.

    A host waits for them only in Lambda, and not when the environment was initialised ahead of time (provisioned concurrency, SnapStart).
    """
    if (
        "AWS_LAMBDA_RUNTIME_API" not in environ
        or environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") != "on-demand"
    ):
        return 0.0
    try:
        ticks = int(
            Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()[19]
        )  # proc(5): field 22, ticks since boot
        return min(
            max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")),
            LONGEST_INIT,
        )
    except (OSError, ValueError, IndexError):
        return LONGEST_INIT  # the safe side: the host may have waited as long as an init can take
