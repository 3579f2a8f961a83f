"""A scikit-learn model saved through skops in; an `Original` out. Loads only types listed here."""

from __future__ import annotations

import copy
import io
import warnings
import zipfile
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.tree._tree import Tree

from model.training.export import convert_rounded, round_down
from model.training.foreign.estimators import check_trees, find_trees
from model.training.foreign.original import Exact, ModelRefused, Original
from model.training.foreign.thresholds import Rounder
from model.training.measures import Scores
from model.values import NO, YES

# Besides what skops itself trusts (scikit-learn's public estimators, numpy's arrays). skops leaves
# the first two out because scikit-learn follows the numbers in them unchecked: `check_trees` does.
TRUSTED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.utils._bunch.Bunch",
    "sklearn._loss.link.Interval",
)
MOST_UNPACKED = 2**30  # bytes
MOST_MEMBERS = 200_000
LONGEST_NAME = 100


def read_skops(data: bytes, positive: str | None = None) -> Original:
    """Read the archive. `positive` is the label that means "responded".

    Raises ModelRefused for types that are not trusted, and for all but a classifier of two classes.
    """
    model = load_trusted(data)
    check_trees(model)
    classes = getattr(model, "classes_", None)
    if not hasattr(model, "predict_proba") or not isinstance(classes, np.ndarray):
        raise ModelRefused(
            "expected a fitted classifier with predict_proba, found "
            f"{type(model).__name__[:LONGEST_NAME]}"
        )
    column = find_positive(classes.tolist(), positive)

    def score(rows: Exact) -> Scores:
        with warnings.catch_warnings():
            # A model fitted on a data frame warns about rows without names.
            warnings.simplefilter("ignore")
            found = np.asarray(model.predict_proba(rows), dtype=np.float64)
        return found[:, column]

    names = getattr(model, "feature_names_in_", None)
    return Original(
        format="skops",
        title="A scikit-learn model",
        width=getattr(model, "n_features_in_", None),
        names=None if names is None else tuple(map(str, names)),
        score=score,
        convert=lambda exact: convert_scikit(model, exact),
        column=column,
        settings={"estimator": describe_estimator(model)},
        libraries=("scikit-learn", "skl2onnx", "skops"),
    )


def load_trusted(data: bytes) -> Any:
    """Load the object. Raises ModelRefused for an untrusted type, or an archive out of bounds."""
    import skops.io  # noqa: PLC0415  # an extra of its own

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS or sum(each.file_size for each in members) > (
                MOST_UNPACKED
            ):
                raise ModelRefused(
                    f"expected a model of at most {MOST_UNPACKED:,} bytes unpacked, found more"
                )
        untrusted = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
        if untrusted:
            more = f" and {len(untrusted) - 3} more" if len(untrusted) > 3 else ""
            shown = ", ".join(repr(name[:LONGEST_NAME]) for name in untrusted[:3])
            raise ModelRefused(
                f"expected types of scikit-learn alone, found {shown}{more}; save a LightGBM or "
                "XGBoost model in the format of its own library"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a model of another release, which parity checks
            return skops.io.loads(data, trusted=list(TRUSTED))
    except (zipfile.BadZipFile, *LOADING_ERRORS) as error:
        raise ModelRefused(
            f"expected a model that skops can load, found a file that it refuses "
            f"({type(error).__name__})"
        ) from error


# What skops raises for a damaged archive, or for one of another release of scikit-learn.
LOADING_ERRORS = (
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    OSError,
    EOFError,
)


def find_positive(classes: list[Any], positive: str | None) -> int:
    """The column of the label that means "responded". Raises ModelRefused if that is not clear."""
    if len(classes) != 2:
        raise ModelRefused(f"expected a classifier of two classes, found {len(classes)}")
    texts = [str(label).strip().lower() for label in classes]
    if positive is not None:
        if texts.count(positive.strip().lower()) != 1:
            raise ModelRefused("--positive: expected one of the model's two labels, found another")
        return texts.index(positive.strip().lower())
    known = [text.removesuffix(".0") for text in texts]
    for column in (0, 1):
        if known[column] in YES and known[1 - column] in {*NO, "-1"}:
            return column
    raise ModelRefused(
        "expected the labels 0 and 1, yes and no, or true and false, found others; say with "
        "--positive LABEL which one means that a person responded"
    )


def describe_estimator(model: Any) -> str:
    """The names of the classes of a model: `Pipeline(StandardScaler, LogisticRegression)`."""
    steps = [type(step).__name__ for _, step in getattr(model, "steps", [])]
    inner = f"({', '.join(steps)})" if steps else ""
    return f"{type(model).__name__}{inner}"


def convert_scikit(model: Any, exact: Exact) -> Any:
    """The model as ONNX by skl2onnx, with thresholds that take float32 the same way.

    scikit-learn's `Tree` reads float32 itself, so its thresholds are always rounded down. A
    TreePredictor (HistGradientBoosting) reads what the steps before it make of the people.
    """
    import onnx  # noqa: PLC0415

    model = copy.deepcopy(model)
    before = model[:-1].transform(exact) if isinstance(model, Pipeline) and model[:-1] else exact
    rounder = Rounder(np.asarray(before, dtype=np.float64))
    for tree in find_trees(model):
        if isinstance(tree, Tree):
            tree.threshold[:] = round_down(tree.threshold)
        else:
            nodes = tree.nodes
            columns = nodes["feature_idx"].astype(np.int64)
            nodes["num_threshold"] = rounder.round(columns, nodes["num_threshold"])
    return onnx.load_from_string(convert_rounded(model, exact.shape[1]))
