"""Makes golden answers with the function of this tree: its policy and its bundle.

`make deploy` judges the deployed function by them. `python -m tools.release.golden --out FILE`
writes them for a function that judges a version elsewhere (segment_scorer/deploy/golden.py).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from function.bootstrap import build_handler
from model.atomic import write_atomically
from model.errors import SegmentScorerError
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.golden import Golden, make_golden

EVENT = Path(__file__).parents[2] / "examples" / "events" / "cdnow-five-customers.json"
# Settings of an image with a policy or bundle of its own. Others must not change the answers.
TAKEN = ("SCORER_POLICY", "SCORER_BUNDLE")


def make_tree_golden(environ: Mapping[str, str], file: Path = EVENT) -> Golden:
    """The golden answers of this tree, with the policy and bundle that the environment names.

    Raises DeployError for a file that is no Pinpoint event, SettingsError and its kind for a wrong
    policy or bundle.
    """
    try:
        event = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DeployError("expected a readable JSON file as golden event") from error
    if not isinstance(event, dict) or not isinstance(event.get("Endpoints"), dict):
        raise DeployError("expected a Pinpoint hook event as golden event: $.Endpoints, an object")
    settings = {name: environ[name] for name in TAKEN if environ.get(name)}
    reply = build_handler(settings, stream=io.StringIO())(event, None)
    golden = make_golden(event, reply)
    if not golden.expected:
        print(
            "golden: with this policy and bundle the reply to the golden event is empty, so a "
            "function that keeps no one would pass; give an event of your own customers",
            file=sys.stderr,
        )
    return golden


def main() -> int:
    """Run the command; give the exit status (1 and one sentence for an expected error)."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.golden", description="Write the golden answers of this tree."
    )
    parser.add_argument("--event", type=Path, default=EVENT, help="a Pinpoint hook event")
    parser.add_argument("--out", type=Path, required=True, help="golden.json to write")
    options = parser.parse_args()
    try:
        golden = make_tree_golden(os.environ, options.event)
        write_atomically(options.out, golden.dump().encode())
    except SegmentScorerError as error:
        print(f"golden: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
