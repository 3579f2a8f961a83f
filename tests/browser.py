"""For tests of pages: what an eye needs, measured in Chromium, and axe-core for screen readers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parent / "axe"
# Luminance of a colour or of a custom property, by WCAG 2.2.
LUMINANCE = """(name) => {
    const style = getComputedStyle(document.documentElement), probe = document.createElement("i");
    probe.style.color = name.startsWith("--") ? style.getPropertyValue(name) : name;
    document.body.append(probe);
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((x) => x / 255)
        .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    probe.remove(); return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]; }"""


def measure_contrast(page: Page, one: str, other: str) -> float:
    """The contrast of two colours: 1 to 21."""
    low, high = sorted(page.evaluate(LUMINANCE, name) for name in (one, other))
    return float((high + 0.05) / (low + 0.05))


def install_axe(folder: Path) -> str:
    """The script of axe-core, by the lock of tests/axe; without npm, the test is skipped."""
    if not shutil.which("npm"):
        pytest.skip("axe-core comes from npm, which is not installed")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(AXE / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--silent", "--ignore-scripts", "--prefix", str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def find_violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds, with every rule on: the rule and the first element."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 10, "axe looked at the page"
    return [f"{each['id']}: {each['nodes'][0]['target']}" for each in found["violations"]]
