"""One run: segment files through a hook into an output folder. Composes the rooms of `campaign`; decides nothing itself.

Takes a Request, gives the Summary it has also written. Holds one block of lines at a time, whatever the segment's size.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from campaign.batching import cut_slices
from campaign.books import Summary, Terms, close_books
from campaign.errors import DataError, OptionError
from campaign.hooks import open_hook
from campaign.outputs import open_outputs
from campaign.segments import SegmentFile, measure_files
from campaign.walking import MOST_COMPLAINTS, Block, begin_page, end_page, walk_block
from function.policy import Rules
from function.policy_file import load_policy
from function.records import Context
from function.settings import read_settings
from model.bundle import load_bundle

SLICES_IN_A_BLOCK = 100  # about 5,000 endpoints, 2 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for. `scheduled_time` is the campaign's, as text; None: the start of the run. `environ` sets up a local hook."""

    segment: Sequence[Path]
    out: Path
    hook: str = "local"
    scheduled_time: str | None = None
    application_id: str = "segment-scorer"
    campaign_id: str = "segment-scorer"
    treatment_id: str = "0"
    include_opted_out: bool = False
    policy: Path | None = None
    bundle: Path | None = None
    force: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A finished run: its summary, why attempts failed and how often, and a sentence for each of the first rejected lines."""

    summary: Summary
    problems: Mapping[str, int]
    complaints: Sequence[str]


def run_segment(request: Request, progress: Callable[[int, int], None]) -> Report:
    """Walk the whole segment. `progress` hears bytes done and bytes in all.

    Raises a SegmentScorerError, having written nothing, when the segment, the hook, an option or the output folder cannot be used.
    """
    started = time.monotonic()
    total = measure_files(request.segment)
    terms, environ = settle_terms(request)
    hook = open_hook(request.hook, environ)
    counts: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    complaints: list[str] = []
    with open_outputs(request.out, begin_page(terms), force=request.force) as outputs:
        for block in read_blocks(request.segment, include_opted_out=request.include_opted_out):
            page = walk_block(block, hook, terms)
            outputs.append(page.parts)
            counts.update(page.counts)
            problems.update(page.problems)
            complaints += page.complaints[: MOST_COMPLAINTS - len(complaints)]
            progress(block.position, total)
        if not counts["received"] + counts["rejected"]:
            raise DataError(f"{request.segment[0]}: expected one endpoint a line, found no line with anything on it")
        outputs.append(end_page(counts))
        summary = close_books(counts, terms, time.monotonic() - started)
        outputs.publish(summary)
    return Report(summary=summary, problems=problems, complaints=complaints)


def read_blocks(paths: Sequence[Path], *, include_opted_out: bool) -> Iterator[Block]:
    """Cut the files into blocks of 100 slices, in order. A file's end closes its last batch."""
    before = 0
    for path in paths:
        with SegmentFile(path) as file:
            slices = cut_slices(file, include_opted_out=include_opted_out)
            while held := list(itertools.islice(slices, SLICES_IN_A_BLOCK)):
                yield Block(file=str(path), slices=held, position=before + file.position)
            before += file.position


def settle_terms(request: Request) -> tuple[Terms, dict[str, str]]:
    """What holds for the whole run, fixed once; and the environment for a local hook. Raises SettingsError, BundleError, OptionError."""
    environ = dict(request.environ)
    scheduled = format_time(request.scheduled_time)
    terms = Terms(
        scheduled_time=scheduled,
        application_id=request.application_id,
        campaign_id=request.campaign_id,
        treatment_id=request.treatment_id,
        activity_id=f"run-{scheduled}",
        include_opted_out=request.include_opted_out,
    )
    context = Context(application_id=request.application_id, campaign_id=request.campaign_id, treatment_id=request.treatment_id)
    if request.hook != "local":
        if request.bundle:
            raise OptionError("--bundle: expected only with --hook local; a function behind an address has its own")
        rules = (
            load_policy(request.policy, threshold=0.5, quantiles=(0.0, 1.0)).rules_for(context) if request.policy else Rules(threshold=0.5)
        )
        return replace(terms, metric=rules.metric, score_attribute=rules.score_attribute), environ
    environ |= {name: str(path) for name, path in (("SCORER_POLICY", request.policy), ("SCORER_BUNDLE", request.bundle)) if path}
    settings = read_settings(environ)
    bundle = load_bundle(settings.bundle)
    rules = load_policy(settings.policy, threshold=bundle.threshold, quantiles=bundle.quantiles).rules_for(context)
    return replace(
        terms,
        knows_decisions=True,
        metric=rules.metric,
        score_attribute=rules.score_attribute,
        decimals=rules.decimals,
        model=bundle.label,
        mode=rules.mode,
    ), environ


def format_time(text: str | None) -> str:
    """A time as events carry it, ISO 8601 with milliseconds and Z; None is now. Without a zone it is UTC. Raises OptionError."""
    try:
        time_ = datetime.fromisoformat(text) if text else datetime.now(UTC)
        time_ = (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise OptionError("--scheduled-time: expected a time in ISO 8601, such as 2026-01-31T19:00:00Z") from error
    return time_.isoformat(timespec="milliseconds").replace("+00:00", "Z")
