"""One run: segment files through a hook into an output folder.

Input: RunOptions. Output: a RunResult, and the files. Composes the other modules of the runner.
Holds a few chunks in memory at a time, whatever the size of the segment.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.profile_names import NAMINGS
from segment_scorer.runner.asking.hooks import HTTPS, LAMBDA
from segment_scorer.runner.checks import check_options, read_profile_names
from segment_scorer.runner.chunks import Chunk, read_chunks
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.engines.cores import count_cores
from segment_scorer.runner.engines.local import (
    ChunkResults,
    WorkerSetup,
    process_here,
    process_in_processes,
    process_in_threads,
)
from segment_scorer.runner.errors import DataError
from segment_scorer.runner.finishing import Warn, finish
from segment_scorer.runner.preparation import Preparation, prepare_run
from segment_scorer.runner.progress import Progress, ignore_progress
from segment_scorer.runner.reading.segments import (
    NO_PEOPLE,
    SegmentFile,
    add_sizes,
    find_segment_files,
    ignore_warning,
)
from segment_scorer.runner.reporting.messages import describe_unreadable
from segment_scorer.runner.reporting.report import summarize_report
from segment_scorer.runner.reporting.worth import check_worth, read_worth
from segment_scorer.runner.s3 import S3
from segment_scorer.runner.summary import Summary
from segment_scorer.runner.writing.checkpoint import Checkpoint, check_same, digest_options
from segment_scorer.runner.writing.formats import FORMATS
from segment_scorer.runner.writing.names import LOG, REPORT
from segment_scorer.runner.writing.outputs import (
    Outputs,
    Publish,
    find_unfinished,
    lock_folder,
    move_files,
    open_outputs,
)
from segment_scorer.runner.writing.remote_folder import (
    check_remote,
    copy_files,
    find_folder,
    make_private,
)
from segment_scorer.runner.writing.rows import begin_outputs, begin_staging

# Slices in a chunk: about 5,000 endpoints, 2 MB. Fewer for hooks that mostly wait, so that many
# calls run in parallel and little is lost when the run is stopped.
SLICES = 100
SLICES_IF_WAITING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A finished run.

    problems    problem of a failed attempt -> attempts
    rejections  the first rejected lines, a sentence each
    warnings    sentences on what makes the figures unreliable
    expected    a sentence on what the scores predict; "" if unknown
    plan        a rehearsal: a sentence on what the control group can show; "" if unknown
    unreadable  why endpoints were unreadable and what happened to them; "" if unknown
    """

    summary: Summary
    problems: Mapping[str, int]
    rejections: Sequence[str]
    warnings: Sequence[str]
    expected: str
    plan: str
    unreadable: str


def run_segment(
    options: RunOptions,
    progress: Progress,
    warn: Warn = ignore_warning,
    finishing: Progress = ignore_progress,
) -> RunResult:
    """Process a whole segment. `warn` receives sentences on what may be wrong with the segment.

    progress   receives the bytes processed so far, and the bytes of the whole segment
    finishing  the same of the work after the last chunk, in people
    Raises a SegmentScorerError if the segment, the hook, an option or the output folder cannot be
    used. Nothing is written then, except what a later run with `resume` continues.
    """
    check_options(options)
    worth = read_worth(options)
    segment_files = find_segment_files(
        [str(text) for text in options.segment],
        warn,
        plain_columns=options.plain_columns,
        naming=NAMINGS.get(read_profile_names(options.environ)),
    )
    preparation = prepare_run(options)
    check_worth(worth, preparation.config)
    out, folder = str(options.out), find_folder(options.out)
    is_remote = out.startswith(S3)
    if is_remote:
        make_private(folder)
    with lock_folder(folder, shared=options.shared):
        asked = digest_options(preparation.fingerprint, segment_files)
        checkpoint = find_unfinished(
            folder, resume=options.resume, force=options.force, asked=asked
        )
        if is_remote and checkpoint is None:
            check_remote(out, force=options.force, resume=options.resume, asked=asked)
        if checkpoint is None:
            checkpoint = begin_checkpoint(options, preparation, segment_files)
        else:
            check_same(checkpoint, preparation.fingerprint, segment_files)
        publish: Publish = move_files
        if is_remote:
            publish = functools.partial(copy_files, out=out, force=checkpoint.force)
        if checkpoint.summary is not None:
            publish(folder, checkpoint.files)
            summary, plan = checkpoint.summary, ""
        else:
            with open_outputs(
                folder,
                begin_staging(checkpoint.config),
                sizes=checkpoint.sizes,
                checkpoint_seconds=options.checkpoint_seconds,
                shared=options.shared,
            ) as outputs:
                process_all(options, preparation, outputs, checkpoint, progress=progress, warn=warn)
                summary, plan = finish(
                    options,
                    preparation,
                    outputs,
                    checkpoint,
                    warn,
                    worth=worth,
                    progress=finishing,
                )
                outputs.publish(checkpoint, publish, report_only=options.rehearse)
    warnings, expected = summarize_report(summary, checkpoint, preparation.reference)
    return RunResult(
        summary=summary,
        problems=checkpoint.problems,
        rejections=checkpoint.rejections,
        warnings=warnings,
        expected=expected,
        plan=plan,
        unreadable=describe_unreadable(checkpoint.config, checkpoint.statistics),
    )


