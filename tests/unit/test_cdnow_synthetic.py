"""The script that makes many invented people of a few real histories."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from model.document import find_problem

SCRIPT = Path(__file__).parents[2] / "examples" / "cdnow" / "make_synthetic.py"


def make(path: Path, *more: str) -> bytes:
    subprocess.run(
        [sys.executable, str(SCRIPT), "300", "--out", str(path), *more],
        check=True,
        capture_output=True,
    )
    return path.read_bytes()


def test_a_seed_makes_the_same_people_and_another_seed_others(tmp_path: Path) -> None:
    one = make(tmp_path / "one.jsonl")
    assert make(tmp_path / "two.jsonl") == one
    assert gzip.decompress(make(tmp_path / "three.jsonl.gz")) == one
    assert make(tmp_path / "four.jsonl", "--seed", "2") != one


def test_they_are_as_many_usable_endpoints_as_asked_for_none_twice_and_none_real(
    tmp_path: Path,
) -> None:
    people = [json.loads(line) for line in make(tmp_path / "people.jsonl").splitlines()]
    assert len({person["Id"] for person in people}) == 300
    assert not any(find_problem(person) for person in people)
    assert all(
        person["Address"].endswith("@example.invalid") and person["Id"].startswith("synthetic-")
        for person in people
    )
    assert len({person["ChannelType"] for person in people}) > 3
    assert {person["OptOut"] for person in people} == {"ALL", "NONE"}
