"""Fits the usual pipeline with the scikit-learn of `.cache/usual`, where it runs.

Input: a folder with people.csv and settings.json. Output: model.joblib in it. The classifier has
the shipped model's parameters, so that both handlers score alike.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

folder = Path(sys.argv[1])
settings = json.loads((folder / "settings.json").read_text())
people = pd.read_csv(folder / "people.csv")
pipeline = Pipeline(
    [
        ("columns", ColumnTransformer([("numbers", "passthrough", settings["columns"])])),
        ("model", HistGradientBoostingClassifier(**settings["parameters"])),
    ]
)
pipeline.fit(people[settings["columns"]], people["outcome"])
joblib.dump(pipeline, folder / "model.joblib")
