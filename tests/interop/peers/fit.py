"""Runs in a peer's environment: fits the classifier with its scikit-learn.

Argument: a FOLDER with people.npz and params.json.

Writes model.joblib, and scores.npy: the model's scores in this process, without a server.
"""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

folder = Path(sys.argv[1])
people = np.load(folder / "people.npz")
model = HistGradientBoostingClassifier(**json.loads((folder / "params.json").read_text()))
model.fit(people["matrix"], people["outcomes"])
joblib.dump(model, folder / "model.joblib")
np.save(folder / "scores.npy", model.predict_proba(people["asked"])[:, 1])
