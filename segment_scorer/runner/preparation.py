"""Prepare a run: open the hook, read model and policy once, and fix what holds for the whole run.

Input: RunOptions. Output: a Preparation. Values that the hook does not show are None.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from function.policy import Policy, Rules
from function.policy_file import load_policy
from function.records import Context
from function.settings import PREFIX, is_service_variable
from model.people.naming import name_some
from model.profile_names import SETTING
from model.score_kind import RESPONSE, WIDEST
from segment_scorer.monitoring.overrides import MOST_NAMED, NAMED, find_unmatched, find_unused
from segment_scorer.runner.asking.hooks import open_hook, open_local_hook
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS, read_campaign
from segment_scorer.runner.asking.host_rules import Hook
from segment_scorer.runner.asking.web_caller import SECRETS
from segment_scorer.runner.budget import read_budget
from segment_scorer.runner.checks import (
    check_calculated,
    check_choice,
    check_treatments,
    read_channels,
    read_profile_names,
)
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.reading.segments import SegmentFile
from segment_scorer.runner.reporting.reasons import explain_bands
from segment_scorer.runner.treatments import read_treatments
from segment_scorer.runner.writing.formats import FORMATS

WEB_PREFIX = "SCORER_WEB_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What a run needs before it starts.

    settings     of a local hook, for worker processes that build their own
    fingerprint  what decides the outputs, as text by option: a resumed run must have the same
    reference    the manifest's `drift` of a local hook's model, if it has one
    explain      says what moves the scores of each band; None without a function in this process
    """

    hook: Hook
    config: RunConfig
    settings: dict[str, str]
    fingerprint: dict[str, str]
    reference: Mapping[str, Any] | None = None
    explain: Callable[[Iterable[SegmentFile], RunConfig], list[dict[str, Any]]] | None = None


def prepare_run(options: RunOptions) -> Preparation:
    """Open the hook and fix the configuration.

    Raises SettingsError, BundleError or OptionError.
    """
    config = make_config(options)
    limit_seconds = HOST_ADAPTERS[options.host].host.limit_seconds
    context = make_context(options)
    if options.hook != "local":
        web = {SECRETS: options.environ.get(SECRETS, "")}
        policy = read_policy(options)
        check_choice(options, policy.rules_for(context) if policy else None)
        if policy is not None:
            check_treatments(context, config, policy)
            config = apply_rules(config, policy.rules_for(context))
            config = replace(config, warnings=check_ids(policy, options))
            if config.chooses:
                rules = policy.rules_for(context)
                config = replace(config, keep=rules.keep, mode=rules.mode)
                if not HOST_ADAPTERS[options.host].host.tells_decisions:
                    config = replace(config, holdout=rules.holdout)
        return Preparation(
            hook=open_hook(options.hook, web, limit_seconds),
            config=config,
            settings=web,
            fingerprint=make_fingerprint(options, config, policy.digest if policy else "", {}),
        )
    settings = collect_settings(options)
    hook = open_local_hook(settings, limit_seconds)
    bundle, policy = hook.handler.bundle, hook.handler.policy
    rules = policy.rules_for(context)
    check_choice(options, rules)
    check_treatments(context, config, policy)
    every = list_rules(rules, config, policy, context)
    config = replace(
        apply_rules(config, rules),
        knows_decisions=True,
        in_process=True,
        score=hook.handler.score,
        model=bundle.label,
        mode=rules.mode,
        threshold=one_of({each.threshold for each in every}),
        reach=one_of({each.reach for each in every}),
        excludes=tuple(
            dict.fromkeys(
                (rule.path, rule.reason, rule.condition) for each in every for rule in each.excludes
            )
        ),
        warnings=(*check_ids(policy, options), *check_calculated(bundle, rules, options)),
        keep=rules.keep,
        on_error=rules.on_error,
        holdout_percent=rules.holdout.percent,
        holdout_salt_digest=hash_text(rules.holdout.salt),
        policy_digest=policy.digest,
    )
    reference = bundle.manifest.get("drift")
    if any(each.bands != every[0].bands for each in every):
        rules = replace(rules, bands=())  # a score has another band in each treatment
    return Preparation(
        hook=hook,
        config=config,
        settings=settings,
        fingerprint=make_fingerprint(options, config, policy.digest, settings),
        reference=reference if isinstance(reference, dict) else None,
        explain=functools.partial(explain_bands, hook.handler, rules),
    )


def make_config(options: RunOptions) -> RunConfig:
    """Make the part of the configuration that follows from the options alone."""
    scheduled = format_time(options.scheduled_time)
    return RunConfig(
        host=options.host,
        scheduled_time=scheduled,
        application_id=options.application_id,
        campaign_id=options.campaign_id,
        treatment_id=options.treatment_id,
        activity_id=f"run-{scheduled}",
        include_opted_out=options.include_opted_out,
        plain_columns=options.plain_columns,
        profile_names=read_profile_names(options.environ),
        knows_decisions=HOST_ADAPTERS[options.host].host.tells_decisions,
        writes=not options.rehearse,
        budget=read_budget(options.budget) if options.budget is not None else None,
        one_per_user=options.one_per is not None,
        channel_order=read_channels(options.channel_order),
        suppress=str(options.suppress or ""),
        treatments=read_treatments(options.treatments) if options.treatments else (),
        treatment_salt=options.treatment_salt,
        tables=any(FORMATS[name].needs_columns for name in options.also),
        score=WIDEST[options.score_kind or RESPONSE.kind],
    )


