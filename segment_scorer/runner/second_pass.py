"""Writes what a choice leaves: the second pass, over the files of the first.

Input: the files of the hidden folder. Output: the segment and the decisions of the people who
stay, and the counts changed accordingly. The hook is not asked again. One chunk is in memory at a
time. Interrupted, it begins again, from the same files.
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from function.policy import format_score
from function.records import Reason
from segment_scorer.runner.choosing import VERDICTS, Choice, choose_people, count_steps
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.progress import Watch, ignore_people
from segment_scorer.runner.reporting.statistics import (
    BUCKETS,
    BY_SCORE,
    EPSILON,
    AnyReason,
    Group,
    Statistics,
    read_group,
)
from segment_scorer.runner.summary import REASON_COUNTS, TREATMENT, Status, UnsentReason
from segment_scorer.runner.writing.checkpoint import Checkpoint
from segment_scorer.runner.writing.names import (
    ALL_DECISIONS,
    ALL_SEGMENT,
    CHUNKS,
    DECISIONS,
    PEOPLE,
    SEGMENT,
)
from segment_scorer.runner.writing.outputs import Outputs
from segment_scorer.runner.writing.parts import Part, read_parts
from segment_scorer.runner.writing.people import (
    KEPT,
    NOT_SELECTED,
    ONE_PER_USER,
    OVER_BUDGET,
    STAYS,
)
from segment_scorer.runner.writing.rows import COMPRESSION, DECISION_COLUMNS, compress, write_rows

ANNOTATE = "annotate"
WHY: Mapping[int, UnsentReason] = {
    ONE_PER_USER: UnsentReason.ONE_PER_USER,
    OVER_BUDGET: UnsentReason.BUDGET,
}
SELECTED_CELL, SENT_CELL, REASON_CELL = (
    DECISION_COLUMNS.index(name) for name in ("selected", "sent", "reason")
)
HELD = Reason.HOLDOUT.value


def count_all_steps(count: int, config: RunConfig) -> int:
    """How often `apply_choice` passes over the people."""
    return count_steps(count, config.budget) + (3 if config.writes else 1)


def apply_choice(
    outputs: Outputs, checkpoint: Checkpoint, watch: Watch = ignore_people
) -> tuple[Path, Choice]:
    """Choose, write the files of who stays, and change counts and statistics of the checkpoint.

    Returns the file of verdicts, and what was chosen. `watch` is told of the people passed over.
    """
    config = checkpoint.config
    checkpoint.statistics.note_selected()
    people, chunks = outputs.find(PEOPLE), outputs.find(CHUNKS)
    choice = choose_people(
        people,
        budget=config.budget,
        one_per_user=config.one_per_user,
        below=config.keep == "below",
        acts=config.mode == ANNOTATE,
        watch=watch,
    )

    verdicts = people.parent / VERDICTS
    read = functools.partial(read_parts, people, chunks, verdicts, watch)
    checkpoint.counts["budget_users"] = choice.chosen
    for part in read():
        move_people(part, checkpoint)
    if config.mode == ANNOTATE:
        checkpoint.counts["would_filter"] = 0
    if config.writes:
        everybody, decisions = outputs.find(ALL_SEGMENT), outputs.find(ALL_DECISIONS)
        for name, source, change in (
            (SEGMENT, everybody, keep_lines),
            (DECISIONS, decisions, change_rows),
        ):
            outputs.make(name, functools.partial(rewrite, name, source, read(), change))
    return verdicts, choice


def move_people(part: Part, checkpoint: Checkpoint) -> None:
    """Move the people of a chunk who do not stay to the groups and counts that they belong to."""
    changed = np.flatnonzero(part.verdicts != STAYS)
    if not len(changed):
        return
    statistics, counts = checkpoint.statistics, checkpoint.counts
    was_kept = part.records["flags"][changed] & KEPT != 0
    names = checkpoint.config.treatments
    for number, count in enumerate(np.bincount(part.records["treatment"][changed][was_kept])):
        if number:
            start = f"{TREATMENT}{names[number - 1][0]}:"
            counts[f"{start}{Status.KEPT}"] -= int(count)
            counts[f"{start}{Status.FILTERED}"] += int(count)
    groups = [read_group(values) for values in part.size.groups]
    scores = part.records["score"][changed]
    is_scored = ~np.isnan(scores)
    keys = part.records["group"][changed].astype(np.int64) * 4 + part.verdicts[changed]
    for key in np.unique(keys).tolist():
        mine = keys == key
        group, verdict = groups[key // 4], key % 4
        moved = move_group(group, verdict)
        count, scored = int(mine.sum()), int((mine & is_scored).sum())
        total = float(scores[mine & is_scored].sum())
        for held, sign in ((group, -1), (moved, 1)):
            statistics.people[held] += sign * count
            counts[held.status] += sign * count
            if held.reason in REASON_COUNTS:
                counts[REASON_COUNTS[held.reason]] += sign * count
            if scored:
                statistics.scored[held] += sign * scored
                statistics.expected[held] = statistics.expected.get(held, 0.0) + sign * total
        if verdict == ONE_PER_USER and group.reason in BY_SCORE:
            forget_scores(statistics, scores[mine & is_scored])
        if not statistics.people[group]:
            del statistics.people[group]
            statistics.scored.pop(group, None)
            statistics.expected.pop(group, None)


def move_group(group: Group, verdict: int) -> Group:
    """The group of people with this verdict. The control group stays it, whatever is chosen."""
    if verdict == NOT_SELECTED:
        return group._replace(status=Status.FILTERED)
    reason: AnyReason = group.reason if group.reason == Reason.HOLDOUT else WHY[verdict]
    return group._replace(status=Status.FILTERED, selected=False, reason=reason)


def forget_scores(statistics: Statistics, scores: npt.NDArray[np.float64]) -> None:
    """Take endpoints that no threshold would bring back out of the scores that it divides."""
    for score in scores.tolist():
        statistics.scores[math.floor(score * BUCKETS + EPSILON)] -= 1
    statistics.scores += type(statistics.scores)()  # drops what is 0


def rewrite(
    name: str,
    source: Path,
    parts: Iterator[Part],
    change: Callable[[bytes, Part], bytes],
    _: Path,
    path: Path,
) -> None:
    """Write a file again, chunk by chunk: unchanged where everybody stays."""
    with source.open("rb") as old, path.open("wb") as new:
        if name == DECISIONS:
            new.write(write_rows([DECISION_COLUMNS]))
        for part in parts:
            content = old.read(part.size.segment if name == SEGMENT else part.size.decisions)
            new.write(change(content, part) if part.verdicts.any() else content)
        if name == SEGMENT and not new.tell():  # an empty file is no gzip file
            new.write(gzip.compress(b"", COMPRESSION, mtime=0))


def keep_lines(content: bytes, part: Part) -> bytes:
    """The gzip member of a chunk with the kept people who stay."""
    stays = part.verdicts[part.records["flags"] & KEPT != 0] == STAYS
    if stays.all():
        return content
    if not stays.any():
        return b""
    lines = gzip.decompress(content).split(b"\n")
    kept = [line for line, is_kept in zip(lines, stays.tolist(), strict=False) if is_kept]
    return compress(b"\n".join(kept) + b"\n")


def change_rows(content: bytes, part: Part) -> bytes:
    """The rows of a chunk's decisions, changed by the verdicts."""
    changed = [(index, code) for index, code in enumerate(part.verdicts.tolist()) if code]
    if b'"' in content:
        text = io.StringIO(content.decode(), newline="")
        rows = list(csv.reader(text, strict=True))
        for index, code in changed:
            change_row(rows[index], code)
        return write_rows([tuple(row) for row in rows])
    lines = content.decode().split("\n")
    for index, code in changed:
        cells = lines[index].split(",")
        change_row(cells, code)
        lines[index] = ",".join(cells)
    return "\n".join(lines).encode()


