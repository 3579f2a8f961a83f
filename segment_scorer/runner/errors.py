"""Every error that the runner raises on purpose.

A message says what was expected and where. It never contains an id or the content of a line.

SegmentScorerError      (model.errors) any error that this project raises on purpose
├── DataError           (model.errors) the segment: missing file, no people, damaged gzip
├── OptionError         an option of the command
├── HookUnreachable     the hook: nothing listens there, or AWS refuses the call
├── EngineError         the engine: a worker process ended, or Ray is missing
└── OutputError         the output folder: not writable, full, failed upload
    └── OutputTaken     ... it holds another run, or another run is writing to it
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
    """The value of an option cannot be used."""


class HookUnreachable(SegmentScorerError):
    """The hook's address does not answer.

    The function itself did not fail, so the run stops instead of counting everyone as failed.
    """


class EngineError(SegmentScorerError):
    """Worker processes or machines cannot be started, or one of them ended."""


class OutputError(SegmentScorerError):
    """The output folder cannot be used."""


class OutputTaken(OutputError):
    """The output folder holds a finished or unfinished run, or a run is writing to it.

    Options such as --force or --resume say what to do with it.
    """


class RunComplete(OutputTaken):
    """The folder holds a complete run, so there is nothing to resume."""