def begin_checkpoint(
    options: RunOptions, preparation: Preparation, segment_files: list[SegmentFile]
) -> Checkpoint:
    """Make the checkpoint of a new run."""
    files = [
        *begin_outputs(preparation.config),
        *(file for name in options.also for file in (FORMATS[name].file, *FORMATS[name].further)),
        REPORT,
    ]
    return Checkpoint(
        preparation.fingerprint, files, segment_files, preparation.config, force=options.force
    )


def process_all(
    options: RunOptions,
    preparation: Preparation,
    outputs: Outputs,
    checkpoint: Checkpoint,
    *,
    progress: Progress,
    warn: Warn,
) -> None:
    """Process every chunk after the checkpoint. Raises DataError if the segment holds no people."""
    config, hook = checkpoint.config, preparation.hook
    start_log = hook.take_log()
    if config.in_process and config.writes and not checkpoint.chunks:
        outputs.append({LOG: start_log.encode()})
    total = add_sizes(checkpoint.segment_files)
    slices = options.slices or (SLICES if options.hook == "local" else SLICES_IF_WAITING)
    chunks = read_chunks(checkpoint.segment_files, config, slices, warn)
    setup = WorkerSetup(hook=options.hook, settings=preparation.settings, config=config)
    remaining = itertools.islice(chunks, checkpoint.chunks, None)
    for position, result in choose_engine(options, preparation, setup, remaining, warn):
        outputs.append(result.parts)
        checkpoint.add(result)
        if config.writes:
            outputs.save(checkpoint)
        progress(position, total)
    if not checkpoint.counts["received"]:
        outputs.forget()
        raise DataError(explain_no_people(checkpoint))


def explain_no_people(checkpoint: Checkpoint) -> str:
    """Say what a segment without people holds."""
    name, rejected = checkpoint.segment_files[0].name, checkpoint.counts["rejected"]
    if not rejected:
        return f"{name}: {NO_PEOPLE}, found only empty lines"
    lines = "1 line" if rejected == 1 else f"{rejected:,} lines"
    return f"{NO_PEOPLE}, found no readable person in {lines}; {checkpoint.rejections[0]}"


def choose_engine(
    options: RunOptions,
    preparation: Preparation,
    setup: WorkerSetup,
    chunks: Iterator[Chunk],
    warn: Warn,
) -> ChunkResults:
    """Process the chunks with the engine that was chosen and that suits the hook."""
    hook, config = preparation.hook, setup.config
    is_lambda = options.hook.startswith((LAMBDA, HTTPS))  # hooks that mostly wait
    if options.engine == "ray":
        from segment_scorer.runner.engines.ray import process_on_ray  # noqa: PLC0415  # an extra

        most_actors = options.concurrency if is_lambda else options.processes
        return process_on_ray(chunks, setup, most_actors)
    if is_lambda:
        return process_in_threads(chunks, hook, config, options.concurrency)
    if options.hook == "local":
        processes = options.processes or count_cores()
        return process_in_processes(chunks, hook, setup, processes, warn)
    return process_here(chunks, hook, config)
