"""The CDNOW segment, 23,570 people, gives the same files through the container as in process."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.image.conftest import ROOT, Start

pytestmark = pytest.mark.image
CUSTOMERS = 23_570


def run_segment(segment: Path, out: Path, hook: str) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "segment_scorer.cli.main",
            "run",
            str(segment),
            "--out",
            str(out),
            "--hook",
            hook,
            "--scheduled-time",
            "1997-09-30",
        ],
        cwd=ROOT,
        check=True,
    )


def test_keeps_and_scores_the_whole_segment_as_the_function_does_in_process(
    start: Start, tmp_path: Path
) -> None:
    subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "cdnow" / "make_endpoints.py"),
            "--out",
            str(tmp_path),
        ],
        check=True,
    )
    segment = tmp_path / "endpoints.jsonl.gz"
    run_segment(segment, tmp_path / "here", "local")
    with start(memory=128) as container:
        run_segment(segment, tmp_path / "container", container.emulator.url)
    here, there = tmp_path / "here", tmp_path / "container"
    summary = json.loads((there / "summary.json").read_text("utf-8"))
    assert summary["received"] == CUSTOMERS
    assert 0 < summary["kept"] < CUSTOMERS
    assert summary["failed"] == 0
    assert (there / "scores.csv").read_bytes() == keep_scores_of_the_kept(here).encode()
    assert gzip.decompress((there / "segment.jsonl.gz").read_bytes()) == gzip.decompress(
        (here / "segment.jsonl.gz").read_bytes()
    )


def keep_scores_of_the_kept(out: Path) -> str:
    """scores.csv as a host can know it: HTTP gives no scores of the people left out."""
    with gzip.open(out / "segment.jsonl.gz", "rt", encoding="utf-8") as file:
        kept = {json.loads(line)["Id"] for line in file}
    header, *rows = (out / "scores.csv").read_text("utf-8").splitlines(keepends=True)
    return header + "".join(row for row in rows if row.partition(",")[0] in kept)
