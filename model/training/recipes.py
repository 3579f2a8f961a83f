"""How a bundle was made, read from its manifest, so that the same recipe can be fitted again.

A bundle has learnt from some of the people that it is compared on. Its recipe, fitted out of fold,
has learnt from none of those it scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model.bundle import Bundle
from model.errors import DataError, SpecError
from model.features import Matrix
from model.training.fit import fit_choice
from model.training.folds import Folds
from model.training.measures import Scores
from model.training.models import MODELS, ModelChoice, ModelSettings, make_model
from model.training.people import People
from model.training.selection import limit_threads


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecipe:
    """The model and parameters of a bundle, its weights, and whether a sigmoid follows."""

    choice: ModelChoice
    balanced: bool
    calibrated: bool

    @property
    def settings(self) -> ModelSettings:
        """As `fit_choice` takes them."""
        return ModelSettings(model=self.choice.model, balanced=self.balanced)


def read_recipe(manifest: Mapping[str, Any]) -> ModelRecipe | None:
    """The recipe; None if this trainer cannot fit it, such as a model that was brought along."""
    model = manifest.get("model")
    if not isinstance(model, Mapping) or model.get("kind") not in MODELS:
        return None
    parameters = model.get("settings", {})
    if not isinstance(parameters, Mapping):
        return None
    return ModelRecipe(
        choice=ModelChoice(model["kind"], dict(parameters)),
        balanced=model.get("balanced") is True,
        calibrated=manifest.get("calibration") == "sigmoid",
    )


def score_by_recipe(
    bundle: Bundle, matrix: Matrix, people: People, folds: Folds, seed: int
) -> Scores | None:
    """Scores float64 [n] of people by the bundle's recipe, fitted without them; NaN if not scored.

    `matrix` holds the people by the bundle's own spec. None if the recipe cannot be fitted, and for
    a spec with response rates: they are frozen, and learnt from people who may be these.
    """
    recipe = read_recipe(bundle.manifest)
    if recipe is None or any("rates" in feature.options for feature in bundle.spec.features):
        return None
    theirs = replace(people, spec=bundle.spec, matrix=matrix)
    count = len(people.outcomes)
    scores = np.full(count, np.nan)
    try:
        make_model(recipe.settings, recipe.choice, bundle.spec, count, seed)
        for train, test in folds.pairs:
            model = fit_choice(
                recipe.settings, theirs, train, recipe.choice, seed, calibrated=recipe.calibrated
            )
            with limit_threads(count):
                scores[test] = model.predict_proba(matrix[test])[:, 1]
    except (DataError, SpecError, ValueError, TypeError):
        # Users that make no folds within a fold; parameters of another release or of another hand.
        return None
    return scores
