"""A run's options as requested, and its configuration. Plain values; nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from function.holdout import Holdout
from model.profile_names import AUTO, NAMINGS, Naming
from model.score_kind import RESPONSE, ScoreKind
from segment_scorer.runner.budget import Budget

CHECKPOINT_SECONDS = 5.0
CAMPAIGN = "segment-scorer"  # the id of a campaign that was not named


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run, unchecked. The command line's options have the same names.

    segment             paths, globs, s3:// addresses
    out                 a folder, or an s3:// address
    hook                local, lambda:NAME, or http://host:port
    score_kind          what a deployed function's scores mean; None: response. A local function's
                        bundle says it
    scheduled_time      the campaign's time (ISO 8601); None: the start of the run
    also                further formats of the kept segment, keys of `formats.FORMATS`
    engine              local or ray
    processes           number of worker processes; None: one per core
    plain_columns       a table's columns without a group, such as `Age`, are attributes
    concurrency         number of parallel calls of a function in AWS
    slices              slices in a chunk; None: a number that suits the hook
    checkpoint_seconds  seconds between checkpoints
    shared              give the outputs the permissions that the umask allows
    budget              selected users who stay, a number or a share such as 30%
    one_per             `user`: of each user only the best endpoint
    channel_order       channels, separated by commas: the first wins where scores are equal
    suppress            a CSV file of ids that are not sent
    treatments          shares of users by treatment: `0:50,1:50`
    value, cost         of a response and of a message, for the report; None: not given
    effect              by how much a message raises responses, such as 0.2 or 20%
    lift                a lift.json that measured the effect
    environ             `SCORER_*` settings of a local hook; other names are ignored
    """

    segment: Sequence[str | Path]
    out: Path | str
    hook: str = "local"
    host: str = "pinpoint"
    score_kind: str | None = None
    scheduled_time: str | None = None
    application_id: str = "segment-scorer"
    campaign_id: str = CAMPAIGN
    treatment_id: str = "0"
    include_opted_out: bool = False
    plain_columns: bool = False
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
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    shared: bool = False
    budget: str | None = None
    one_per: str | None = None
    channel_order: str = ""
    suppress: Path | None = None
    treatments: str | None = None
    treatment_salt: str = ""
    value: float | None = None
    cost: float | None = None
    effect: str | None = None
    lift: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a whole run: the campaign in the events, and what is known of the hook.

    knows_decisions  the hook reports every decision; if not, the reason counts stay null
    profile_names    as in the function's setting: which migration named attributes of profiles
    in_process       the function runs in this process: its log and the batches' accounts are known,
                     and so are the drops that modes annotate and shadow do not act on
    writes           people are written to files; False in a rehearsal
    tables           a table of the kept people is requested, so their columns must be counted
    score            what the scores mean, and their range
    score_attribute  attribute that holds the score, read if decisions are not reported; "" = none
    decimals         decimals of scores in files, if decisions are reported
    warnings         sentences on the policy and the campaign, known before the first person
    reach            the share of people that the threshold was chosen to keep; None = another rule
    excludes         the policy's exclude rules: path, reason, condition
    budget, one_per_user, channel_order  who is chosen after the last chunk
    holdout          of the policy, where a deployed function in mode annotate does not tell it
    suppress         path of the file of people who are not sent
    treatments       name of each, and the share of users below which it ends, from 0 to 1
    model, mode, threshold, keep, on_error   as in the summary and the policy; None = unknown
    holdout_percent, holdout_salt_digest, policy_digest   as in the summary; None = unknown
    """

    host: str = "pinpoint"
    scheduled_time: str
    application_id: str = "segment-scorer"
    campaign_id: str = CAMPAIGN
    treatment_id: str = "0"
    activity_id: str
    include_opted_out: bool = False
    plain_columns: bool = False
    profile_names: str = AUTO
    knows_decisions: bool = False
    in_process: bool = False
    writes: bool = True
    tables: bool = False
    score: ScoreKind = RESPONSE
    metric: str = "Score"
    score_attribute: str = "Score"
    decimals: int = 4
    warnings: tuple[str, ...] = ()
    reach: float | None = None
    excludes: tuple[tuple[str, str, str], ...] = ()
    budget: Budget | None = None
    one_per_user: bool = False
    channel_order: tuple[str, ...] = ()
    holdout: Holdout | None = None
    suppress: str = ""
    treatments: tuple[tuple[str, float], ...] = ()
    treatment_salt: str = ""
    model: str | None = None
    mode: str | None = None
    threshold: float | None = None
    keep: str | None = None
    on_error: str | None = None
    holdout_percent: float | None = None
    holdout_salt_digest: str | None = None
    policy_digest: str | None = None

    @property
    def naming(self) -> Naming | None:
        """How attributes of customer profiles are named; None: those of each profile tell it."""
        return NAMINGS.get(self.profile_names)

    @property
    def chooses(self) -> bool:
        """Whether people are chosen after the last chunk."""
        return self.budget is not None or self.one_per_user
