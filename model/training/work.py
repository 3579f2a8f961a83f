"""Progress of a stage in rows that models are fitted on, so that the time left can be told."""

from __future__ import annotations

from model.people.progress import Progress


class Work:
    """What a stage has done, of all that it will do."""

    def __init__(self, progress: Progress, stage: str, total: int) -> None:
        self.progress, self.stage, self.total, self.done = progress, stage, total, 0
        progress(stage, 0, total)

    def add(self, rows: int) -> None:
        """Tell that a model was fitted on so many rows."""
        self.done = min(self.done + rows, self.total)
        self.progress(self.stage, self.done, self.total)
