"""Every error `campaign` raises on purpose. A message says what was expected and where, never an id or what a person's line holds.

SegmentScorerError      (model.errors) anything this project raises on purpose
├── DataError           (model.errors) whoever supplies the segment: no file, nothing in it, damaged gzip
├── OptionError         whoever typed the command
├── HookUnreachable     whoever runs the hook: nothing answers there, or AWS refuses
├── EngineError         whoever runs the machines: a worker process ended, or Ray cannot be had
└── OutputError         whoever chose the output folder: not writable, full, an upload that fails
    └── OutputTaken     ... another run's outputs are there, or another run is at work: nothing was begun
"""

from model.errors import DataError, SegmentScorerError

__all__ = [
    "DataError",
    "EngineError",
    "HookUnreachable",
    "OptionError",
    "OutputError",
    "OutputTaken",
    "SegmentScorerError",
]


class OptionError(SegmentScorerError):
    """An option's value cannot be used."""


class HookUnreachable(SegmentScorerError):
    """Nothing answers at the hook's address: no failure of the function, so the run stops instead of counting everybody as failed."""


class EngineError(SegmentScorerError):
    """The processes or machines that walk the chunks cannot be had, or one of them ended."""


class OutputError(SegmentScorerError):
    """The output folder cannot be used."""


class OutputTaken(OutputError):
    """The output folder is another run's, finished, unfinished or at work; it has to be said what becomes of that."""
