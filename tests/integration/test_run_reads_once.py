"""A local run reads settings, policy and bundle once, and once more in each worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle
from tests.processes import ROOT

# ONNX Runtime opens model.onnx once more, in C++, where no audit hook sees it.
WATCHED = ("policy.toml", "manifest.json", "model.onnx")
# Appends a line to a file for every watched file that is opened, and for every reading of the
# settings. Worker processes import this file again, so they do the same.
RUNNER = """
import json, os, sys
from pathlib import Path
record = Path(os.environ["RECORD"])

def write(name):
    descriptor = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (json.dumps([os.getpid(), name]) + "\\n").encode())
    os.close(descriptor)

def watch_opens(event, arguments):
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        path = os.fspath(arguments[0])
        if os.path.basename(path) in {watched}:
            write(os.path.basename(path))

def watch_calls(frame, event, argument):
    code = frame.f_code
    if event == "call" and code is read_settings.__code__:
        write("settings")

from function.settings import read_settings
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
sys.addaudithook(watch_opens)
sys.setprofile(watch_calls)
if __name__ == "__main__":
    out, bundle, policy, processes, slices, segment = sys.argv[1:]
    run_segment(RunOptions(segment=[segment], out=out, bundle=Path(bundle), policy=Path(policy),
                           processes=int(processes), slices=int(slices)), lambda done, total: None)
    write("end")
""".replace("{watched}", repr(set(WATCHED)))


@pytest.mark.parametrize(("processes", "people"), [(1, 3), (2, 450)])
def test_reads_settings_policy_and_bundle_once_per_process(
    processes: int, people: int, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    (tmp_path / "policy.toml").write_text("threshold = 0.5\n")
    segment = write_segment(tmp_path / "people.jsonl", [person(n, 0.9) for n in range(people)])
    script, record = tmp_path / "run.py", tmp_path / "record.jsonl"
    script.write_text(RUNNER)
    arguments = [tmp_path / "out", bundle, tmp_path / "policy.toml", processes, 1, segment]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "RECORD": str(record)}
    subprocess.run(
        [sys.executable, str(script), *map(str, arguments)], check=True, cwd=ROOT, env=environ
    )
    found: dict[int, Counter[str]] = {}
    for line in record.read_text().splitlines():
        process, name = json.loads(line)
        found.setdefault(process, Counter())[name] += 1
    once = Counter(dict.fromkeys([*WATCHED, "settings"], 1))
    (parent,) = [counts for counts in found.values() if counts["end"]]
    assert parent == once + Counter(["end"])
    workers = [counts for counts in found.values() if not counts["end"]]
    assert len(workers) == (0 if processes == 1 else 2)
    assert all(counts == once for counts in workers)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["received"] == people
