"""What an image was built from: version, revision, time and place of its sources.

Input: pyproject.toml, the clone's git and SOURCE_DATE_EPOCH. Output: texts for the image's labels.
Changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tools.image.engine import ImageError

ROOT = Path(__file__).parents[2]
# Everything an image is made of: a file here that git does not track is part of the build too.
SOURCES = (
    "Dockerfile",
    ".dockerignore",
    "function",
    "model",
    "protos",
    "requirements",
    "segment_scorer/__init__.py",
    "segment_scorer/service",
    "tools/image/steps",
)
FILE_TIME = 315_532_800  # 1980-01-01: zip archives know no earlier time
# A repository's address as git writes it: https://[user[:token]@]host/path or [ssh://]user@host:path
ADDRESS = re.compile(
    r"(?:https://(?:[^@/]*@)?|ssh://(?:[^@/]*@)?|[^@/:]+@)(?P<host>[A-Za-z0-9.-]+)"
    r"(?::[0-9]+)?[:/](?P<path>[^?#]+?)(?:\.git)?/?"
)


def read_version() -> str:
    """The project's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def read_revision(root: Path = ROOT) -> str:
    """The commit; `COMMIT-dirty-DIGEST` if the tree differs from it; `unknown` outside a clone.

    DIGEST is of the differences, so that every state of the tree has a revision of its own.
    """
    commit = ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
    if not commit:
        return "unknown"
    changes = ask_git(
        root, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "HEAD"
    )
    untracked = ask_git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *SOURCES)
    for name in untracked.decode().split("\0")[:-1]:
        changes += f"\0{name}\0".encode() + (root / name).read_bytes()
    return f"{commit}-dirty-{hashlib.sha256(changes).hexdigest()[:12]}" if changes else commit


def ask_git(root: Path, *arguments: str) -> bytes:
    """What git prints. Nothing if there is no git, or if git fails, as it does outside a clone."""
    git = shutil.which("git")
    if git is None:
        return b""
    command = [git, "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, check=False).stdout


def read_file_time(environ: Mapping[str, str]) -> int:
    """The time of every file in the image, in seconds since 1970, and of the image itself.

    The same for every commit: so a layer that does not change keeps its digest, whether it was
    built anew or taken from an earlier commit's. SOURCE_DATE_EPOCH comes first. Raises ImageError.
    """
    return read_time(environ) if environ.get("SOURCE_DATE_EPOCH") else FILE_TIME


def read_time(environ: Mapping[str, str], root: Path = ROOT) -> int:
    """The time of the sources, in seconds since 1970: that of the commit.

    SOURCE_DATE_EPOCH comes first (reproducible-builds.org). 0 outside a clone. Raises ImageError.
    """
    given = environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not re.fullmatch(r"[0-9]{1,11}", given, re.ASCII):
            raise ImageError("expected SOURCE_DATE_EPOCH to be whole seconds since 1970")
        return int(given)
    return int(ask_git(root, "log", "-1", "--format=%ct").decode().strip() or 0)


def format_time(epoch: int) -> str:
    """RFC 3339, as the label org.opencontainers.image.created wants it."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_source(root: Path = ROOT) -> str:
    """The address of the clone's `origin`, without a user or a token.

    `unknown` if there is none, or if it is a folder of this machine.
    """
    origin = ask_git(root, "config", "--get", "remote.origin.url").decode().strip()
    found = ADDRESS.fullmatch(origin)
    return f"https://{found['host']}/{found['path']}" if found else "unknown"
