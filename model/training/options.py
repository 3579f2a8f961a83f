"""What a training was asked for and what it read, as a manifest says it: no path, no time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.bundle import Bundle
from model.errors import DataError
from model.training.config import TrainingConfig

AT_ONCE = 2**20  # bytes


def describe_options(config: TrainingConfig) -> dict[str, Any]:
    """`options`: everything that shapes the model, its figures or the gate."""
    settings, uplift = config.settings, config.uplift
    lot = {} if uplift is None else {"goal": "uplift", "treated_share": uplift.share}
    return {
        **lot,
        "model": settings.model,
        "search": settings.search,
        "balanced": settings.balanced,
        "quick": config.quick,
        "seed": config.seed,
        "reserve": config.reserve,
        "features": "inferred" if config.features is None else "given",
        "external": config.enrich is not None,
        "threshold": config.goal.to_mapping(),
        "margin": config.margin,
        "if_unclear": config.if_unclear.value,
    }


def describe_seen(bundle: Bundle, digest: str) -> list[str]:
    """A sentence if a bundle was trained on the files of this `digest_data`."""
    if bundle.manifest.get("data_sha256") != digest:
        return []
    return [f"{bundle.label} was trained on these very files, so it looks better than it is"]


def digest_data(outcomes: Path, endpoints: Sequence[Path]) -> str:
    """`data_sha256`: SHA-256 of the outcomes file and the endpoint files, as they lie on disk.

    It is that of `cat OUTCOMES ENDPOINTS... | sha256sum`. Raises DataError if one cannot be read.
    """
    digest = hashlib.sha256()
    for path in (outcomes, *endpoints):
        try:
            with path.open("rb") as file:
                while chunk := file.read(AT_ONCE):
                    digest.update(chunk)
        except OSError as error:
            raise DataError(f"{path}: expected a readable file: {error.strerror}") from error
    return digest.hexdigest()
