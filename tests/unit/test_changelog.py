"""tools/changelog.py: the Renamed section of the CHANGELOG is the table of renamed names."""

from __future__ import annotations

import pytest

from function.renamed import RENAMED
from tools.changelog import FILE, HEADING, replace_section


def test_the_changelog_lists_every_renamed_name() -> None:
    text = FILE.read_text("utf-8")
    assert replace_section(text) == text, "run `python -m tools.changelog`"
    pairs = [(old, new) for names in RENAMED.values() for old, new in names.items()]
    assert [old for old, new in pairs if f"`{old}` | `{new}`" not in text] == []


def test_only_the_section_is_replaced() -> None:
    before, after = "# Changelog\n\n- One.\n\n", "## 0.0.1\n\n- Two.\n"
    text = replace_section(f"{before}{HEADING}\n\nold words\n\n{after}")
    assert text.startswith(f"{before}{HEADING}\n")
    assert text.endswith(f"\n\n{after}")
    assert "old words" not in text


def test_a_changelog_without_the_section_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected a section"):
        replace_section("# Changelog\n")
