"""What somebody asked of the runner, as plain values. Checked by `run`, settled by `settling`; never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segment_scorer.runner.writing.outputs import CHECKPOINT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for. `scheduled_time` is the campaign's, as text; None: the start of the run. `environ` sets up a local hook.

    segment      paths, globs, s3:// addresses
    out          a folder, or an s3:// address
    also         further forms of the kept segment, keys of `forms.FORMS`
    engine       local or ray; processes: how many, None: one a core
    concurrency  calls at once of a function in AWS
    slices       in a block, every: seconds between checkpoints; None: what suits the hook
    """

    segment: Sequence[str | Path]
    out: Path | str
    hook: str = "local"
    host: str = "pinpoint"
    scheduled_time: str | None = None
    application_id: str = "segment-scorer"
    campaign_id: str = "segment-scorer"
    treatment_id: str = "0"
    include_opted_out: bool = False
    policy: Path | None = None
    bundle: Path | None = None
    force: bool = False
    resume: bool = False
    rehearse: bool = False
    also: Sequence[str] = ()
    engine: str = "local"
    processes: int | None = None
    concurrency: int = 10
    slices: int | None = None
    every: float = CHECKPOINT_SECONDS
    environ: Mapping[str, str] = field(default_factory=dict)
