"""The code of the trial before a rollout: a folder that SAM zips and uploads.

`make deploy` writes it to build/trial, where the template expects it, with the golden answers of
this tree. `python -m tools.release.trial_code` does the same for other ways to deploy.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from model.errors import SegmentScorerError
from segment_scorer.deploy.golden import Golden
from tools.release.golden import EVENT, make_tree_golden

ROOT = Path(__file__).parents[2]
# The template's CodeUri, seen from the template.
FOLDER = ROOT / "build" / "trial"
FILES = (
    "segment_scorer/__init__.py",
    "segment_scorer/deploy/__init__.py",
    "segment_scorer/deploy/golden.py",
    "segment_scorer/deploy/pretraffic.py",
)


def write_trial(golden: Golden, folder: Path = FOLDER) -> Path:
    """Write the folder anew, and give it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in FILES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    (folder / "golden.json").write_text(golden.dump(), "utf-8")
    return folder


def main() -> int:
    """Run the command; give the exit status (1 and one sentence for an expected error)."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.trial_code",
        description="Write the code of the trial that judges a new version before it gets calls.",
        epilog="Example: python -m tools.release.trial_code --any-answer",
    )
    parser.add_argument("--event", type=Path, default=EVENT, help="a Pinpoint hook event")
    parser.add_argument(
        "--any-answer",
        action="store_true",
        help="accept any reply of the right form: for an image of another commit",
    )
    options = parser.parse_args()
    try:
        golden = make_tree_golden(os.environ, options.event)
        print(
            f"wrote {write_trial(replace(golden, expected=None) if options.any_answer else golden)}"
        )
    except SegmentScorerError as error:
        print(f"trial_code: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
