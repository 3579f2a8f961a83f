"""One run: segment files through a hook into an output folder. Composes the rooms of `campaign`; decides nothing itself.

Takes a RunOptions, gives the Summary it has also written. Holds a few chunks of records at a time, whatever the segment's size.
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
from segment_scorer.runner.asking.host_adapters import HOST_ADAPTERS
from segment_scorer.runner.asking.host_rules import Hook
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.engines.local import (
    ChunkResults,
    WorkerSetup,
    process_here,
    process_in_processes,
    process_in_threads,
)
from segment_scorer.runner.errors import DataError, OptionError
from segment_scorer.runner.preparation import describe_options, find_reference, make_config
from segment_scorer.runner.reading.batches import cut_slices, make_finder
from segment_scorer.runner.reading.segments import (
    S3,
    SegmentFile,
    add_sizes,
    find_segment_files,
    open_segment_file,
    stay_silent,
)
from segment_scorer.runner.reporting.report import tell_run, write_report
from segment_scorer.runner.summary import Summary, make_summary
from segment_scorer.runner.worker import LOG, Chunk, begin_outputs, end_outputs
from segment_scorer.runner.writing.checkpoint import Checkpoint
from segment_scorer.runner.writing.formats import FORMATS
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

# Slices in a chunk: about 5,000 endpoints, 2 MB, where they are walked in no time; fewer where each is waited for, so that many can be
# under way at once and little is lost when a run is stopped.
SLICES = 100
SLICES_AWAITED = 4
REPORT_PACKAGES = ("altair", "vl_convert")  # loaded when everybody has been walked


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run: its summary, why attempts failed and how often, and a sentence for each of the first rejected lines.

    warnings, expected  sentences of the report: what spoils the figures, and what the scores foretell ("" where that is unknown)
    """

    summary: Summary
    problems: Mapping[str, int]
    complaints: Sequence[str]
    warnings: Sequence[str] = ()
    expected: str = ""


def run_segment(
    request: RunOptions,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None] = stay_silent,
) -> RunResult:
    """Walk the whole segment. `progress` hears bytes done and bytes in all, `warn` sentences on what may be wrong with the segment.

    Raises a SegmentScorerError when the segment, the hook, an option or the output folder cannot be used. Nothing is then written, but
    for what a later run with `resume` goes on with.
    """
    check_request(request)
    segment_files = find_segment_files([str(text) for text in request.segment], warn)
    config, settings = make_config(request)
    asked = describe_options(request, config, settings)
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
            check_same(unfinished, asked, segment_files)
            config = unfinished.config
        files = [*begin_outputs(config), *(FORMATS[name][0] for name in request.also), REPORT]
        checkpoint = unfinished or Checkpoint(
            asked, files, segment_files, config, force=request.force
        )
        publish: Publish = (
            functools.partial(copy_out, out=out, force=checkpoint.force) if remote else give_names
        )
        if checkpoint.summary is not None:
            publish(folder, checkpoint.files)
        else:
            setup = WorkerSetup(hook=request.hook, environ=settings, config=config)
            hook = open_hook(request.hook, settings, HOST_ADAPTERS[config.host].limit_seconds)
            with open_outputs(
                folder,
                begin_outputs(config),
                sizes=checkpoint.sizes,
                every=request.checkpoint_seconds,
            ) as outputs:
                process_all(request, setup, hook, outputs, checkpoint, progress=progress, warn=warn)
                finish(request, reference, outputs, checkpoint, publish=publish, warn=warn)
    if checkpoint.summary is None:
        raise AssertionError("a run that ended without an error has a summary")
    warnings, expected = tell_run(checkpoint.summary, checkpoint, reference)
    return RunResult(
        summary=checkpoint.summary,
        problems=checkpoint.problems,
        complaints=checkpoint.complaints,
        warnings=warnings,
        expected=expected,
    )


