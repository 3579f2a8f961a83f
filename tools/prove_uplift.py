"""Proves the uplift trainer: on campaigns whose truth is known, and beside the field's libraries.

Takes no input; writes docs/uplift.json, and the tables of docs/uplift.md. The exit status is 1 when
a claim fails. The libraries run in `.cache/uplift`, on the same people and folds as ours, and give
scores; ours measures all. Campaigns without an effect can be judged in ranges of seeds, by several
processes, and merged: `--seeds 0:100 --out a.json`, `--seeds 100:200 --out b.json`, `--merge a.json
b.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.training.measures import resample_weights
from model.training.models import AUTO
from model.training.selection import limit_threads
from model.training.uplift.campaign import UpliftPeople, split_users
from model.training.uplift.cross_validation import score_responses
from model.training.uplift.measures import Floats, Uplift
from model.training.uplift.selection import fit_effect
from tools.hillstrom_campaign import read_womens
from tools.image.provenance import read_revision
from tools.simulated_uplift import (
    FOLDS,
    bent_effect,
    draw_campaign,
    judge_campaign,
    steady_effect,
)
from tools.uplift_page import PAGE, fill_page
from tools.uplift_ranges import (
    RangeError,
    judge_range,
    merge_ranges,
    parse_seeds,
    read_range,
    write_range,
)

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "uplift.json"
FIT = ROOT / "tools" / "rivals" / "fit.py"
PYTHON = ROOT / ".cache" / "uplift" / "bin" / "python"
SEED = 0
OURS = ("ours", "a response model")
NOTHING, MOST_CLAIMS = 200, 17  # of campaigns without an effect
KNOWN = 5  # campaigns of each known effect
NOTHING_PEOPLE, KNOWN_PEOPLE = 2_000, 12_000
# claim -> the figure of `Found` whose mean it is, and between which values it should be
Bounds = tuple[float, float]
CLAIMS: dict[str, tuple[str, Bounds]] = {
    "rank correlation of scores and true effects": ("rank", (0.7, 1.0)),
    "calibration: the true effect rises by this when the score rises by one": (
        "slope",
        (0.75, 1.25),
    ),
    "calibration: mean distance of score and true effect by decile": ("distance", (0.0, 0.03)),
    "of the people clearly put off, the share with a score below 0": ("negative", (0.5, 1.0)),
    "campaigns in which scores below 0 are confirmed, with the whole interval": (
        "put_off",
        (0.8, 1.0),
    ),
    "campaigns in which the scores are claimed to be better than a lot": ("claims", (0.95, 1.0)),
}


def simulate_known(
    name: str, effect: Callable[[Floats], Floats], campaigns: int, people: int = KNOWN_PEOPLE
) -> list[dict[str, Any]]:
    """Every claim about campaigns with this effect."""
    found = []
    for seed in range(campaigns):
        found.append(judge_campaign(draw_campaign(seed, people, effect), seed))
        report(f"{name}: campaign {seed + 1} of {campaigns}")
    chosen = Counter(learner for each in found for learner in each.learners)
    rows = []
    for claim, (figure, (low, high)) in CLAIMS.items():
        value = float(np.mean([getattr(each, figure) for each in found]))
        rows.append(
            {
                "effect": name,
                "claim": claim,
                "campaigns": campaigns,
                "people": people,
                "found": round(value, 4),
                "expected": [low, high],
                "learners": dict(chosen),
                "holds": low <= value <= high,
            }
        )
        report(f"{name}: {claim}: {value:.4f}")
    return rows


def compare_libraries(campaign: UpliftPeople) -> dict[str, Any]:
    """The Qini coefficient of each learner, out of fold on the same folds, and of ours."""
    pairs = split_users(campaign, FOLDS, SEED)
    scores = {name: np.empty(len(campaign.outcomes)) for name in OURS}
    for train, test in pairs:
        part = campaign.choose(train)
        model = fit_effect(part, None, AUTO, SEED)
        scores[OURS[0]][test] = model.predict(campaign.matrix[test])
        scores[OURS[1]][test] = score_responses(part, campaign.matrix[test], SEED)
    report("ours is scored")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "people.npz"
        fold = np.empty(len(campaign.outcomes), dtype=np.int64)
        for number, (_, test) in enumerate(pairs):
            fold[test] = number
        np.savez(
            data,
            matrix=campaign.matrix,
            outcomes=campaign.outcomes,
            treated=campaign.treated,
            fold=fold,
        )
        out = Path(folder) / "scores.npz"
        subprocess.run([str(PYTHON), str(FIT), str(data), str(out)], check=True)
        with np.load(out) as theirs:
            scores |= {name: theirs[name] for name in theirs.files if name != "check"}
            check = float(theirs["check"])
    rows = [measure_learner(name, values, campaign) for name, values in scores.items()]
    theirs_best = max(
        (row for row in rows if row["learner"] not in OURS),
        key=lambda row: row["qini"],
    )
    ours = rows[0]
    least = theirs_best["qini"] - theirs_best["error"]
    return {
        "people": len(campaign.outcomes),
        "folds": FOLDS,
        "learners": rows,
        # Of scikit-uplift's own two logistic models, by its own `qini_auc_score`.
        "check": round(check, 6),
        "best": theirs_best["learner"],
        "least": round(least, 6),
        "holds": bool(ours["qini"] >= least),
    }


def measure_learner(name: str, scores: Floats, campaign: UpliftPeople) -> dict[str, Any]:
    """The Qini coefficient with its standard error, by resampling users."""
    uplift = Uplift(scores, campaign)
    drawn = [uplift.measure(weights)[0][0] for weights in resample_weights(campaign.groups, SEED)]
    qini = float(uplift.measure()[0][0])
    report(f"{name}: Qini {qini:.4f}")
    return {"learner": name, "qini": round(qini, 6), "error": round(float(np.std(drawn)), 6)}


def report(sentence: str) -> None:
    """Say it at once."""
    print(sentence, flush=True)


PARTS = ("libraries", "known", "nothing")


def main() -> int:
    """Run the command."""
    options = parse_arguments()
    revision = read_revision()  # before anything runs: the tree may change meanwhile
    try:
        if options.merge:
            ranges = [read_range(path) for path in options.merge]
            nothing = merge_ranges(ranges, NOTHING, MOST_CLAIMS)
            return write_results({"nothing": nothing}, options.out or OUT)
        with limit_threads(0):
            if options.seeds:
                start, stop = options.seeds
                part = judge_range(start, stop, NOTHING_PEOPLE, revision, report)
                write_range(part, options.out)
                return 0
            return write_results(prove(options.part or PARTS, revision), options.out or OUT)
    except RangeError as error:
        report(str(error))
        return 1


def parse_arguments() -> argparse.Namespace:
    """The options, those that go together."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.prove_uplift", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="only these; keep the rest")
    parser.add_argument(
        "--seeds",
        type=parse_seeds,
        metavar="FIRST:AFTER_LAST",
        help="only these campaigns without an effect, into --out, a file for --merge",
    )
    parser.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="files of --seeds, which together have all seeds",
    )
    parser.add_argument("--out", type=Path, help="file to write. Default: docs/uplift.json")
    options = parser.parse_args()
    if sum(map(bool, (options.part, options.seeds, options.merge))) > 1:
        parser.error("expected one of --part, --seeds and --merge")
    if options.seeds and options.out is None:
        parser.error("--seeds: expected --out, the file for --merge")
    return options