def change_row(cells: list[str], code: int) -> None:
    """Change the cells of one person who does not stay."""
    cells[SENT_CELL] = "false"
    if code in WHY:
        cells[SELECTED_CELL] = "false"
        if cells[REASON_CELL] != HELD:
            cells[REASON_CELL] = WHY[code].value


def describe_choice(choice: Choice, config: RunConfig, *, sent: int) -> str:
    """Say what a budget came to, and which threshold of a hook selects about as many.

    sent  users who are messaged
    """
    if config.budget is None:
        return ""
    control = " The control group comes out of it." if config.holdout_percent else ""
    if choice.chosen == choice.users:
        return (
            f"The budget is not used up: the rules select {choice.users:,} users, and {sent:,} of "
            f"them are messaged.{control}"
        )
    sentence = (
        f"The budget leaves {choice.chosen:,} of {choice.users:,} selected users, and {sent:,} of "
        f"them are messaged.{control}"
    )
    if math.isnan(choice.score):
        return f"{sentence} Some of them have no score."
    return f"{sentence} {describe_thresholds(choice, config)}"


def describe_thresholds(choice: Choice, config: RunConfig) -> str:
    """Say which thresholds of a hook come nearest to the budget, on either side of it.

    Scores are rounded, so the next threshold is one unit of the last decimal away.
    """
    step = 10.0**-config.decimals
    # keep = at_least keeps the threshold's own score, below does not.
    last, before = choice.score, choice.score + step
    if config.keep == "below":
        last, before = choice.score + step, choice.score
    if round(last, config.decimals) > config.score.high:
        return "No threshold of a hook selects as many: their scores are the highest possible."
    sentence = (
        f"For a hook, threshold = {format_score(last, config.decimals)} selects "
        f"{choice.at_score:,} users: all whose score is that of the last one in the budget, or "
        "better"
    )
    if choice.at_score == choice.chosen or round(before, config.decimals) > config.score.high:
        return f"{sentence}."
    return (
        f"{sentence}; threshold = {format_score(before, config.decimals)} selects "
        f"{choice.better:,}."
    )
