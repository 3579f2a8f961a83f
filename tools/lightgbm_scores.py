"""LightGBM's scores out of fold. Runs in an environment of its own; imports nothing of ours.

`python lightgbm_scores.py IN.npz OUT.npz`: `matrix`, `outcomes`, `fold_of` in; `scores` out.
"""

from __future__ import annotations

import sys

import lightgbm
import numpy as np


def main() -> None:
    """Run as a script."""
    given = np.load(sys.argv[1])
    matrix, outcomes, fold_of = given["matrix"], given["outcomes"], given["fold_of"]
    scores = np.full(len(outcomes), np.nan)
    for fold in range(int(fold_of.max()) + 1):
        train = fold_of != fold
        model = lightgbm.LGBMClassifier(
            n_estimators=200,
            learning_rate=0.05,
            num_leaves=15,
            min_child_samples=20,
            random_state=0,
            n_jobs=1,
            verbose=-1,
        )
        model.fit(matrix[train], outcomes[train])
        scores[~train] = model.predict_proba(matrix[~train])[:, 1]
    np.savez(sys.argv[2], scores=scores)


if __name__ == "__main__":
    main()
