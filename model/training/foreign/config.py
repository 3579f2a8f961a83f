"""What a bundling run is asked to do. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from model.people.outcome_columns import USUAL_NAMES, ColumnNames
from model.profile_names import Naming
from model.training.join import Enrich
from model.training.threshold import ThresholdGoal
from model.training.verdict import MARGIN, IfUnclear

MEDIAN = "median"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleConfig:
    """What becomes a bundle, and who it is judged on.

    columns      what the columns of the outcomes file are called
    plain_columns  a column that is no field of an endpoint is an attribute
    naming    of the attributes of customer profiles; None: those of each profile tell it
    predictions  the original's own scores, CSV `Id,score`; needed for bare ONNX
    positive     the label that means "responded", where labels are texts
    fill         "median": missing values become the median of the people given, before the model;
                 "" leaves them to the model
    float32      the original was trained on numbers rounded to float32, and scores such numbers
    """

    model: Path
    features: Path
    endpoints: tuple[Path, ...]
    outcomes: Path
    out: Path
    columns: ColumnNames = USUAL_NAMES
    plain_columns: bool = False
    naming: Naming | None = None
    predictions: Path | None = None
    positive: str | None = None
    fill: str = ""
    float32: bool = False
    as_of: float | None = None
    name: str = "segment-scorer"
    seed: int = 0
    goal: ThresholdGoal = field(default_factory=ThresholdGoal)
    against: Path | None = None
    margin: float = MARGIN
    if_unclear: IfUnclear = IfUnclear.KEEP
    enrich: Enrich | None = None