def prove(parts: Sequence[str], revision: str) -> dict[str, Any]:
    """Prove these parts. Each names the commit that it was proven at."""
    results: dict[str, Any] = {}
    if "libraries" in parts:
        results["libraries"] = {"revision": revision, **compare_libraries(read_womens())}
    if "known" in parts:
        claims = [
            *simulate_known("a steady effect", steady_effect, KNOWN),
            *simulate_known("a bent effect", bent_effect, KNOWN),
        ]
        holds = all(row["holds"] for row in claims)
        results["known"] = {"revision": revision, "claims": claims, "holds": holds}
    if "nothing" in parts:
        part = judge_range(0, NOTHING, NOTHING_PEOPLE, revision, report)
        results["nothing"] = merge_ranges([part], NOTHING, MOST_CLAIMS)
    return results


def write_results(results: dict[str, Any], out: Path) -> int:
    """Write the results beside those that `out` has of the other parts; 1 if a claim fails."""
    kept = json.loads(out.read_text("utf-8")) if out.exists() else {}
    merged = {**kept, **results}
    out.write_text(json.dumps(merged, indent=2) + "\n", "utf-8")
    if out == OUT:
        PAGE.write_text(fill_page(PAGE.read_text("utf-8"), merged), "utf-8")
    return 0 if all(part["holds"] for part in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
