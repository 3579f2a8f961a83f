"""Every tool's --help names a command that can be typed: `python -m` and its module."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def list_parsers() -> dict[str, str]:
    """Module of tools/ -> the program name of its parser; "" if it has none."""
    found = {}
    for file in sorted((ROOT / "tools").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "argparse.ArgumentParser":
                names = [
                    ast.literal_eval(each.value) for each in node.keywords if each.arg == "prog"
                ]
                found[module.removesuffix(".__main__")] = "".join(names)
    return found


def test_every_tool_says_its_own_name() -> None:
    parsers = list_parsers()
    assert {"tools.benchmarks", "tools.scale", "tools.image.build"} <= set(parsers)
    assert parsers == {module: f"python -m {module}" for module in parsers}
