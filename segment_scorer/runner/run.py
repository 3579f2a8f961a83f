"""One run: segment files through a hook into an output folder. Composes the rooms of `campaign`; decides nothing itself.

Takes a Request, gives the Summary it has also written. Holds a few blocks of records at a time, whatever the segment's size.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segment_scorer.runner.asking.hooks import LAMBDA, open_hook
from segment_scorer.runner.asking.host_adapters import SIDES
from segment_scorer.runner.asking.host_rules import Hook
from segment_scorer.runner.config import Request
from segment_scorer.runner.engines.local import (
    Pages,
    Recipe,
    walk_here,
    walk_in_processes,
    walk_in_threads,
)
from segment_scorer.runner.errors import DataError, OptionError
from segment_scorer.runner.preparation import describe_request, find_reference, settle_terms
from segment_scorer.runner.reading.batches import cut_slices, make_finder
from segment_scorer.runner.reading.segments import (
    S3,
    Source,
    add_sizes,
    find_sources,
    open_source,
    stay_silent,
)
from segment_scorer.runner.reporting.report import tell_run, write_report
from segment_scorer.runner.summary import Summary, close_books
from segment_scorer.runner.worker import LOG, Block, begin_page, end_page
from segment_scorer.runner.writing.checkpoint import Ledger
from segment_scorer.runner.writing.forms import FORMS
from segment_scorer.runner.writing.outputs import (
    REPORT,
    Outputs,
    Publish,
    find_unfinished,
    give_names,
    lock_folder,
    open_outputs,
)
from segment_scorer.runner.writing.remote_folder import (
    check_remote,
    copy_out,
    find_folder,
    keep_apart,
)

# Slices in a block: about 5,000 endpoints, 2 MB, where they are walked in no time; fewer where each is waited for, so that many can be
# under way at once and little is lost when a run is stopped.
SLICES = 100
SLICES_AWAITED = 4
REPORT_PACKAGES = ("altair", "vl_convert")  # loaded when everybody has been walked


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A finished run: its summary, why attempts failed and how often, and a sentence for each of the first rejected lines.

    warnings, expected  sentences of the report: what spoils the figures, and what the scores foretell ("" where that is unknown)
    """

    summary: Summary
    problems: Mapping[str, int]
    complaints: Sequence[str]
    warnings: Sequence[str] = ()
    expected: str = ""


def run_segment(
    request: Request,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None] = stay_silent,
) -> Report:
    """Walk the whole segment. `progress` hears bytes done and bytes in all, `warn` sentences on what may be wrong with the segment.

    Raises a SegmentScorerError when the segment, the hook, an option or the output folder cannot be used. Nothing is then written, but
    for what a later run with `resume` goes on with.
    """
    check_request(request)
    sources = find_sources([str(text) for text in request.segment], warn)
    terms, settings = settle_terms(request)
    asked = describe_request(request, terms, settings)
    reference = find_reference(settings) if request.hook == "local" else None
    out, folder = str(request.out), find_folder(request.out)
    remote = out.startswith(S3)
    if remote:
        keep_apart(folder)
    with lock_folder(folder):
        unfinished = find_unfinished(folder, resume=request.resume, force=request.force)
        if remote and unfinished is None:
            check_remote(out, force=request.force)
        if unfinished is not None:
            check_same(unfinished, asked, sources)
            terms = unfinished.terms
        files = [*begin_page(terms), *(FORMS[name][0] for name in request.also), REPORT]
        ledger = unfinished or Ledger(asked, files, sources, terms, force=request.force)
        publish: Publish = (
            functools.partial(copy_out, out=out, force=ledger.force) if remote else give_names
        )
        if ledger.summary is not None:
            publish(folder, ledger.files)
        else:
            recipe = Recipe(hook=request.hook, environ=settings, terms=terms)
            hook = open_hook(request.hook, settings, SIDES[terms.host].limit_seconds)
            with open_outputs(
                folder, begin_page(terms), sizes=ledger.sizes, every=request.every
            ) as outputs:
                walk_all(request, recipe, hook, outputs, ledger, progress=progress, warn=warn)
                finish(request, reference, outputs, ledger, publish=publish, warn=warn)
    if ledger.summary is None:
        raise AssertionError("a run that ended without an error has a summary")
    warnings, expected = tell_run(ledger.summary, ledger, reference)
    return Report(
        summary=ledger.summary,
        problems=ledger.problems,
        complaints=ledger.complaints,
        warnings=warnings,
        expected=expected,
    )