def make_context(options: RunOptions) -> Context:
    """Make the context that the policy's overrides are matched with, as the host tells it.

    Raises OptionError if people shall get treatments, and the host's events name none.
    """
    context = read_campaign(HOST_ADAPTERS[options.host], make_config(options))
    if options.treatments and context.treatment_id is None:
        raise OptionError(
            f"--treatments: expected another host; the events of {options.host} carry no treatment"
        )
    return context


def check_ids(policy: Policy, options: RunOptions) -> tuple[str, ...]:
    """Say which of the ids that the user gave are named by no override of the policy."""
    defaults = {field.name: field.default for field in fields(RunOptions)}
    given = [key for key in NAMED if getattr(options, key) != defaults[key]]
    context = make_context(options)
    found = list(find_unmatched(policy, context, given))
    if options.treatments:
        names = {name for name, _ in read_treatments(options.treatments)}
        if unused := find_unused(policy, context, names):
            found.append(
                "--treatments: the policy has rules for treatment "
                f"{name_some(unused, MOST_NAMED)}, which nobody is drawn for: they apply to nobody."
            )
    return tuple(found)


def apply_rules(config: RunConfig, rules: Rules) -> RunConfig:
    """Add how the policy writes scores."""
    return replace(
        config,
        metric=rules.metric,
        score_attribute=rules.score_attribute,
        decimals=rules.decimals,
    )


def read_policy(options: RunOptions) -> Policy | None:
    """Read --policy for a hook at an address. Its thresholds are not used: the model is unknown."""
    if options.policy is None:
        return None
    score = WIDEST[options.score_kind or RESPONSE.kind]
    return load_policy(
        options.policy, threshold=score.high, quantiles=(score.low, score.high), score=score
    )


def collect_settings(options: RunOptions) -> dict[str, str]:
    """Collect the settings of a local hook. --policy and --bundle come before the environment.

    Who may call a deployed function over HTTP does not concern one that this process calls.
    """
    settings = {
        name: value
        for name, value in options.environ.items()
        if name.startswith(PREFIX)
        and not name.startswith(WEB_PREFIX)
        and not is_service_variable(name, value)
    }
    paths = {"SCORER_POLICY": options.policy, "SCORER_BUNDLE": options.bundle}
    return settings | {name: str(path) for name, path in paths.items() if path}


def make_fingerprint(
    options: RunOptions, config: RunConfig, policy_digest: str, settings: Mapping[str, str]
) -> dict[str, str]:
    """Describe what decides the outputs. Settings are hashed, because they may hold secrets.

    The scheduled time is included only if it was given: a resumed run keeps its own.
    """
    described = {
        "--host": options.host,
        "--score-kind": options.score_kind or "",
        "--hook": options.hook,
        "--application-id": options.application_id,
        "--campaign-id": options.campaign_id,
        "--treatment-id": options.treatment_id,
        "--include-opted-out": str(options.include_opted_out),
        "--plain-columns": str(options.plain_columns),
        SETTING: config.profile_names,
        "--also": " ".join(options.also),
        "--bundle": config.model or "",
        "--policy": policy_digest,
        "--budget": options.budget or "",
        "--one-per": options.one_per or "",
        "--channel-order": options.channel_order,
        "--suppress": digest_file(options.suppress) if options.suppress else "",
        "--treatments": options.treatments or "",
        "--treatment-salt": hash_text(options.treatment_salt),
        "slices": str(options.slices),
    }
    if options.scheduled_time:
        described["--scheduled-time"] = config.scheduled_time
    others = settings.keys() - {"SCORER_POLICY", "SCORER_BUNDLE", SETTING}
    return described | {name: hash_text(settings[name]) for name in sorted(others)}


def digest_file(path: Path) -> str:
    """SHA-256 of a file; "" if it cannot be read, which is told where its ids are read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def hash_text(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def format_time(text: str | None) -> str:
    """Format a time as events carry it: ISO 8601 with milliseconds and Z. None is now.

    A time without a zone is UTC. Raises OptionError.
    """
    try:
        time_ = datetime.fromisoformat(text) if text else datetime.now(UTC)
        time_ = (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise OptionError(
            "--scheduled-time: expected a time in ISO 8601, such as 2026-01-31T19:00:00Z"
        ) from error
    return time_.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def list_rules(rules: Rules, config: RunConfig, policy: Policy, context: Context) -> list[Rules]:
    """The rules of every treatment; those of the run if it has one treatment for all."""
    names = [name for name, _ in config.treatments]
    return [policy.rules_for(replace(context, treatment_id=name)) for name in names] or [rules]


def one_of(values: set[float] | set[float | None]) -> float | None:
    """The value that holds for all treatments; None if they have different ones."""
    return next(iter(values)) if len(values) == 1 else None
