"""Every measured figure in a document says the commit it was taken at, itself or in a JSON file."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Times below a second, and durations and sizes in the words of a measurement.
FIGURE = re.compile(
    r"\d (?:ms|µs)\b|\b(?:take|takes|took|needs|in|at most) [\d.,]+ (?:s|MB|GB|minutes)\b"
    r"|largest difference|\| MB \||, [\d.]+ s$|[0-9] endpoints per second|\| [\d.,]+ (?:s|MB|GB)\b",
    re.MULTILINE,
)
COMMIT = re.compile(r"commit `?([0-9a-f]{7,40})\b")
# A section with figures that are made from one of these has their commit.
KEPT = (
    "benchmarks.json",
    "lift-simulations.json",
    "scale.json",
    "training-figures.json",
    "uplift.json",
    "whole-segment.json",
)
MADE = re.compile(
    r"(benchmarks|lift-simulations|scale|uplift|training-figures|whole-segment)\.(?:md|json)"
)
# document, heading -> why its figures are no measurement
LIMITS = {
    ("scoring-service.md", "Metrics"): "limits of buckets, not measurements",
    ("operations.md", "Errors"): "limits, not measurements",
    ("connect.md", "Sizes and times"): "limits, not measurements",
    ("0008-a-time-budget.md", "8. A time budget, not timeouts"): "defaults of settings",
}


def list_sections(document: Path) -> list[tuple[str, str]]:
    """Heading and text of each section. Console blocks of examples belong to it."""
    parts = re.split(r"^(#+ .+)$", document.read_text("utf-8"), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def find_revisions(kept: object) -> list[str]:
    """Every `revision` of a JSON file: of the whole, or of each part."""
    if isinstance(kept, list):
        return [revision for each in kept for revision in find_revisions(each)]
    if not isinstance(kept, dict):
        return []
    own = [kept["revision"]] if "revision" in kept else []
    return own + [revision for each in kept.values() for revision in find_revisions(each)]


def has_commit(text: str) -> bool:
    return bool(COMMIT.search(text) or MADE.search(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_section_with_figures_says_their_commit(document: Path) -> None:
    if document.name == "benchmarks.md":  # one run: its commit is stated once, above all tables
        assert COMMIT.search(document.read_text("utf-8"))
        return
    found = [
        heading
        for heading, text in list_sections(document)
        if FIGURE.search(text)
        and not has_commit(text)
        and (document.name, heading.strip("# ")) not in LIMITS
    ]
    assert found == []


def test_the_commits_exist() -> None:
    named = {
        commit for document in DOCUMENTS for commit in COMMIT.findall(document.read_text("utf-8"))
    }
    for name in KEPT:
        kept = json.loads((ROOT / "docs" / name).read_text("utf-8"))
        found = {revision.partition("-")[0] for revision in find_revisions(kept)}
        assert found, name
        named |= found
    assert len(named) > len(KEPT)
    for commit in named:
        command = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0, commit


def test_an_exception_is_still_needed() -> None:
    sections = {
        (document.name, heading.strip("# "))
        for document in DOCUMENTS
        for heading, text in list_sections(document)
        if FIGURE.search(text) and not has_commit(text)
    }
    assert set(LIMITS) <= sections


def test_the_table_of_training_is_that_of_its_figures() -> None:
    document = (ROOT / "docs" / "training.md").read_text("utf-8")
    sets = json.loads((ROOT / "docs" / "training-figures.json").read_text("utf-8"))["sets"]
    assert {"cdnow", "credit", "hillstrom", "small", "wide-9000"} <= set(sets)
    for found in sets.values():
        assert found["times_plain"] <= 6
        rows = [line for line in document.splitlines() if line.startswith(f"| {found['title']} |")]
        assert any(f"| {found['times_plain']:.2f} |" in row for row in rows), found["title"]
        judged = ("hand_made_logistic", "hand_made_trees", "lightgbm")
        if judged[0] in found:
            cells = [f"{found[key]:.4f}" for key in ("ours", *judged)]
            assert any(all(cell in row for cell in cells) for row in rows), found["title"]
