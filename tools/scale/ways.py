"""The arithmetic: what a number of people takes and costs by each way. Reads no file, no clock.

All slopes are per person, times in seconds, sizes in bytes, costs in dollars. A time is
`start + slope x people`: the start falls out of two measured sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tools.image.container import MEGABYTES_A_CPU

HOUR, MONTH_HOURS, KIB, GB = 3600.0, 730.0, 1024, 1e9
PART_BYTES = 8 * KIB * KIB  # a part of an upload to S3, boto3's default
EXPRESS_STEP, EXPRESS_GB = 0.1, 64 / KIB  # express executions are billed in these steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A line through the measurements of two sizes."""

    start: float
    each: float

    def at(self, people: int) -> float:
        """The value for a number of people."""
        return self.start + self.each * people


def draw_slope(small: tuple[int, float], large: tuple[int, float]) -> Slope:
    """The line through two (people, value); it never starts below 0."""
    each = (large[1] - small[1]) / (large[0] - small[0])
    return Slope(start=max(0.0, small[1] - each * small[0]), each=each)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSlopes:
    """The slopes of an engine whose first process reads and writes everything.

    start       seconds until people flow
    processor   processor seconds a person, of all processes
    parent      those of the first process, which nothing can share
    rest        seconds a person by the clock that no core more shortens
    disk        bytes a person in the output folder, at most; packed: of the segment
    parent_memory  bytes of all that is there once; worker_memory: of a worker
    """

    start: float
    processor: float
    parent: float
    rest: float
    disk: float
    packed: float
    output: float
    parent_memory: float
    worker_memory: float

    @property
    def workers(self) -> float:
        """Processor seconds a person that the cores share."""
        return self.processor - self.parent

    @property
    def least(self) -> float:
        """Seconds a person with any number of cores: the first process has its own work to do."""
        return max(self.parent, self.rest)

    @property
    def half_speed_cores(self) -> float:
        """The cores with which a person takes twice as long as with any number of them."""
        return self.workers / (2 * self.least - self.rest)

    @property
    def most_people_a_second(self) -> float:
        """The speed that no number of cores exceeds."""
        return 1 / self.least

    def seconds(self, people: int, cores: int) -> float:
        """By the clock, with a worker a core."""
        return self.start + max(self.parent, self.rest + self.workers / cores) * people

    def memory(self, cores: int) -> float:
        """Of all processes, with a worker a core. The same for any number of people."""
        return self.parent_memory + cores * self.worker_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a number of people takes.

    memory, disk  bytes of the first machine
    pieces        files that the segment must be in
    """

    seconds: float
    dollars: float
    memory: float = 0.0
    disk: float = 0.0
    pieces: int = 1


def estimate_machines(
    engine: EngineSlopes, people: int, *, machines: int, cores: int, hourly: float, prices: Prices
) -> Estimate:
    """The runner on one machine or Ray on several: all are paid until the run ends.

    The first machine has the disk: the segment and the outputs.
    """
    seconds = engine.seconds(people, machines * cores)
    disk = (engine.disk + engine.packed) * people
    hours = seconds / HOUR
    dollars = (
        machines * hourly * hours
        + disk / GB * prices["ebs_gb_month"] * hours / MONTH_HOURS
        + count_requests(engine, people, prices)
    )
    return Estimate(seconds=seconds, dollars=dollars, memory=engine.memory(cores), disk=disk)


def count_requests(engine: EngineSlopes, people: int, prices: Prices) -> float:
    """Dollars of reading a segment from S3 and writing the outputs there."""
    return (
        math.ceil(engine.packed * people / PART_BYTES) * prices["s3_get"]
        + math.ceil(engine.output * people / PART_BYTES) * prices["s3_put"]
    )


Prices = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The state machine of the template.

    batch      people of a call; plain: bytes a person, unpacked
    call       processor seconds of a warm call; memory_mb: the function's memory size
    child      seconds of an express execution, whose overhead was not measured
    log_bytes  of a batch; transitions: of the parent, besides one for each child
    limit      seconds after which the template ends a walk
    """

    batch: int
    plain: float
    call: float
    memory_mb: int
    child: float
    log_bytes: float
    transitions: int
    limit: float

    @property
    def billed_ms(self) -> int:
        """Milliseconds that Lambda bills for a warm call: below 1,769 MB a call has less than a
        core, and takes as much longer."""
        return math.ceil(1000 * self.call / min(1.0, self.memory_mb / MEGABYTES_A_CPU))

    def batches_a_second(self, at_once: int, most_starts: float) -> float:
        """How many batches are started in a second."""
        return min(at_once / self.child, most_starts)


def estimate_walk(
    walk: Walk, people: int, *, at_once: int, prices: Prices, quotas: Mapping[str, float]
) -> Estimate:
    """The state machine with MaxConcurrency `at_once`; files are walked one after another."""
    batches = math.ceil(people / walk.batch)
    pieces = max(
        math.ceil(people * walk.plain / quotas["map_file_bytes"]),
        math.ceil(people / quotas["map_items"]),
    )
    steps = math.ceil(round(walk.child / EXPRESS_STEP, 9))
    per_batch = (
        quotas["map_child_transitions"] * prices["standard_transition"]
        + prices["express_request"]
        + steps * EXPRESS_STEP * EXPRESS_GB * prices["express_gb_second"]
        + prices["lambda_request"]
        + walk.billed_ms / 1000 * walk.memory_mb / KIB * prices["lambda_gb_second"]
        + walk.log_bytes / GB * prices["log_gb"]
    )
    parents = pieces * walk.transitions * prices["standard_transition"]
    return Estimate(
        seconds=batches / walk.batches_a_second(at_once, quotas["map_starts"]),
        dollars=batches * per_batch + parents,
        pieces=pieces,
    )