def walk_all(
    request: Request,
    recipe: Recipe,
    hook: Hook,
    outputs: Outputs,
    ledger: Ledger,
    *,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> None:
    """Walk every block that the ledger has not got yet. Raises DataError where nobody is in any."""
    introduction = hook.take_log()
    if recipe.terms.has_log and recipe.terms.writes and not ledger.blocks:
        outputs.append({LOG: introduction.encode()})
    total = add_sizes(ledger.sources)
    size = request.slices or (SLICES if request.hook == "local" else SLICES_AWAITED)
    blocks = read_blocks(
        ledger.sources,
        size,
        host=recipe.terms.host,
        include_opted_out=request.include_opted_out,
        warn=warn,
    )
    for position, page in choose_engine(
        request, recipe, hook, itertools.islice(blocks, ledger.blocks, None)
    ):
        outputs.append(page.parts)
        ledger.add(page)
        outputs.checkpoint(ledger)
        progress(position, total)
    if not ledger.counts["received"]:
        outputs.forget()
        if not ledger.counts["rejected"]:
            raise DataError(
                f"{ledger.sources[0].name}: expected people, one a line, found no line with anything on it"
            )
        lines = f"{ledger.counts['rejected']:,} line{'s' if ledger.counts['rejected'] > 1 else ''}"
        raise DataError(
            f"expected people, one a line, found none in {lines}; {ledger.complaints[0]}"
        )


def choose_engine(request: Request, recipe: Recipe, hook: Hook, blocks: Iterator[Block]) -> Pages:
    """The pages of the blocks, by the engine that was asked for and suits the hook."""
    if request.engine == "ray":
        from segment_scorer.runner.engines.ray import walk_on_ray  # noqa: PLC0415  # an extra

        return walk_on_ray(
            blocks,
            recipe,
            request.concurrency if request.hook.startswith(LAMBDA) else request.processes,
        )
    if request.hook.startswith(LAMBDA):
        return walk_in_threads(blocks, hook, recipe.terms, request.concurrency)
    if request.hook == "local":
        return walk_in_processes(blocks, hook, recipe, request.processes or count_cores())
    return walk_here(blocks, hook, recipe.terms)


def finish(
    request: Request,
    reference: Mapping[str, Any] | None,
    outputs: Outputs,
    ledger: Ledger,
    *,
    publish: Publish,
    warn: Callable[[str], None],
) -> None:
    """Close the books, write what is made of the whole, and give everything its name."""
    outputs.append(end_page(ledger.counts, ledger.terms))
    for name in request.also:
        outputs.make(
            FORMS[name][0], functools.partial(write_form, name, ledger.tally.columns, warn)
        )
    summary = close_books(ledger.counts, ledger.terms, ledger.seconds + outputs.seconds)
    outputs.make(
        REPORT,
        lambda _, path: write_report(
            path, summary, ledger, reference=reference, rehearsal=request.rehearse
        ),
    )
    ledger.summary = summary
    outputs.publish(ledger, publish, alone=request.rehearse)


def write_form(
    name: str, columns: Mapping[str, int], warn: Callable[[str], None], segment: Path, path: Path
) -> None:
    """Write the kept in a further form, and say what did not go into it."""
    file, _, write = FORMS[name]
    if losers := write(segment, columns, path):
        people = "1 person has" if losers == 1 else f"{losers:,} people have"
        warn(
            f"{file}: left out what {people} where the form has no place for it, such as text where metrics belong"
        )


def read_blocks(
    sources: Sequence[Source],
    slices: int,
    *,
    host: str,
    include_opted_out: bool,
    warn: Callable[[str], None],
) -> Iterator[Block]:
    """Cut the files into blocks, in order. A file's end closes its last batch. `warn` hears of rows of many lines."""
    before = 0
    for source in sources:
        with open_source(source.name) as file:
            finder = make_finder(file.header, include_opted_out=include_opted_out)
            pieces = cut_slices(file, finder, most_bytes=SIDES[host].most_bytes)
            while held := list(itertools.islice(pieces, slices)):
                yield Block(
                    file=source.name,
                    header=file.header,
                    slices=held,
                    position=before + file.position,
                )
            if joined := file.joined.rows:
                longest = f"the longest over lines {file.joined.first} to {file.joined.last}"
                warn(
                    f"{source.name}: {joined:,} row{'s' if joined > 1 else ''} of more than one line, {longest}"
                )
            before += source.size


def check_request(request: Request) -> None:
    """Refuse what does not go together, or could not be finished, before anything is begun. Raises OptionError."""
    if missing := [package for package in REPORT_PACKAGES if find_spec(package) is None]:
        raise OptionError(
            f"{REPORT}: expected {missing[0]}, of the extra `run`: pip install '.[run]' in a clone of the project"
        )
    local = request.hook == "local"
    if request.host not in SIDES:
        raise OptionError(f"--host: expected one of {', '.join(SIDES)}")
    if request.engine not in {"local", "ray"}:
        raise OptionError("--engine: expected local or ray")
    if request.engine == "ray" and not local and not request.hook.startswith(LAMBDA):
        raise OptionError(
            "--engine ray: expected --hook local or lambda:NAME; an emulator takes one call at a time"
        )
    if request.processes is not None and (request.processes < 1 or not local):
        raise OptionError("--processes: expected 1 or more, with --hook local")
    if not 1 <= request.concurrency <= 100:
        raise OptionError("--concurrency: expected 1 to 100 calls at once")
    if unknown := [name for name in request.also if name not in FORMS]:
        raise OptionError(f"--also {unknown[0]}: expected one of {', '.join(FORMS)}")
    if request.rehearse and (request.resume or request.also):
        raise OptionError(
            "--rehearse: expected neither --resume nor --also, since a rehearsal writes nothing but its report"
        )
    if request.resume and request.force:
        raise OptionError(
            "--resume, --force: expected one of them, to go on with an unfinished run or to replace it"
        )


def check_same(unfinished: Ledger, asked: Mapping[str, str], sources: Sequence[Source]) -> None:
    """Refuse to go on with a run that asked for something else: half its outputs would be of one kind, half of another."""
    different = sorted(
        name
        for name in asked.keys() | unfinished.asked.keys()
        if asked.get(name) != unfinished.asked.get(name)
    )
    if different:
        raise OptionError(
            f"--resume: expected what the unfinished run was started with; different: {', '.join(different)}"
        )
    if list(sources) != unfinished.sources:
        raise OptionError(
            "--resume: expected the same segment files, in the same order and unchanged, as the unfinished run had"
        )


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
