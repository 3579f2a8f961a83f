"""Proves the uplift trainer: on campaigns whose truth is known, and beside the field's libraries.

Takes no input; writes docs/uplift.json, and the tables of docs/uplift.md. The exit status is 1 when
a claim fails. The libraries run in `.cache/uplift`, on the same people and folds as ours, and give
scores; ours measures all.
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
    Found,
    bent_effect,
    draw_campaign,
    judge_campaign,
    no_effect,
    steady_effect,
)
from tools.uplift_page import PAGE, fill_page

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "uplift.json"
FIT = ROOT / "tools" / "rivals" / "fit.py"
PYTHON = ROOT / ".cache" / "uplift" / "bin" / "python"
SEED = 0
OURS = ("ours", "a response model")
NOTHING, MOST_CLAIMS = 200, 17  # of campaigns without an effect
KNOWN = 5  # campaigns of each known effect
NOTHING_PEOPLE, KNOWN_PEOPLE = 2_000, 12_000
# claim -> how it is made of what was found, and between which values it should be
Bounds = tuple[float, float]
CLAIMS: dict[str, tuple[Callable[[Sequence[Found]], float], Bounds]] = {
    "rank correlation of scores and true effects": (
        lambda found: float(np.mean([each.rank for each in found])),
        (0.7, 1.0),
    ),
    "calibration: the true effect rises by this when the score rises by one": (
        lambda found: float(np.mean([each.slope for each in found])),
        (0.75, 1.25),
    ),
    "calibration: mean distance of score and true effect by decile": (
        lambda found: float(np.mean([each.distance for each in found])),
        (0.0, 0.03),
    ),
    "of the people clearly put off, the share with a score below 0": (
        lambda found: float(np.mean([each.negative for each in found])),
        (0.5, 1.0),
    ),
    "campaigns in which scores below 0 are confirmed, with the whole interval": (
        lambda found: float(np.mean([each.put_off for each in found])),
        (0.8, 1.0),
    ),
    "campaigns in which the scores are claimed to be better than a lot": (
        lambda found: float(np.mean([each.claims for each in found])),
        (0.95, 1.0),
    ),
}


def simulate_nothing(campaigns: int, people: int = NOTHING_PEOPLE) -> dict[str, Any]:
    """How many campaigns without an effect, seeds 0 and up, are claimed to have one."""
    claimed = 0
    for seed in range(campaigns):
        claimed += judge_campaign(draw_campaign(seed, people, no_effect), seed).claims
        if (seed + 1) % 20 == 0:
            report(f"no effect: {claimed} claims in {seed + 1} campaigns")
    most = MOST_CLAIMS * campaigns / NOTHING
    return {
        "campaigns": campaigns,
        "people": people,
        "claimed": claimed,
        "most": MOST_CLAIMS,
        "holds": claimed <= most,
    }


def simulate_known(
    name: str, effect: Callable[[Floats], Floats], campaigns: int, people: int = KNOWN_PEOPLE
) -> list[dict[str, Any]]:
    """Every claim about campaigns with this effect."""
    found = [judge_campaign(draw_campaign(seed, people, effect), seed) for seed in range(campaigns)]
    chosen = Counter(learner for each in found for learner in each.learners)
    rows = []
    for claim, (sum_up, (low, high)) in CLAIMS.items():
        value = sum_up(found)
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="only these; keep the rest")
    parser.add_argument("--campaigns", type=int, default=NOTHING, help="without an effect")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    out: Path = options.out
    parts = options.part or PARTS
    with limit_threads(0):
        return prove(parts, out, options.campaigns)


def prove(parts: Sequence[str], out: Path, campaigns: int) -> int:
    """Prove the parts, and write the results beside those that `out` has of the others."""
    kept = json.loads(out.read_text("utf-8")) if set(parts) != set(PARTS) and out.exists() else {}
    results: dict[str, Any] = {**kept, "revision": read_revision()}
    if "libraries" in parts:
        results["libraries"] = compare_libraries(read_womens())
    if "known" in parts:
        results["known"] = [
            *simulate_known("a steady effect", steady_effect, KNOWN),
            *simulate_known("a bent effect", bent_effect, KNOWN),
        ]
    if "nothing" in parts:
        results["nothing"] = simulate_nothing(campaigns)
    out.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    if out == OUT:
        PAGE.write_text(fill_page(PAGE.read_text("utf-8"), results), "utf-8")
    holds = [results[part] for part in parts]
    rows = [row for each in holds for row in (each if isinstance(each, list) else [each])]
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
