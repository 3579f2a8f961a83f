"""Checks of a run's options, alone and together with the policy. Opens and writes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from msgspec.structs import replace

from function.policy import Policy, Rules
from function.records import Context
from model.bundle import Bundle
from model.people.naming import name_some
from model.profile_names import AUTO, CHOICES, SETTING
from model.score_kind import WIDEST
from segment_scorer.runner.asking.hooks import HTTPS, LAMBDA
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.reading.suppression import load_suppressed
from segment_scorer.runner.reporting.labels import CHANNELS
from segment_scorer.runner.writing.formats import FORMATS
from segment_scorer.runner.writing.names import REPORT

REPORT_PACKAGES = ("altair", "vl_convert")  # imported only after the last chunk
MOST_NAMED = 3  # paths in one warning
PLAN_PACKAGE = "scipy"  # only a rehearsal says what its control group can show


def check_calculated(bundle: Bundle, rules: Rules, options: RunOptions) -> tuple[str, ...]:
    """Say that events of Connect lack calculated attributes, if the model or the policy reads any.

    Source: a live event that aws-amplify published. AWS documents neither.
    """
    paths = (*bundle.spec.paths, *(rule.path for rule in rules.excludes))
    read = sorted({path for path in paths if path.startswith("Calculated.")})
    if options.host != "connect" or not read:
        return ()
    sentence = (
        f"The model or the policy reads {name_some(read, MOST_NAMED)}. The live events of Amazon "
        "Connect seen so far have no calculated attributes, so this run sends none: they are "
        "missing. Copy them into attributes of the profile."
    )
    return (sentence,)


def read_profile_names(environ: Mapping[str, str]) -> str:
    """The function's setting, which says of files of profiles, too, who named the attributes.

    Raises OptionError.
    """
    names = environ.get(SETTING) or AUTO
    if names not in CHOICES:
        raise OptionError(f"{SETTING}: expected one of {', '.join(CHOICES)}")
    return names


def check_choice(options: RunOptions, rules: Rules | None) -> None:
    """Check that people can be chosen after the last chunk. Raises OptionError.

    rules  of the policy that applies; None if it is unknown
    """
    given = "--budget" if options.budget is not None else "--one-per"
    if options.budget is None and options.one_per is None:
        return
    if rules is not None and rules.mode == "shadow":
        raise OptionError(
            f"{given}: expected mode filter or annotate; mode shadow leaves nobody out"
        )
    if options.hook != "local" and (rules is None or rules.mode != "annotate"):
        raise OptionError(
            f"{given}: a deployed function must return everybody with a score, so expected "
            '--policy with its policy, in mode = "annotate"'
        )
    if rules is not None and options.hook != "local" and not rules.score_attribute:
        raise OptionError(f"{given}: expected a policy that writes score_attribute")


def check_treatments(context: Context, config: RunConfig, policy: Policy) -> None:
    """Check that one summary holds for all treatments. Raises OptionError."""
    rules = [policy.rules_for(replace(context, treatment_id=name)) for name, _ in config.treatments]
    for key in ("mode", "keep", "decimals", "metric", "score_attribute", "holdout"):
        if any(getattr(each, key) != getattr(rules[0], key) for each in rules):
            raise OptionError(
                f"--treatments: expected the same {key} for every treatment, found a policy whose "
                "overrides differ"
            )


def check_host(options: RunOptions) -> None:
    """Check that the host exists, and that it is called over HTTPS. Raises OptionError."""
    if options.host not in HOST_ADAPTERS:
        raise OptionError(f"--host: expected one of {', '.join(HOST_ADAPTERS)}")
    if options.hook.startswith(HTTPS) and not HOST_ADAPTERS[options.host].has_url:
        names = " or ".join(name for name, adapter in HOST_ADAPTERS.items() if adapter.has_url)
        raise OptionError(f"--hook https://...: expected --host {names}, which is asked by a URL")


def check_options(options: RunOptions) -> None:
    """Check the options before anything is opened or written. Raises OptionError."""
    packages = (*REPORT_PACKAGES, *([PLAN_PACKAGE] if options.rehearse else []))
    if missing := [package for package in packages if find_spec(package) is None]:
        raise OptionError(
            f"{REPORT}: expected {missing[0]}, of the extra `run`: "
            "pip install '.[run]' in a source checkout"
        )
    local = options.hook == "local"
    check_host(options)
    if options.engine not in {"local", "ray"}:
        raise OptionError("--engine: expected local or ray")
    if options.engine == "ray" and not local and not options.hook.startswith(LAMBDA):
        raise OptionError(
            "--engine ray: expected --hook local or lambda:NAME; "
            "an emulator takes one call at a time"
        )
    if options.processes is not None and (options.processes < 1 or not local):
        raise OptionError("--processes: expected 1 or more, with --hook local")
    if not 1 <= options.concurrency <= 100:
        raise OptionError("--concurrency: expected 1 to 100 calls at once")
    if unknown := [name for name in options.also if name not in FORMATS]:
        raise OptionError(f"--also {unknown[0]}: expected one of {', '.join(FORMATS)}")
    if options.bundle and not local:
        raise OptionError(
            "--bundle: expected only with --hook local; a deployed function has its own bundle"
        )
    if options.score_kind and local:
        raise OptionError(
            "--score-kind: expected only with a deployed function; the bundle of --hook local "
            "says what its scores mean"
        )
    if options.score_kind and options.score_kind not in WIDEST:
        raise OptionError(f"--score-kind: expected one of {', '.join(WIDEST)}")
    if options.rehearse and (options.resume or options.also):
        raise OptionError(
            "--rehearse: expected neither --resume nor --also; a rehearsal writes only its report"
        )
    if options.resume and options.force:
        raise OptionError(
            "--resume, --force: expected one of them, to continue an unfinished run or replace it"
        )
    check_choosing_options(options)


def read_channels(text: str) -> tuple[str, ...]:
    """The channels of `--channel-order`."""
    return tuple(filter(None, text.replace(" ", "").split(",")))


def check_choosing_options(options: RunOptions) -> None:
    """Check the options of who is sent and who is chosen. Raises OptionError and DataError."""
    if options.one_per not in {None, "user"}:
        raise OptionError("--one-per: expected user")
    if options.channel_order and options.one_per is None:
        raise OptionError("--channel-order: expected with --one-per user")
    if any(name not in CHANNELS for name in read_channels(options.channel_order)):
        raise OptionError(f"--channel-order: expected channels of {', '.join(sorted(CHANNELS))}")
    if options.treatment_salt and not options.treatments:
        raise OptionError("--treatment-salt: expected with --treatments")
    if options.suppress:
        load_suppressed(str(options.suppress))
