"""Every relative link of the documents leads to a file that is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCED = re.MULTILINE | re.DOTALL
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def list_documents() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run([*command, "*.md"], capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).exists()]


@pytest.mark.parametrize("name", list_documents())
def test_every_link_leads_somewhere(name: str) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text("utf-8"), flags=FENCED)
    links = {link for link in LINK.findall(text) if "://" not in link}
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


def test_every_page_of_the_docs_is_in_the_index_by_reader() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    linked = set(LINK.findall(index))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= linked


def test_every_path_and_test_of_the_table_of_changes_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.split("\n## What a change touches\n")[1].split("\n## ")[0]
    paths = {word for word in re.findall(r"`([\w./-]+/[\w./-]*)`", table) if "NAME" not in word}
    assert len(paths) > 20
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []
    names = re.findall(r"`(\w+)`(?:, `(\w+)`| and `(\w+)`)* in `([\w./-]+\.py)`", table)
    assert names
    for *words, path in names:
        source = (ROOT / path).read_text("utf-8")
        assert [word for word in words if word and word not in source] == [], path
