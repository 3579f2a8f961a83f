"""Writes the "Renamed" section of CHANGELOG.md from the table in `function/renamed.py`.

Run it as `python -m tools.changelog`. With `--check` it only fails if the section is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from function.renamed import RENAMED

FILE = Path(__file__).parents[1] / "CHANGELOG.md"
HEADING = "### Renamed"
SECTION = re.compile(rf"^{HEADING}\n.*?(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def make_section() -> str:
    """The section: one table, a row for each renamed name."""
    rows = [
        f"| {kind} | `{old}` | `{new}` |"
        for kind, names in RENAMED.items()
        for old, new in sorted(names.items())
    ]
    head = "An error about an old setting, policy key, verb or option says the new one."
    return "\n".join([HEADING, "", head, "", "| kind | before | now |", "|---|---|---|", *rows, ""])


def replace_section(text: str) -> str:
    """The changelog with the section as the table has it. Raises ValueError when it has none."""
    if not SECTION.search(text):
        raise ValueError(f"CHANGELOG.md: expected a section {HEADING!r}")
    return SECTION.sub(lambda _: make_section() + "\n", text, count=1)


def main() -> int:
    """Run the command; the exit status is 1 when the section is stale or missing."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.changelog", description="Write the Renamed section of CHANGELOG.md."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when it is stale")
    options = parser.parse_args()
    text = FILE.read_text("utf-8")
    try:
        fresh = replace_section(text)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.check:
        if fresh != text:
            print("CHANGELOG.md: stale; run `python -m tools.changelog`", file=sys.stderr)
        return int(fresh != text)
    FILE.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
