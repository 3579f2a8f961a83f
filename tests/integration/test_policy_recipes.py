"""The recipes of docs/policy.md: each policy and each command, run on CDNOW.

The channels, consents, numbers of messages and tiers are invented.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from segment_scorer.cli.main import main

ROOT = Path(__file__).parents[2]
EVERY = 20  # of the 23,570 people
PEOPLE = 1179
BEST = 100  # in place of 10,000
RECIPE = re.compile(
    r"^### (\d+)\. [^\n]+\n.*?^```toml\n(.*?)^```\n.*?^```console\n\$ ([^\n]+)\n```$",
    re.MULTILINE | re.DOTALL,
)


class Outcome(NamedTuple):
    """What a recipe did: summary, decisions by id, kept endpoints by id."""

    summary: dict[str, Any]
    decisions: dict[str, dict[str, str]]
    kept: dict[str, dict[str, Any]]
    people: dict[str, dict[str, Any]]


def read_recipes() -> dict[str, tuple[str, str]]:
    text = (ROOT / "docs" / "policy.md").read_text("utf-8").partition("\n## Recipes\n")[2]
    return {number: (policy, command) for number, policy, command in RECIPE.findall(text)}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    with (
        gzip.open(
            ROOT / "examples" / "cdnow" / "endpoints.jsonl.gz", "rt", encoding="utf-8"
        ) as file,
        gzip.open(folder / "people.jsonl.gz", "wt", encoding="utf-8") as out,
    ):
        for index, line in enumerate(itertools.islice(file, 0, None, EVERY)):
            person = json.loads(line)
            person["ChannelType"] = ("EMAIL", "SMS", "GCM")[index % 3]
            person["Metrics"]["MessagesLast7Days"] = index % 5
            if index % 10:
                person["Attributes"]["Consent"] = ["yes"]
            out.write(json.dumps(person) + "\n")
    users = [
        person["User"]["UserId"] for person in read_people(folder / "people.jsonl.gz").values()
    ]
    tiers = [f"{user},{'gold' if index % 4 else 'silver'}" for index, user in enumerate(users[::2])]
    (folder / "store.csv").write_text("\n".join(["customer_id,tier", *tiers]), "utf-8")
    build = ["external", "build", str(folder / "store.csv"), "--key", "customer_id"]
    assert main([*build, "--out", str(folder / "external.sqlite")]) == 0
    return folder


def cook(
    number: str,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str] = ("", ""),
) -> Outcome:
    """Run a recipe as the page says, in a folder with the people and the store."""
    policy, command = read_recipes()[number]
    words = shlex.split(command.replace("10000", str(BEST)))
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    assert words.pop(0) == "segment-scorer"
    for name in ("people.jsonl.gz", "external.sqlite"):
        (tmp_path / name).symlink_to(people / name)
    (tmp_path / words[words.index("--policy") + 1]).write_text(policy.replace(*change), "utf-8")
    monkeypatch.chdir(tmp_path)
    time = ["--scheduled-time", "1997-10-01", "--processes", "1"]
    assert main(["policy", "check", words[words.index("--policy") + 1]]) == 0
    assert main([*words, *time]) == 0
    out = tmp_path / words[words.index("--out") + 1]
    assert (out / "report.html").stat().st_size > 100_000
    with (out / "decisions.csv").open(encoding="utf-8", newline="") as table:
        decisions = {row["Id"]: row for row in csv.DictReader(table)}
    return Outcome(
        json.loads((out / "summary.json").read_text("utf-8")),
        decisions,
        read_people(out / "segment.jsonl.gz"),
        read_people(people / "people.jsonl.gz"),
    )


def read_people(path: Path) -> dict[str, dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {person["Id"]: person for person in map(json.loads, file)}


@pytest.fixture
def cooked(
    request: pytest.FixtureRequest,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Outcome:
    """The outcome of the recipe with the test's number."""
    outcome = cook(request.param, people, tmp_path, monkeypatch)
    assert outcome.summary["received"] == PEOPLE
    return outcome


