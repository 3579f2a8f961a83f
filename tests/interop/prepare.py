"""Make a virtual environment for each foreign server and client, or for those named.

Each is made from its hash-pinned set, in .cache/interop/.

They stay apart from the tests' packages: two packages with the protocol's messages cannot share a
process.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".cache" / "interop"
PEERS = ("mlserver", "kserve", "triton", "tritonclient")


def find_python(peer: str) -> Path | None:
    """The interpreter of a peer's environment; None where it is not made, or not of today's set."""
    stamp = PLACE / peer / "set"
    return (
        PLACE / peer / "bin" / "python"
        if stamp.exists() and stamp.read_text() == _digest(peer)
        else None
    )


def prepare_peer(peer: str) -> None:
    """Make a peer's environment anew, unless it is there."""
    if find_python(peer):
        return
    print(f"making .cache/interop/{peer}", file=sys.stderr, flush=True)
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run(
        [*uv, "venv", "--clear", "--python", sys.executable, str(PLACE / peer)], check=True
    )
    python = str(PLACE / peer / "bin" / "python")
    subprocess.run(
        [*uv, "pip", "install", "--python", python, "--require-hashes", "-r", str(_find_set(peer))],
        check=True,
    )
    (PLACE / peer / "set").write_text(_digest(peer))


def _find_set(peer: str) -> Path:
    return ROOT / "requirements" / f"interop-{peer}.txt"


def _digest(peer: str) -> str:
    return hashlib.sha256(_find_set(peer).read_bytes()).hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:] or PEERS:
        prepare_peer(name)
