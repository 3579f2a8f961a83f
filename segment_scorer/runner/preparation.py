"""What a request comes to before anything is begun: the config that hold for the whole run, and what tells it from another run.

Takes a Request; reads the policy and the model that will decide; gives values. Guesses nothing: what a hook does not show is None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from function.policy import Rules
from function.policy_file import load_policy
from function.records import Context
from function.settings import PREFIX, read_settings
from model.bundle import load_bundle
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.writing.formats import FORMATS


def make_config(request: RunOptions) -> tuple[RunConfig, dict[str, str]]:
    """What holds for the whole run, fixed once; and the settings for a local hook. Raises SettingsError, BundleError, OptionError."""
    scheduled = format_time(request.scheduled_time)
    config = RunConfig(
        host=request.host,
        scheduled_time=scheduled,
        application_id=request.application_id,
        campaign_id=request.campaign_id,
        treatment_id=request.treatment_id,
        activity_id=f"run-{scheduled}",
        include_opted_out=request.include_opted_out,
        knows_decisions=request.host == "connect",
        writes=not request.rehearse,
        tables=any(FORMATS[name][1] for name in request.also),
    )
    if request.host == "connect":  # which has neither
        context = Context(campaign_id=request.campaign_id)
    else:
        context = Context(
            application_id=request.application_id,
            campaign_id=request.campaign_id,
            treatment_id=request.treatment_id,
        )
    if request.hook != "local":
        if request.bundle:
            raise OptionError(
                "--bundle: expected only with --hook local; a function behind an address has its own"
            )
        rules = (
            load_policy(request.policy, threshold=0.5, quantiles=(0.0, 1.0)).rules_for(context)
            if request.policy
            else Rules(threshold=0.5)
        )
        return replace(
            config,
            metric=rules.metric,
            score_attribute=rules.score_attribute,
            decimals=rules.decimals,
        ), {}
    settings = {name: value for name, value in request.environ.items() if name.startswith(PREFIX)}
    settings |= {
        name: str(path)
        for name, path in (("SCORER_POLICY", request.policy), ("SCORER_BUNDLE", request.bundle))
        if path
    }
    read = read_settings(settings)
    bundle = load_bundle(read.bundle)
    rules = load_policy(
        read.policy, threshold=bundle.threshold, quantiles=bundle.quantiles
    ).rules_for(context)
    return replace(
        config,
        knows_decisions=True,
        knows_drops=True,
        has_log=True,
        metric=rules.metric,
        score_attribute=rules.score_attribute,
        decimals=rules.decimals,
        model=bundle.label,
        mode=rules.mode,
        threshold=rules.threshold,
        keep=rules.keep,
        on_error=rules.on_error,
    ), settings


def find_reference(settings: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the model of a local hook learnt from, its manifest's `drift`; None where it has none."""
    reference = load_bundle(read_settings(settings).bundle).manifest.get("drift")
    return reference if isinstance(reference, dict) else None


def describe_options(
    request: RunOptions, config: RunConfig, settings: dict[str, str]
) -> dict[str, str]:
    """What decides the outputs, as text by the option that sets it. The time is not in it: a run that goes on keeps its own."""
    policy = read_settings(settings).policy if request.hook == "local" else request.policy
    asked = {
        "--host": request.host,
        "--hook": request.hook,
        "--application-id": request.application_id,
        "--campaign-id": request.campaign_id,
        "--treatment-id": request.treatment_id,
        "--include-opted-out": str(request.include_opted_out),
        "--also": " ".join(request.also),
        "--bundle": config.model or "",
        "--policy": digest(policy),
        "slices": str(request.slices),
    }
    if request.scheduled_time:
        asked["--scheduled-time"] = config.scheduled_time
    hidden = {
        name: value
        for name, value in settings.items()
        if name not in {"SCORER_POLICY", "SCORER_BUNDLE"}
    }
    return asked | {
        name: hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for name, value in hidden.items()
    }


def digest(path: Path | None) -> str:
    """What tells a policy file from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path else ""


def format_time(text: str | None) -> str:
    """A time as events carry it, ISO 8601 with milliseconds and Z; None is now. Without a zone it is UTC. Raises OptionError."""
    try:
        time_ = datetime.fromisoformat(text) if text else datetime.now(UTC)
        time_ = (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise OptionError(
            "--scheduled-time: expected a time in ISO 8601, such as 2026-01-31T19:00:00Z"
        ) from error
    return time_.isoformat(timespec="milliseconds").replace("+00:00", "Z")
