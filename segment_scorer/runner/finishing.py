"""The end of a run: who stays, the counts by user, the summary, and the files that need it all.

Input: the outputs and the checkpoint after the last chunk. Output: the summary, and the files.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec.structs import replace

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.counting import UserCounts, count_passes, count_users
from segment_scorer.runner.preparation import Preparation
from segment_scorer.runner.progress import Progress, Steps, Watch
from segment_scorer.runner.reporting.control_group import describe_control_group
from segment_scorer.runner.reporting.report import write_report
from segment_scorer.runner.reporting.rows import make_namer
from segment_scorer.runner.reporting.worth import Worth
from segment_scorer.runner.second_pass import apply_choice, count_all_steps, describe_choice
from segment_scorer.runner.summary import Summary, make_summary
from segment_scorer.runner.writing.checkpoint import Checkpoint, digest_options
from segment_scorer.runner.writing.formats import FORMATS
from segment_scorer.runner.writing.names import CHUNKS, PEOPLE, REPORT
from segment_scorer.runner.writing.outputs import Outputs
from segment_scorer.runner.writing.parts import read_parts
from segment_scorer.runner.writing.rows import end_outputs

MANY = 200_000  # people among whom choosing takes seconds
Warn: TypeAlias = Callable[[str], None]


def finish(
    options: RunOptions,
    preparation: Preparation,
    outputs: Outputs,
    checkpoint: Checkpoint,
    warn: Warn,
    *,
    worth: Worth,
    progress: Progress,
) -> tuple[Summary, str]:
    """Make the summary, and the files that need the whole run.

    Returns the summary, and in a rehearsal what the control group can show.
    """
    config, count = checkpoint.config, checkpoint.counts["received"]
    steps = count_passes(count) + (count_all_steps(count, config) if config.chooses else 0)
    watch = Steps(progress, count * steps)
    outputs.append(end_outputs(checkpoint.counts, config))
    verdicts, choice = None, None
    if config.chooses:
        if config.writes:
            outputs.save(checkpoint, now=True)  # if this is interrupted, it begins again from here
        if count >= MANY:
            warn(f"choosing among {count:,} people, after the last call")
        verdicts, choice = apply_choice(outputs, checkpoint, watch)
    for name in options.also:
        columns = checkpoint.statistics.columns
        outputs.make(FORMATS[name].file, functools.partial(write_format, name, columns, warn))
    users = count_run(outputs, checkpoint, verdicts, watch)
    checkpoint.counts |= {
        "users": users.users,
        "users_selected": users.selected,
        "users_kept": users.kept,
        "users_held_out": users.held_out,
        "users_expected": round(users.expected),
    }
    seconds = checkpoint.seconds + outputs.seconds
    asked = digest_options(checkpoint.fingerprint, checkpoint.segment_files)
    summary = replace(make_summary(checkpoint.counts, checkpoint.config, seconds), options=asked)
    plan = ""
    if options.rehearse:
        plan = describe_control_group(checkpoint.config, checkpoint.statistics, users.selected)
    if choice is not None:
        plan = " ".join(
            filter(None, (describe_choice(choice, checkpoint.config, sent=users.kept), plan))
        )
    reasons: Sequence[Mapping[str, object]] = ()
    if preparation.explain is not None:
        reasons = preparation.explain(checkpoint.segment_files, checkpoint.config)
    outputs.make(
        REPORT,
        lambda _, path: write_report(
            path,
            summary,
            checkpoint,
            reference=preparation.reference,
            rehearsal=options.rehearse,
            plan=plan,
            reasons=reasons,
            worth=worth,
            users=users,
        ),
    )
    checkpoint.summary = summary
    return summary, plan


def count_run(
    outputs: Outputs, checkpoint: Checkpoint, verdicts: Path | None, watch: Watch
) -> UserCounts:
    """Count the different users of the run and of the report's rows, after a choice."""
    people, chunks = outputs.find(PEOPLE), outputs.find(CHUNKS)
    read = functools.partial(read_parts, people, chunks, verdicts, watch)
    count = checkpoint.counts["received"]
    return count_users(read, count, make_namer(checkpoint), checkpoint.config)


def write_format(
    name: str, columns: Mapping[str, int], warn: Warn, segment: Path, path: Path
) -> None:
    """Write the kept people in a further format, and warn about omitted values."""
    format_ = FORMATS[name]
    if affected := format_.write(segment, columns, path):
        people = "1 person" if affected == 1 else f"{affected:,} people"
        warn(f"{format_.file}: values of {people} were omitted, because {format_.omitted}")
    if format_.note:
        warn(f"{format_.file}: {format_.note}")
