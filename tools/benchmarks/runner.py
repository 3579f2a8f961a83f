"""Measures the runner's speed and memory on a synthetic segment, with one process and with two.

Prints endpoints a second (decoding, model, policy, encoding and report included), the ratio of two
processes to one, and the peak memory of all processes together. Run it on an idle machine:
python -m tools.benchmarks.runner
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
EVERY_SECONDS = 0.2


def find_family(process: int) -> Iterator[int]:
    """A process and its descendants."""
    yield process
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from find_family(int(child))
    except OSError:  # the process has just ended
        return


def measure_memory(process: int) -> int:
    """Bytes of a process and its descendants; shared pages count once (PSS)."""
    return sum(map(read_shared, find_family(process)))


def read_shared(pid: int) -> int:
    """Bytes of a process, each shared page divided by its users (PSS); 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def run_once(segment: Path, out: Path, processes: int) -> tuple[float, int, dict[str, int]]:
    """Run the segment; give seconds from first read to last file, peak bytes, and summary."""
    command = [
        sys.executable,
        "-m",
        "segment_scorer.cli.main",
        "run",
        str(segment),
        "--out",
        str(out),
        "--processes",
        str(processes),
    ]
    most, ended = 0, threading.Event()
    with subprocess.Popen(
        [*command, "--scheduled-time", "1997-10-01T00:00:00Z"], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:

        def watch() -> None:
            nonlocal most
            while not ended.wait(EVERY_SECONDS):
                most = max(most, measure_memory(process.pid))

        watcher = threading.Thread(target=watch)
        started = time.monotonic()
        watcher.start()
        status = process.wait()
        seconds = time.monotonic() - started
        ended.set()
        watcher.join()
    if status:
        raise SystemExit(f"expected a clean run, found exit status {status}")
    summary: dict[str, int] = json.loads((out / "summary.json").read_text())
    return seconds, most, summary


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.benchmarks.runner", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="how many endpoints to make")
    parser.add_argument("--segment", type=Path, help="a segment that is there already, instead")
    options = parser.parse_args()
    table = Table("processes", "endpoints", "seconds", "a second", "most memory")
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        segment = options.segment or Path(folder) / "segment.jsonl.gz"
        if options.segment is None:
            maker = [sys.executable, "-m", "examples.cdnow.make_synthetic"]
            subprocess.run(
                [*maker, str(options.count), "--out", str(segment)], check=True, cwd=ROOT
            )
        for processes in (1, 2):
            seconds, most, summary = run_once(segment, Path(folder) / str(processes), processes)
            speeds[processes] = summary["received"] / seconds
            table.add_row(
                str(processes),
                f"{summary['received']:,}",
                f"{seconds:.1f}",
                f"{speeds[processes]:,.0f}",
                f"{most / 1e6:.0f} MB",
            )
    console = Console()
    console.print(table)
    load = Path("/proc/loadavg").read_text().split()[0]
    console.print(
        f"Two processes do {speeds[2] / speeds[1]:.2f} times the work of one. "
        f"Load average at the end: {load}."
    )


if __name__ == "__main__":
    main()
