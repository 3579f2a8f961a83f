"""Folders of runs in, what their `summary.json` says about the control group out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from function.hosts import HOSTS
from segment_scorer.lift.errors import DataError, LiftRefused

DECISIONS, SUMMARY = "decisions.csv", "summary.json"
FILTER = "filter"


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What `lift` reads of a summary; everything else in it is ignored. None = unknown.

    holdout_percent      size of the control group that the policy asked for
    holdout_salt_digest  tells control groups apart: same percent and digest, same people
    """

    mode: str | None = None
    host: str | None = None
    holdout_percent: float | None = None
    holdout_salt_digest: str | None = None
    keep: str | None = None


def read_run(folder: Path) -> RunFacts:
    """Read a run's summary. Raises DataError where the folder holds no finished run."""
    path = folder / SUMMARY
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunFacts)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{folder}: expected the folder of a finished run, found no {SUMMARY}"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    except msgspec.DecodeError as error:
        raise DataError(
            f"{path}: expected the summary that `segment-scorer run` writes, found something else"
        ) from error


def combine_runs(folders: Sequence[Path]) -> RunFacts:
    """What holds for all runs. Raises LiftRefused where they cannot be compared or added up."""
    facts = [read_run(folder) for folder in folders]
    blind = {name for name, host in HOSTS.items() if not host.tells_decisions}
    for folder, fact in zip(folders, facts, strict=True):
        if fact.mode not in {None, FILTER} and fact.host in blind:
            raise LiftRefused(
                f"{folder}: the run's mode is {fact.mode}, so the control group was messaged too. "
                "It cannot show what the message changed. Run in mode filter"
            )
        if fact.holdout_percent == 0.0:
            raise LiftRefused(
                f"{folder}: the policy held nobody out (holdout percent 0), so there is no "
                "control group to compare with"
            )
    groups = {(fact.holdout_percent, fact.holdout_salt_digest) for fact in facts}
    if len(groups) > 1:
        raise LiftRefused(
            "the runs have different control groups (another percent or salt), so their people "
            "cannot be added up. Measure each run alone"
        )
    return facts[0]
