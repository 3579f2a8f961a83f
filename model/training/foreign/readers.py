"""The formats that a foreign model may have: a table whose entry brings everything a format is.

A file's content says which format it is, never its name. To add a format, add an entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from model.errors import DataError, name_failure
from model.regular_file import NotAFileError, read_regular_file
from model.training.foreign.lightgbm_file import read_lightgbm
from model.training.foreign.onnx_model import read_onnx
from model.training.foreign.original import ModelRefused, Original
from model.training.foreign.skops_file import read_skops
from model.training.foreign.xgboost_file import read_xgboost

MOST_BYTES = 512 * 2**20


class Reader(NamedTuple):
    """One format.

    help   what the file is, for people
    fits   whether the first bytes are of this format
    read   the bytes, and the label that means "responded", in; the model out
    """

    help: str
    fits: Callable[[bytes], bool]
    read: Callable[[bytes, str | None], Original]


def is_pickle(head: bytes) -> bool:
    """Whether these are a pickle's first bytes, compressed by joblib or not."""
    return head[:1] == b"\x80" or head[:2] in {b"\x78\x9c", b"\x78\x01", b"\x1f\x8b", b"BZ"}


READERS: dict[str, Reader] = {
    "skops": Reader(
        "scikit-learn, saved by skops.io.dump",
        lambda head: head.startswith(b"PK\x03\x04"),
        read_skops,
    ),
    "lightgbm": Reader(
        "LightGBM, the text of Booster.save_model",
        lambda head: head.startswith((b"tree\n", b"tree\r\n")),
        lambda data, _: read_lightgbm(data),
    ),
    "xgboost": Reader(
        "XGBoost, JSON or UBJSON of save_model",
        # UBJSON: an object whose first key has its length as an integer of some size
        lambda head: re.match(rb'\s*\{\s*"(learner|version)"|\{[iUIlL]', head) is not None,
        lambda data, _: read_xgboost(data),
    ),
    "onnx": Reader(
        "ONNX, with the probabilities of two classes or one score",
        lambda head: head[:1] == b"\x08" or b"onnx" in head[:64],
        lambda data, _: read_onnx(data),
    ),
}
# Files that look like a model but are none of the table's -> what to do
CURES: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (
        is_pickle,
        (
            "a pickle, which is code and is never loaded; save it with skops.io.dump, or in the "
            "format of its own library"
        ),
    ),
    (
        lambda head: b'"tree_info"' in head or b'"feature_names"' in head,
        "LightGBM's JSON dump, which LightGBM itself cannot read back; use Booster.save_model",
    ),
    (
        lambda head: head[:4] == b"binf" or head[:4] == b"bs64",
        "XGBoost's old binary format; save it as JSON or UBJSON",
    ),
)


def read_foreign(path: Path, positive: str | None = None) -> Original:
    """Read a model. `positive`: the label that means "responded", where labels are texts.

    Raises DataError for a file that is no model, ModelRefused for one that no bundle can hold.
    """
    try:
        data = read_regular_file(path, MOST_BYTES)
    except NotAFileError as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: expected a model, found {name_failure(error)}") from error
    head = data[:4096]
    for reader in READERS.values():
        if reader.fits(head):
            try:
                return reader.read(data, positive)
            except ModelRefused as error:
                raise ModelRefused(f"{path}: {error}") from error
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: expected a model, found damaged text") from error
    found = next((cure for fits, cure in CURES if fits(head)), "another file")
    formats = "; ".join(reader.help for reader in READERS.values())
    raise DataError(f"{path}: expected a model ({formats}), found {found}")
