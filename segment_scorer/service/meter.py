"""Counts what a process of the service does, in memory that another process can read.

A block is a row of whole numbers: each process writes its own block, and a reader adds the blocks
up. Knows no gRPC channel and no format of metrics.
"""

from __future__ import annotations

import bisect
import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

METHODS = (
    *("ModelInfer", "ModelReady", "ModelMetadata", "ServerLive", "ServerReady", "ServerMetadata"),
    *("Check", "Watch", "ServerReflectionInfo"),
)
STATUSES = tuple(status.name for status in grpc.StatusCode)
# Why a call is refused; errors.Refusal has the reason of each.
REASONS = ("busy", "streams", "too_large", "malformed", "unknown", "late", "failed")
# Upper limits of the buckets of ModelInfer's duration, in seconds. One more bucket has no limit.
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
LIMITS_NS = [round(limit * 1e9) for limit in BUCKETS]
# The layout of a block.
CALLS = 0
REFUSALS = CALLS + len(METHODS) * len(STATUSES)
DURATIONS = REFUSALS + len(REASONS)
NANOSECONDS = DURATIONS + len(BUCKETS) + 1
ROWS = NANOSECONDS + 1
QUEUE = ROWS + 1
CELLS = QUEUE + 1
CELL_BYTES = 8
MEMORY_NAME = "segment-scorer-meters"
_OFFSETS = {
    (method, status): CALLS + row * len(STATUSES) + column
    for row, method in enumerate(METHODS)
    for column, status in enumerate(STATUSES)
}
_REASONS = {reason: REFUSALS + index for index, reason in enumerate(REASONS)}


class Meter:
    """Writes one block. Used by one process, from one thread at a time."""

    def __init__(self, block: memoryview | None = None) -> None:
        """`block` has CELLS numbers; default: memory of this process alone."""
        self._cells = block if block is not None else memoryview(bytearray(CELLS * 8)).cast("q")

    def count_call(self, method: str, status: str) -> None:
        """Count a call that has ended."""
        offset = _OFFSETS.get((method, status))
        if offset is not None:
            self._cells[offset] += 1

    def count_refusal(self, reason: str) -> None:
        """Count a call that was refused."""
        self._cells[_REASONS[reason]] += 1

    def count_inference(self, seconds: float, rows: int) -> None:
        """Count an answered ModelInfer: its duration, and the rows that it scored."""
        taken = int(seconds * 1e9)
        cells = self._cells
        cells[DURATIONS + bisect.bisect_left(LIMITS_NS, taken)] += 1
        cells[NANOSECONDS] += taken
        cells[ROWS] += rows

    def set_queue(self, admitted: int) -> None:
        """Say how many inferences are admitted and not yet answered."""
        self._cells[QUEUE] = admitted

    def read(self) -> MeterSums:
        """This block's numbers."""
        return MeterSums(tuple(self._cells))


@dataclass(frozen=True, slots=True)
class MeterSums:
    """The numbers of one block, or of several added up."""

    cells: tuple[int, ...]

    @property
    def calls(self) -> dict[tuple[str, str], int]:
        """(method, status) -> calls, without zeros."""
        return {key: self.cells[offset] for key, offset in _OFFSETS.items() if self.cells[offset]}

    @property
    def refusals(self) -> dict[str, int]:
        """Reason -> calls, zeros too."""
        return {reason: self.cells[offset] for reason, offset in _REASONS.items()}

    @property
    def durations(self) -> tuple[int, ...]:
        """Answered inferences in each bucket; the last has no limit."""
        return self.cells[DURATIONS:NANOSECONDS]

    @property
    def seconds(self) -> float:
        """Duration of all answered inferences together."""
        return self.cells[NANOSECONDS] / 1e9

    @property
    def rows(self) -> int:
        """Rows scored."""
        return self.cells[ROWS]

    @property
    def queue(self) -> int:
        """Inferences admitted and not yet answered."""
        return self.cells[QUEUE]

    def since(self, earlier: MeterSums) -> MeterSums:
        """What was counted since `earlier`. The queue is today's."""
        pairs = zip(self.cells, earlier.cells, strict=True)
        changes = [now - then for now, then in pairs]
        return MeterSums((*changes[:QUEUE], self.queue))


class Board:
    """Blocks for several processes, in memory that they share by a file descriptor."""

    def __init__(self, blocks: int, descriptor: int | None = None) -> None:
        """`descriptor`: of another process's board; default: a new board of zeros."""
        size = blocks * CELLS * CELL_BYTES
        if descriptor is None:
            descriptor = make_file(size)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, size)
        self._cells = memoryview(self._memory).cast("q")
        self._blocks = blocks

    def block(self, index: int) -> memoryview:
        """The block of one process."""
        return self._cells[index * CELLS : (index + 1) * CELLS]

    def read(self) -> MeterSums:
        """The numbers of all blocks, added up."""
        return add_up([self.block(index) for index in range(self._blocks)])

    def forget_queue(self, index: int) -> None:
        """A process has ended: nothing waits in it any more. Its other numbers stay."""
        self.block(index)[QUEUE] = 0


def add_up(blocks: Sequence[Sequence[int]]) -> MeterSums:
    """The sum of blocks, number by number."""
    return MeterSums(tuple(map(sum, zip(*blocks, strict=True))))


def make_file(size: int) -> int:
    """The descriptor of a file of zeros that has no name; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(MEMORY_NAME)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
