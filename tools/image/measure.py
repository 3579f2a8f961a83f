"""Measures the built image: layers, cold start, warm calls and memory under Lambda's limits.

Input: an image's name. Output: tables in Markdown for docs/image.md. Asserts nothing: times depend
on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from function.hosts.pinpoint import LARGEST_BATCH
from tools.image.build import name_image
from tools.image.container import MEGABYTES_A_CPU, Container, run_container
from tools.image.engine import Engine, ImageError, find_engine

ROOT = Path(__file__).parents[2]
SIZES = (128, 512, MEGABYTES_A_CPU)
MEGABYTE = 1_000_000


def read_layers(engine: Engine, image: str) -> list[tuple[int, str]]:
    """(bytes, instruction) of each layer of the saved image, the base's first.

    Read from the archive, since no engine prints the sizes as plain numbers.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "image.tar"
        engine.ask("save", "--output", str(archive), image)
        with tarfile.open(archive) as tar:
            manifest = json.loads(read_member(tar, "manifest.json"))[0]
            history = json.loads(read_member(tar, manifest["Config"]))["history"]
            sizes = [tar.getmember(layer).size for layer in manifest["Layers"]]
    made = [step.get("created_by", "") for step in history if not step.get("empty_layer")]
    return list(zip(sizes, made, strict=True))


def read_member(tar: tarfile.TarFile, name: str) -> bytes:
    """A file's content. Raises ImageError if the archive has no such file."""
    file = tar.extractfile(name)
    if file is None:
        raise ImageError("expected the engine to save the image as a docker archive")
    return file.read()


def shorten_instruction(instruction: str) -> str:
    """An instruction of the Dockerfile without the engine's additions."""
    return re.sub(r"^.*#[(]nop[)] +|:[0-9a-f]{64}|# buildkit$", "", instruction).strip()


def make_batch(path: Path) -> dict[str, Any]:
    """An event of 50 endpoints, repeated from an example."""
    event: dict[str, Any] = json.loads(path.read_text("utf-8"))
    people = list(event["Endpoints"].values())
    return {
        **event,
        "Endpoints": {f"invented-{row}": people[row % len(people)] for row in range(LARGEST_BATCH)},
    }


def time_call(container: Container, event: Mapping[str, Any]) -> float:
    """Milliseconds of one call over HTTP. Raises ImageError if it gives no reply."""
    started = time.perf_counter()
    answer = container.emulator.post(event)
    elapsed = (time.perf_counter() - started) * 1000
    if answer.status != 200 or b"errorMessage" in answer.body:
        raise ImageError("expected a reply; try `make emulate`")
    return elapsed


def read_resident_peak(container: Container) -> int:
    """Most resident bytes of the function's process, with the file pages that it shares."""
    status = container.ask(
        "sh",
        "-c",
        "for p in /proc/[0-9]*; do grep -q awslambdaric $p/cmdline && grep VmHWM $p/status; done",
    )
    return max(int(kilobytes) * 1024 for kilobytes in re.findall(r"VmHWM:\s+(\d+) kB", status))


def measure_memory_size(engine: Engine, image: str, memory: int, starts: int, calls: int) -> str:
    """One row of the table: cold starts in fresh containers, then warm calls in the last one."""
    event = make_batch(ROOT / "examples" / "events" / "cdnow-five-customers.json")
    cold = []
    for start in range(starts):
        with run_container(engine, image, memory=memory, share_cpu=True) as container:
            cold.append(time_call(container, event))
            if start == starts - 1:
                warm = [time_call(container, event) for _ in range(calls)]
                charged, resident = container.read_peak_memory(), read_resident_peak(container)
    ordered = statistics.quantiles(warm, n=100)
    cells = [
        f"{memory} MB, {memory / MEGABYTES_A_CPU:.2f} vCPU",
        f"{statistics.median(cold):,.0f} ms (worst of {starts}: {max(cold):,.0f})",
        f"{ordered[49]:.1f} ms",
        f"{ordered[98]:.1f} ms",
        f"{resident / MEGABYTE:.0f} MB",
        f"{charged / MEGABYTE:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.image.measure", description="Measure the built image."
    )
    parser.add_argument("--image", help="default: the one that TARGET, FUNCTION_SET and ARCH name")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    try:
        engine, image = find_engine(), options.image or name_image(os.environ)
        print("| layer | MB |\n|---|---|")
        for size, instruction in read_layers(engine, image):
            print(f"| `{shorten_instruction(instruction)}` | {size / MEGABYTE:.1f} |")
        print(
            f"\n| limits | first call | warm p50 ({LARGEST_BATCH} endpoints) | warm p99 "
            "| peak resident | peak charged |"
        )
        print("|---|---|---|---|---|---|")
        for memory in SIZES:
            print(
                measure_memory_size(engine, image, memory, options.starts, options.calls),
                flush=True,
            )
    except ImageError as error:
        print(f"measure: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
