"""The trees inside any scikit-learn model: found wherever they are, and checked before use.

Takes a fitted estimator, gives its trees. Never scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree

from model.training.foreign.original import ModelRefused

MOST_OBJECTS = 1_000_000  # of a model; a forest of 10,000 trees has fewer


def find_trees(model: Any) -> Iterator[Any]:
    """Every `Tree` and `TreePredictor` in the model's attributes, lists and dictionaries, once."""
    seen: set[int] = set()
    stack = [model]
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if len(seen) > MOST_OBJECTS:
            raise ModelRefused(f"expected a model of at most {MOST_OBJECTS:,} parts, found more")
        if isinstance(found, Tree | TreePredictor):
            yield found
        elif isinstance(found, list | tuple | set):
            stack += found
        elif isinstance(found, dict):
            stack += found.values()
        elif isinstance(found, np.ndarray):
            if found.dtype == object:
                stack += found.ravel().tolist()
        elif isinstance(found, BaseEstimator) or type(found).__module__.startswith("sklearn."):
            stack += vars(found).values() if hasattr(found, "__dict__") else ()


def check_trees(model: Any) -> None:
    """Raise ModelRefused for a tree whose nodes lead nowhere, back, or to a column beyond.

    scikit-learn follows these numbers without a check: a crafted file would read other memory, or
    never end.
    """
    for tree in find_trees(model):
        if isinstance(tree, Tree):
            left, right = tree.children_left, tree.children_right
            inner, column, width = left != -1, tree.feature, tree.n_features
        else:
            nodes = tree.nodes
            left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
            inner, column = nodes["is_leaf"] == 0, nodes["feature_idx"].astype(np.int64)
            width = getattr(model, "n_features_in_", 0)
            places = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
            if len(places) and places.max() >= len(tree.raw_left_cat_bitsets):
                raise ModelRefused("expected trees with the categories of each node, found others")
        here = np.arange(len(left))[inner]
        children = np.stack([left[inner], right[inner]])
        if (
            not len(left)
            or (children <= here).any()
            or (children >= len(left)).any()
            or (column[inner] < 0).any()
            or (column[inner] >= width).any()
        ):
            raise ModelRefused("expected trees whose nodes lead to later ones, found another tree")
