"""Ways to use the function: policies, feature kinds, hosts, a store, a service. Whom each may keep.

Gives events, settings and checks. Bundles and store are made under `.cache/benchmarks/variants/`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from examples.cdnow.external_bundle import make_external_bundle
from function.hosts import HOSTS
from function.hosts.pinpoint import LARGEST_BATCH
from function.records import HostName
from model.customer_profile import document_to_profile
from model.errors import SegmentScorerError
from segment_scorer.external_store.rows import Row
from segment_scorer.external_store.sqlite import write_file
from tools.benchmarks.example import BATCHES, CAMPAIGN, PLACE, ROOT, clean_environ

FOLDER = PLACE / "variants"
POLICIES = Path(__file__).parent / "policies"
SPEC = Path(__file__).parent / "every_kind.toml"
LEARNT = 4_000  # people on whom the model of every kind is trained
GENRES = ("Classical", "Folk", "Jazz", "Rock")
# Id -> score of the people that are kept
Kept: TypeAlias = Mapping[str, float | None]


class AnswerError(SegmentScorerError):
    """A contender gave a wrong answer, so its time means nothing."""


def keep_same(kept: Kept, shipped: Kept, _: Collection[str]) -> bool:
    """The people whom the shipped policy keeps, with the same scores."""
    return kept == shipped


def keep_fewer(kept: Kept, shipped: Kept, _: Collection[str]) -> bool:
    """Some of the people whom the shipped policy keeps."""
    return set() < kept.keys() < shipped.keys()


def keep_some(kept: Kept, _: Kept, everybody: Collection[str]) -> bool:
    """Some people, not all."""
    return set() < kept.keys() < set(everybody)


def keep_everybody(kept: Kept, _: Kept, everybody: Collection[str]) -> bool:
    """All people."""
    return kept.keys() == set(everybody)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to use the function.

    keeps   whether it may keep these people: kept, kept by the shipped policy, everybody
    scored  whether the reply tells scores
    """

    label: str
    keeps: Callable[[Kept, Kept, Collection[str]], bool]
    host: HostName = "pinpoint"
    environ: Mapping[str, str] = field(default_factory=dict)
    scored: bool = True

    def check(self, kept: Kept, shipped: Kept, everybody: Collection[str]) -> None:
        """Check whom it kept of everybody. Raises AnswerError."""
        if not self.keeps(kept, shipped, everybody):
            raise AnswerError(f"{self.label}: it should keep other people")
        if not all(
            (score is not None and 0 <= score <= 1) if self.scored else score is None
            for score in kept.values()
        ):
            raise AnswerError(
                f"{self.label}: expected a score of 0 to 1 of everybody, or of nobody"
            )


SHIPPED = Variant(label="the shipped policy", keeps=keep_some)


def list_variants(service: str) -> tuple[Variant, ...]:
    """All variants, the shipped policy first. `service`: the address of our scoring service."""

    def choose(policy: str) -> dict[str, str]:
        return {"SCORER_POLICY": str(POLICIES / policy)}

    remote = {"SCORER_TARGET": service, "SCORER_FALLBACK": "none"}
    external = {
        "SCORER_BUNDLE": str(FOLDER / "external"),
        "SCORER_EXTERNAL": f"sqlite:{FOLDER / 'external.sqlite'}",
    }
    return (
        SHIPPED,
        Variant(label="bands and a control group", keeps=keep_fewer, environ=choose("bands.toml")),
        Variant(label="an exclude rule", keeps=keep_fewer, environ=choose("exclude.toml")),
        Variant(label="mode annotate", keeps=keep_everybody, environ=choose("annotate.toml")),
        Variant(
            label="mode shadow",
            keeps=keep_everybody,
            environ=choose("shadow.toml"),
            scored=False,
        ),
        Variant(
            label="every kind of feature",
            keeps=keep_some,
            environ={"SCORER_BUNDLE": str(FOLDER / "kinds")},
        ),
        Variant(label="external attributes in SQLite", keeps=keep_same, environ=external),
        Variant(label="our scoring service", keeps=keep_same, environ=remote),
        Variant(label="Amazon Connect", keeps=keep_same, host="connect"),
        Variant(label="over HTTP", keeps=keep_same, host="web"),
    )


def read_kept(host: HostName, reply: object, ids: Collection[str]) -> Kept:
    """Whom a reply keeps, with their scores. Raises ReplyError or AnswerError."""
    entries = HOSTS[host].read_reply(reply, ids)
    if not HOSTS[host].tells_decisions:
        return {id_: read_score(entry) for id_, entry in entries.items()}
    if entries.keys() != set(ids):
        raise AnswerError(f"{host}: expected a decision on everybody")
    return {id_: each["score"] for id_, each in entries.items() if each["decision"] == "keep"}


def read_score(document: Mapping[str, Any]) -> float | None:
    """The score that the policy wrote into a document; None if there is none."""
    texts = document.get("Attributes", {}).get("Score")
    return float(texts[0]) if texts else None


def add_attributes(document: dict[str, Any]) -> dict[str, Any]:
    """A customer with two invented attributes more, the same in every run."""
    number, attributes = zlib.crc32(document["Id"].encode()), document["Attributes"]
    more = {"Newsletter": ["yes" if number % 5 else "no"], "Genre": [GENRES[number % len(GENRES)]]}
    invented = [*attributes["Invented"], *more]
    return {**document, "Attributes": {**attributes, **more, "Invented": invented}}


def make_events(people: Sequence[Mapping[str, Any]]) -> dict[HostName, list[dict[str, Any]]]:
    """The same batches of 50 as each host sends them."""

    def build(host: HostName, batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        if host == "connect":
            entries: dict[str, Any] = {
                document["Id"]: json.dumps(document_to_profile(document)) for document in batch
            }
        else:
            entries = {
                document["Id"]: {key: value for key, value in document.items() if key != "Id"}
                for document in batch
            }
        return HOSTS[host].build_event(entries, CAMPAIGN)

    starts = range(0, min(len(people), BATCHES * LARGEST_BATCH), LARGEST_BATCH)
    return {
        host: [build(host, people[start : start + LARGEST_BATCH]) for start in starts]
        for host in HOSTS
    }


def make_files(people: Sequence[Mapping[str, Any]]) -> None:
    """Make the store, the bundle that reads it, and the bundle with every kind of feature."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_external_bundle(FOLDER / "external")
    rows = (Row(each["Id"], each["User"]["UserId"], each["Metrics"]) for each in people)
    write_file(rows, FOLDER / "external.sqlite")
    train_every_kind(people[:LEARNT])


def train_every_kind(people: Sequence[Mapping[str, Any]]) -> None:
    """Train a model with a feature of every kind, as large as the shipped one."""
    file = FOLDER / "people.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in people), encoding="utf-8")
    command = [sys.executable, "-m", "segment_scorer.cli.main", "train", "--quick"]
    command += ["--endpoints", str(file), "--outcomes", str(PLACE / "outcomes.csv")]
    command += ["--features", str(SPEC), "--as-of", "1997-09-30", "--model", "boosting"]
    done = subprocess.run(
        [*command, "--out", str(FOLDER / "kinds")],
        cwd=ROOT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AnswerError(f"expected a model of every kind: {done.stderr.strip()[-500:]}")
