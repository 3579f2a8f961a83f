"""What a training run is asked to do. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from model.people.outcome_columns import USUAL_NAMES, ColumnNames
from model.profile_names import Naming
from model.training.join import Enrich
from model.training.models import AUTO, ModelSettings
from model.training.threshold import ThresholdGoal
from model.training.verdict import MARGIN, IfUnclear


@dataclass(frozen=True, slots=True, kw_only=True)
class UpliftConfig:
    """How to learn what a message changes.

    run      folder of a run of ours whose people to learn from; None if `columns.treated` of the
             outcomes says who was messaged
    share    the share of users whom chance should message; None to estimate it
    learner  a key of `model.training.uplift.learners.LEARNERS`, or "auto"
    """

    run: Path | None = None
    share: float | None = None
    learner: str = AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """What to train from, and where the bundle goes.

    features  feature spec; None to infer one
    as_of     reference time of ages, seconds since 1970 UTC; None for the outcomes' dates, if any
    against   the bundle in use (the incumbent)
    margin    how much worse than the incumbent the new model may be, in ROC AUC and Brier score
    reserve   share of users never learnt from, so that models can be compared on unseen people
    if_unclear  whether the incumbent stays if no comparison can tell
    quick     choose the model once, on all people: the figures are then a little too good
    enrich    adds external attributes to documents
    columns   what the columns of the outcomes file are called
    plain_columns  an endpoint table's columns without a group, such as `Age`, are attributes
    naming    of the attributes of customer profiles; None: those of each profile tell it
    """

    endpoints: tuple[Path, ...]
    outcomes: Path
    out: Path
    features: Path | None = None
    as_of: float | None = None
    name: str = "segment-scorer"
    seed: int = 0
    settings: ModelSettings = field(default_factory=ModelSettings)
    goal: ThresholdGoal = field(default_factory=ThresholdGoal)
    against: Path | None = None
    margin: float = MARGIN
    if_unclear: IfUnclear = IfUnclear.KEEP
    reserve: float = 0.0
    quick: bool = False
    enrich: Enrich | None = None
    columns: ColumnNames = USUAL_NAMES
    plain_columns: bool = False
    naming: Naming | None = None
    uplift: UpliftConfig | None = None
