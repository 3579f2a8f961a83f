"""The usual handler, as in public templates for scikit-learn in Lambda.

Event -> DataFrame -> `predict_proba` -> the same reply as ours. Runs in `.cache/usual`, on the same
features as the shipped model. It checks nothing, logs nothing and has no policy.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

HERE = Path(os.environ["USUAL_MODEL"])
MODEL = joblib.load(HERE / "model.joblib")
SETTINGS = json.loads((HERE / "settings.json").read_text())
COLUMNS, THRESHOLD = SETTINGS["columns"], SETTINGS["threshold"]


def handle(event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001  # Lambda's
    """Score the endpoints; keep those at or above the threshold, with the score as attribute."""
    endpoints = event["Endpoints"]
    frame = pd.DataFrame([endpoint.get("Metrics", {}) for endpoint in endpoints.values()]).reindex(
        columns=COLUMNS
    )
    scores = MODEL.predict_proba(frame)[:, 1]
    reply = {}
    for (id_, endpoint), score in zip(endpoints.items(), scores, strict=True):
        if round(float(score), 4) >= THRESHOLD:
            endpoint.setdefault("Attributes", {})["Score"] = [f"{score:.4f}"]
            reply[id_] = endpoint
    return reply
