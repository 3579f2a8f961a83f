"""The tables of docs/uplift.md: what `tools.prove_uplift` found in, the page with tables out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "uplift.md"


def fill_page(text: str, results: Mapping[str, Any]) -> str:
    """The page with the tables of these results."""
    for name, table in (
        ("libraries", tabulate_libraries(results["libraries"])),
        ("simulations", tabulate_simulations(results)),
    ):
        text = re.sub(
            rf"(<!-- table of uplift\.json: {name} -->\n).*?(<!-- end -->)",
            rf"\g<1>{table}\n\g<2>",
            text,
            count=1,
            flags=re.DOTALL,
        )
    return text


def tabulate_libraries(found: Mapping[str, Any]) -> str:
    """The Qini coefficient of each learner, the best first."""
    rows = sorted(found["learners"], key=lambda row: -row["qini"])
    lines = [f"| {row['learner']} | {row['qini']:.4f} | {row['error']:.4f} |" for row in rows]
    return "\n".join(["| learner | Qini coefficient | standard error |", "|---|---:|---:|", *lines])


def tabulate_simulations(results: Mapping[str, Any]) -> str:
    """What was found in simulated campaigns, and what should be."""
    nothing = results["nothing"]
    lines = [
        f"| {row['effect']}: {row['claim']} | {row['campaigns']} x {row['people']:,} | "
        f"{row['found']:.3f} | {row['expected'][0]:g} to {row['expected'][1]:g} |"
        for row in results["known"]["claims"]
    ]
    lines.append(
        f"| no effect: campaigns that are claimed to have one | {nothing['campaigns']} x "
        f"{nothing['people']:,} | {nothing['claimed']} | at most {nothing['most']} |"
    )
    return "\n".join(
        ["| claim | campaigns x people | found | should be |", "|---|---|---:|---|", *lines]
    )
