"""Runs in a peer's environment: fits the classifier with that environment's scikit-learn. FOLDER with people.npz and params.json.

Writes model.joblib, and scores.npy: what the model itself gives the people asked about, in this process, without any server.
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
