"""docs/whole-segment.json, and the recount behind it: what it claims, it can also deny."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle
from tools.prove_whole_segment import OUT, POLICY, list_claims

BUDGET = 60


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    chance = random.Random(2)
    people = [
        {**person(n, chance.random()), "User": {"UserId": f"u{chance.randrange(250)}"}}
        for n in range(600)
    ]
    (folder / "policy.toml").write_text("threshold = 0.3\n" + POLICY)
    for name, budget, one_per in (("whole", None, None), ("chosen", str(BUDGET), "user")):
        options = RunOptions(
            segment=[write_segment(folder / "people.jsonl", people)],
            out=folder / name,
            bundle=make_bundle(folder / f"bundle-{name}"),
            policy=folder / "policy.toml",
            scheduled_time="2026-01-01",
            budget=budget,
            one_per=one_per,
        )
        run_segment(options, lambda *_: None)
    return folder


def test_the_recount_finds_that_every_claim_holds(runs: Path) -> None:
    claims = dict(list_claims(runs / "whole", runs / "chosen", BUDGET))
    assert len(claims) == 9
    assert all(claims.values()), claims


@pytest.mark.parametrize("change", ["one more", "one fewer", "another", "not sent"])
def test_the_recount_notices_a_single_wrong_person(runs: Path, tmp_path: Path, change: str) -> None:
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for file in ("segment.jsonl.gz", "summary.json"):
        (chosen / file).symlink_to(runs / "chosen" / file)
    lines = (runs / "chosen" / "decisions.csv").read_text().splitlines()
    inside = next(n for n, line in enumerate(lines) if ",true,false,true,score," in line)
    outside = next(n for n, line in enumerate(lines) if ",false,false,false,budget," in line)
    if change not in {"one fewer", "not sent"}:
        lines[outside] = lines[outside].replace(",false,false,false,", ",true,false,true,")
    if change in {"one fewer", "another"}:
        lines[inside] = lines[inside].replace(",true,false,true,", ",false,false,false,")
    if change == "not sent":
        lines[inside] = lines[inside].replace(",true,false,true,", ",true,false,false,")
    (chosen / "decisions.csv").write_text("\n".join(lines) + "\n")
    claims = dict(list_claims(runs / "whole", chosen, BUDGET))
    assert not all(claims.values())


def test_every_claim_of_the_committed_proof_holds() -> None:
    found = json.loads(OUT.read_text("utf-8"))
    assert found["people"] >= 2_000_000
    assert len(found["claims"]) == 10
    assert all(each["holds"] for each in found["claims"])