def process_all(
    request: RunOptions,
    setup: WorkerSetup,
    hook: Hook,
    outputs: Outputs,
    checkpoint: Checkpoint,
    *,
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> None:
    """Walk every chunk that the checkpoint has not got yet. Raises DataError where nobody is in any."""
    introduction = hook.take_log()
    if setup.config.has_log and setup.config.writes and not checkpoint.chunks:
        outputs.append({LOG: introduction.encode()})
    total = add_sizes(checkpoint.segment_files)
    size = request.slices or (SLICES if request.hook == "local" else SLICES_AWAITED)
    chunks = read_chunks(
        checkpoint.segment_files,
        size,
        host=setup.config.host,
        include_opted_out=request.include_opted_out,
        warn=warn,
    )
    for position, page in choose_engine(
        request, setup, hook, itertools.islice(chunks, checkpoint.chunks, None)
    ):
        outputs.append(page.parts)
        checkpoint.add(page)
        outputs.checkpoint(checkpoint)
        progress(position, total)
    if not checkpoint.counts["received"]:
        outputs.forget()
        if not checkpoint.counts["rejected"]:
            raise DataError(
                f"{checkpoint.segment_files[0].name}: expected people, one a line, found no line with anything on it"
            )
        lines = f"{checkpoint.counts['rejected']:,} line{'s' if checkpoint.counts['rejected'] > 1 else ''}"
        raise DataError(
            f"expected people, one a line, found none in {lines}; {checkpoint.complaints[0]}"
        )


def choose_engine(
    request: RunOptions, setup: WorkerSetup, hook: Hook, chunks: Iterator[Chunk]
) -> ChunkResults:
    """The pages of the chunks, by the engine that was asked for and suits the hook."""
    if request.engine == "ray":
        from segment_scorer.runner.engines.ray import process_on_ray  # noqa: PLC0415  # an extra

        return process_on_ray(
            chunks,
            setup,
            request.concurrency if request.hook.startswith(LAMBDA) else request.processes,
        )
    if request.hook.startswith(LAMBDA):
        return process_in_threads(chunks, hook, setup.config, request.concurrency)
    if request.hook == "local":
        return process_in_processes(chunks, hook, setup, request.processes or count_cores())
    return process_here(chunks, hook, setup.config)


def finish(
    request: RunOptions,
    reference: Mapping[str, Any] | None,
    outputs: Outputs,
    checkpoint: Checkpoint,
    *,
    publish: Publish,
    warn: Callable[[str], None],
) -> None:
    """Close the books, write what is made of the whole, and give everything its name."""
    outputs.append(end_outputs(checkpoint.counts, checkpoint.config))
    for name in request.also:
        outputs.make(
            FORMATS[name][0],
            functools.partial(write_form, name, checkpoint.statistics.columns, warn),
        )
    summary = make_summary(
        checkpoint.counts, checkpoint.config, checkpoint.seconds + outputs.seconds
    )
    outputs.make(
        REPORT,
        lambda _, path: write_report(
            path, summary, checkpoint, reference=reference, rehearsal=request.rehearse
        ),
    )
    checkpoint.summary = summary
    outputs.publish(checkpoint, publish, alone=request.rehearse)


def write_form(
    name: str, columns: Mapping[str, int], warn: Callable[[str], None], segment: Path, path: Path
) -> None:
    """Write the kept in a further form, and say what did not go into it."""
    file, _, write = FORMATS[name]
    if losers := write(segment, columns, path):
        people = "1 person has" if losers == 1 else f"{losers:,} people have"
        warn(
            f"{file}: left out what {people} where the form has no place for it, such as text where metrics belong"
        )


def read_chunks(
    segment_files: Sequence[SegmentFile],
    slices: int,
    *,
    host: str,
    include_opted_out: bool,
    warn: Callable[[str], None],
) -> Iterator[Chunk]:
    """Cut the files into chunks, in order. A file's end closes its last batch. `warn` hears of rows of many lines."""
    before = 0
    for segment_file in segment_files:
        with open_segment_file(segment_file.name) as file:
            finder = make_finder(file.header, include_opted_out=include_opted_out)
            pieces = cut_slices(file, finder, most_bytes=HOST_ADAPTERS[host].most_bytes)
            while held := list(itertools.islice(pieces, slices)):
                yield Chunk(
                    file=segment_file.name,
                    header=file.header,
                    slices=held,
                    position=before + file.position,
                )
            if joined := file.joined.rows:
                longest = f"the longest over lines {file.joined.first} to {file.joined.last}"
                warn(
                    f"{segment_file.name}: {joined:,} row{'s' if joined > 1 else ''} of more than one line, {longest}"
                )
            before += segment_file.size


def check_request(request: RunOptions) -> None:
    """Refuse what does not go together, or could not be finished, before anything is begun. Raises OptionError."""
    if missing := [package for package in REPORT_PACKAGES if find_spec(package) is None]:
        raise OptionError(
            f"{REPORT}: expected {missing[0]}, of the extra `run`: pip install '.[run]' in a clone of the project"
        )
    local = request.hook == "local"
    if request.host not in HOST_ADAPTERS:
        raise OptionError(f"--host: expected one of {', '.join(HOST_ADAPTERS)}")
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
    if unknown := [name for name in request.also if name not in FORMATS]:
        raise OptionError(f"--also {unknown[0]}: expected one of {', '.join(FORMATS)}")
    if request.rehearse and (request.resume or request.also):
        raise OptionError(
            "--rehearse: expected neither --resume nor --also, since a rehearsal writes nothing but its report"
        )
    if request.resume and request.force:
        raise OptionError(
            "--resume, --force: expected one of them, to go on with an unfinished run or to replace it"
        )


def check_same(
    unfinished: Checkpoint, asked: Mapping[str, str], segment_files: Sequence[SegmentFile]
) -> None:
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
    if list(segment_files) != unfinished.segment_files:
        raise OptionError(
            "--resume: expected the same segment files, in the same order and unchanged, as the unfinished run had"
        )


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
