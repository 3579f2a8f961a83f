"""Machines without this or that: a run still ends as it should, and says what was missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from segment_scorer.runner.asking.hooks import open_local_hook
from segment_scorer.runner.chunks import read_chunks
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.engines.cores import count_cores
from segment_scorer.runner.engines.local import WorkerSetup, process_in_processes
from segment_scorer.runner.preparation import collect_settings
from segment_scorer.runner.reading.segments import find_segment_files
from segment_scorer.runner.reporting.report import find_cache, load_vega
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle

ROOT = Path(__file__).parents[2]
# The charts' program is made once for all tests: it takes 3 s of processor time.
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
# What Kubernetes sets in every container for a Service called `scorer`, and for `scorer-web`
SERVICE = {
    "SCORER_SERVICE_HOST": "10.0.48.109",
    "SCORER_SERVICE_PORT": "8081",
    "SCORER_SERVICE_PORT_GRPC": "8081",
    "SCORER_PORT": "tcp://10.0.48.109:8081",
    "SCORER_PORT_8081_TCP": "tcp://10.0.48.109:8081",
    "SCORER_PORT_8081_TCP_PROTO": "tcp",
    "SCORER_PORT_8081_TCP_PORT": "8081",
    "SCORER_PORT_8081_TCP_ADDR": "10.0.48.109",
    "SCORER_WEB_SERVICE_HOST": "10.0.48.110",
    "SCORER_WEB_PORT": "udp://10.0.48.110:53",
    "SCORER_WEB_PORT_53_UDP_ADDR": "10.0.48.110",
}
POLICY = '[[band]]\nname = "hoch → oben é"\nat_least = 0.0\n'


def command(
    words: Sequence[str | bytes], environ: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "segment_scorer.cli.main", *words],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": CACHE, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="ascii",
        errors="surrogateescape",
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    write_segment(tmp_path / "people.jsonl", [person(i, i / 10) for i in range(10)])
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    (tmp_path / "endpoint.json").write_text(json.dumps(person(1, 0.7)))
    return tmp_path


def test_variables_of_a_kubernetes_service_are_not_settings(folder: Path) -> None:
    words = ["run", "people.jsonl", "--out", "out", "--bundle", "bundle"]
    done = command(words, {"HOME": str(folder), **SERVICE}, folder)
    assert (done.returncode, done.stderr.count("SCORER_")) == (0, 0)


def test_resuming_in_another_pod_is_no_other_run(folder: Path) -> None:
    environ = {**SERVICE, "SCORER_RESERVE_MS": "100"}
    options = RunOptions(segment=[], out=folder, environ=environ)
    assert collect_settings(options) == {"SCORER_RESERVE_MS": "100"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_utf_8_shows_escapes(folder: Path, encoding: str) -> None:
    environ = {"PYTHONIOENCODING": encoding, "HOME": str(folder)}
    checked = command(["policy", "check", "policy.toml", "--bundle", "bundle"], environ, folder)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "hoch \\u2192 oben" in checked.stdout
    words = ["policy", "explain", "--policy", "policy.toml", "--bundle", "bundle"]
    explained = command([*words, "--endpoint", "endpoint.json"], environ, folder)
    assert (explained.returncode, explained.stderr) == (0, "")
    assert "band hoch \\u2192 oben" in explained.stdout


def test_names_of_files_that_are_not_utf_8(folder: Path) -> None:
    for name in ("people.jsonl", "policy.toml"):
        (folder / name).rename(folder / os.fsdecode(b"\xff" + name.encode()))
    with (folder / os.fsdecode(b"\xffpeople.jsonl")).open("a") as file:
        file.write("{broken\n")
    formats = [word for name in ("csv", "parquet", "profiles") for word in ("--also", name)]
    words = ["run", b"\xffpeople.jsonl", "--out", b"\xffout", "--bundle", "bundle"]
    words += ["--policy", b"\xffpolicy.toml", *formats]
    done = command(words, {"HOME": str(folder), "LC_ALL": "C.UTF-8"}, folder)
    assert done.returncode == 4, done.stderr
    assert "written to \\udcffout" in done.stderr
    out = folder / os.fsdecode(b"\xffout")
    assert len(list(out.iterdir())) == 10
    (rejected,) = (out / "rejected.jsonl").read_text("utf-8").splitlines()
    assert json.loads(rejected)["file"] == "\\udcffpeople.jsonl"


def test_without_a_home_folder_the_report_is_written_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", fail)
    assert find_cache() is None
    assert load_vega(lambda: "made") == "made"


def test_a_run_without_docstrings_makes_its_report(folder: Path) -> None:
    words = ["run", "people.jsonl", "--out", "out", "--bundle", "bundle"]
    done = command(words, {"HOME": str(folder), "PYTHONOPTIMIZE": "2"}, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "out" / "report.html").exists()
    helped = command(["run", "--help"], {"PYTHONOPTIMIZE": "2"}, folder)
    assert (helped.returncode, "--out" in helped.stdout) == (0, True)


def test_without_dev_shm_one_process_does_all_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", fail)
    segment = write_segment(tmp_path / "people.jsonl", [person(i, 0.7) for i in range(500)])
    settings = {"SCORER_BUNDLE": str(make_bundle(tmp_path / "bundle"))}
    config = RunConfig(scheduled_time="2026-01-01T00:00:00.000Z", activity_id="a")
    hook = open_local_hook(settings, 15.0)
    warnings: list[str] = []
    results = process_in_processes(
        read_chunks(find_segment_files([str(segment)]), config, 1, warnings.append),
        hook,
        WorkerSetup(hook="local", settings=settings, config=config),
        2,
        warnings.append,
    )
    assert sum(result.counts["received"] for _, result in results) == 500
    (warning,) = warnings
    assert "FileNotFoundError" in warning
    assert "writable /dev/shm" in warning


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V1 = "sys/fs/cgroup/cpu,cpuacct"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "odd\n"}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
          "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 3),
        ({"proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/docker/1\n0::/\n",
          f"{V1}/cpu.cfs_quota_us": "250000\n", f"{V1}/cpu.cfs_period_us": "100000\n"}, 3),
        ({"proc/self/cgroup": "3:cpu,cpuacct:/\n",
          f"{V1}/cpu.cfs_quota_us": "-1\n", f"{V1}/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)  # fmt: skip
def test_the_cpu_quota_of_a_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert count_cores(write(tmp_path, files)) == cores
