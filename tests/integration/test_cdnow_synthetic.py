"""The script that invents many people from a few real histories."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from examples.cdnow.make_synthetic import read_metrics, write_synthetic
from model.document import is_typed

ROOT = Path(__file__).parents[2]
COUNT, SEED = 300, 1997


@pytest.fixture(scope="module")
def metrics() -> list[dict[str, float]]:
    return read_metrics()


def make(path: Path, metrics: list[dict[str, float]], seed: int = SEED) -> bytes:
    write_synthetic(path, COUNT, seed, metrics)
    return path.read_bytes()


def test_a_seed_makes_the_same_people_and_another_seed_others(
    tmp_path: Path, metrics: list[dict[str, float]]
) -> None:
    one = make(tmp_path / "one.jsonl", metrics)
    assert make(tmp_path / "two.jsonl", metrics) == one
    assert gzip.decompress(make(tmp_path / "three.jsonl.gz", metrics)) == one
    assert make(tmp_path / "four.jsonl", metrics, seed=2) != one


def test_the_script_writes_the_same_people_in_every_process(
    tmp_path: Path, metrics: list[dict[str, float]]
) -> None:
    out = tmp_path / "people.jsonl"
    command = [sys.executable, "-m", "examples.cdnow.make_synthetic", str(COUNT), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    assert out.read_bytes() == make(tmp_path / "here.jsonl", metrics)


def test_invents_as_many_usable_endpoints_as_requested_each_once_and_none_real(
    tmp_path: Path, metrics: list[dict[str, float]]
) -> None:
    lines = make(tmp_path / "people.jsonl", metrics).splitlines()
    people = [json.loads(line) for line in lines]
    assert len({person["Id"] for person in people}) == COUNT
    assert all(is_typed(person) for person in people)
    assert all(
        person["Address"].endswith("@example.invalid") and person["Id"].startswith("synthetic-")
        for person in people
    )
    assert len({person["ChannelType"] for person in people}) > 3
    assert {person["OptOut"] for person in people} == {"ALL", "NONE"}