def recipe(number: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cooked", [str(number)], indirect=True)


def test_there_are_ten_recipes() -> None:
    assert list(read_recipes()) == [str(number) for number in range(1, 11)]


@recipe(1)
def test_the_best_are_messaged_exactly(cooked: Outcome) -> None:
    scores = {id_: float(row["score"]) for id_, row in cooked.decisions.items()}
    assert len(cooked.kept) == BEST
    rest = max(score for id_, score in scores.items() if id_ not in cooked.kept)
    assert min(scores[id_] for id_ in cooked.kept) >= rest


@recipe(2)
def test_about_the_best_thirty_percent_are_messaged(cooked: Outcome) -> None:
    assert 0.25 < len(cooked.kept) / PEOPLE < 0.35


@recipe(3)
def test_each_band_has_its_text_on_push_and_sms_and_its_name_in_mails(cooked: Outcome) -> None:
    bands = [row["band"] for row in cooked.decisions.values()]
    assert len(cooked.kept) == PEOPLE
    assert 0.07 < bands.count("best") / PEOPLE < 0.13
    assert 0.25 < bands.count("good") / PEOPLE < 0.35
    for id_, person in cooked.kept.items():
        band = cooked.decisions[id_]["band"]
        assert person["Attributes"]["Band"] == [band]
        override = person.get("TitleOverride")
        titles = {"best": "First pick for you", "good": "New arrivals", "rest": None}
        assert override == (None if person["ChannelType"] == "EMAIL" else titles[band])


@recipe(4)
def test_ten_percent_are_held_out_and_get_nothing(cooked: Outcome) -> None:
    held_out = {id_ for id_, row in cooked.decisions.items() if row["holdout"] == "true"}
    assert 0.07 < len(held_out) / PEOPLE < 0.13
    assert not held_out & set(cooked.kept)
    assert any(cooked.decisions[id_]["selected"] == "true" for id_ in held_out)


@recipe(5)
def test_nobody_without_consent_is_messaged(cooked: Outcome) -> None:
    without = {i for i, person in cooked.people.items() if "Consent" not in person["Attributes"]}
    assert cooked.summary["excluded_by"] == {"no_consent": len(without)}
    assert cooked.kept
    assert not without & set(cooked.kept)


@recipe(6)
def test_nobody_with_three_messages_is_messaged(cooked: Outcome) -> None:
    often = {i for i, p in cooked.people.items() if p["Metrics"]["MessagesLast7Days"] >= 3}
    assert cooked.summary["excluded_by"] == {"frequency_cap": len(often)}
    assert cooked.kept
    assert not often & set(cooked.kept)


@recipe(7)
def test_each_half_gets_its_text(cooked: Outcome) -> None:
    treatments = [row["treatment"] for row in cooked.decisions.values()]
    assert 0.45 < treatments.count("0") / PEOPLE < 0.55
    assert treatments.count("0") + treatments.count("1") == PEOPLE
    titles = {"0": "New arrivals", "1": "Picked for you"}
    for id_, person in cooked.kept.items():
        if person["ChannelType"] != "EMAIL":
            assert person["TitleOverride"] == titles[cooked.decisions[id_]["treatment"]]


@recipe(8)
def test_a_campaign_of_its_own_has_half_in_its_control_group(
    cooked: Outcome, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = sum(row["holdout"] == "true" for row in cooked.decisions.values())
    selected = sum(row["selected"] == "true" for row in cooked.decisions.values())
    assert 0.45 < held_out / PEOPLE < 0.55
    assert 0.5 < selected / PEOPLE < 0.7
    (tmp_path / "other").mkdir()
    other = cook("8", people, tmp_path / "other", monkeypatch, ("winback", "another"))
    held_out = sum(row["holdout"] == "true" for row in other.decisions.values())
    assert 0.07 < held_out / PEOPLE < 0.13


@recipe(9)
def test_shadow_counts_whom_live_leaves_out(
    cooked: Outcome, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cooked.kept == cooked.people
    (tmp_path / "live").mkdir()
    live = cook("9", people, tmp_path / "live", monkeypatch, ('"shadow"', '"filter"'))
    assert cooked.summary["would_filter"] == live.summary["filtered"] > 0


@recipe(10)
def test_a_tier_of_the_store_is_written_into_the_message(cooked: Outcome) -> None:
    known = set(list(cooked.people)[::2])
    written = {i: p["Attributes"].get("Tier") for i, p in cooked.kept.items()}
    assert {i for i, tier in written.items() if tier} == known & set(cooked.kept)
    assert {tuple(tier) for tier in written.values() if tier} == {("gold",), ("silver",)}
