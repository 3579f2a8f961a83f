"""The source tree of an earlier commit, beside which today's is measured in the same run.

Taken from the clone's own history, once, into `.cache/benchmarks/`.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from model.errors import SegmentScorerError
from tools.benchmarks.example import PLACE, ROOT


class NoHistory(SegmentScorerError):
    """The commit is not in this clone."""


def provide_tree(commit: str) -> Path:
    """The folder with the tree of a commit. Raises NoHistory."""
    folder = PLACE / f"tree-{commit}"
    if folder.exists():
        return folder
    try:
        packed = subprocess.run(
            ["git", "archive", commit],  # noqa: S607  # the clone's own git
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoHistory(f"the commit {commit} is not in this clone") from error
    fresh = folder.with_name(f"{folder.name}.partial")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tree:
        tree.extractall(fresh, filter="data")
    fresh.rename(folder)
    return folder
