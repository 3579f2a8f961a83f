"""Makes docs/report.png: the top of the report of a demo run, as Chromium shows it.

Run it as `python -m tools.picture`. Needs chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Up to the histogram with the threshold, at the width of the page's text.
WIDTH, HEIGHT = 1000, 1140
COLOURS = 128
SECONDS = 120


def take_picture(report: Path, picture: Path, browser: str) -> None:
    """Write a screenshot of an HTML file, reduced to few colours. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as scratch:
        shot = Path(scratch) / "shot.png"
        options = [
            "--headless",
            "--no-sandbox",  # as root, Chromium starts in no other way; the page is our own
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--user-data-dir={scratch}/profile",
            "--virtual-time-budget=5000",
            f"--screenshot={shot}",
        ]
        subprocess.run(
            [browser, *options, report.resolve().as_uri()],
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        with Image.open(shot) as image:
            image.convert("RGB").quantize(COLOURS).save(picture, optimize=True)


def main() -> int:
    """Run the command; the exit status is 1 when there is no browser or it fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.picture", description="Make docs/report.png from a run of the demo."
    )
    parser.add_argument("--out", type=Path, default=PICTURE, help="default: docs/report.png")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("picture: expected chromium; Debian: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "examples/cdnow/demo.py", "--out", folder]
        try:
            subprocess.run(demo, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            take_picture(Path(folder) / "report.html", options.out, browser)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"picture: {Path(error.cmd[0]).name} failed", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
