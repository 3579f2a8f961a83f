"""Compiles the hash-pinned requirement sets from pyproject.toml: `all.txt` first, every other set constrained by it.

Takes no input but pyproject.toml and the sets already here (their pins are preferred, so a release upstream changes nothing);
gives `requirements/*.txt`, or with `--check` a failure when one of them is stale. Never upgrades unless told `--upgrade`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PYPROJECT = HERE.parent / "pyproject.toml"
LOWEST_PYTHON = "3.11"

# Programs with an environment of their own under .cache/: nothing of the project is in them, and all.txt's pins would age them.
APART = {"cfn-lint", "sam", "audit"}
# name -> what of pyproject.toml is in it. Order matters: all.txt constrains the rest, so that the image runs what the tests ran.
SETS: dict[str, list[str]] = {
    "all": ["--extra=cli", "--extra=train", "--extra=run", "--extra=service", "--extra=aws", "--group=dev"],
    "function": [],
    "cfn-lint": [f"--group={PYPROJECT}:cfn-lint"],
    "sam": [f"--group={PYPROJECT}:sam"],
    "audit": [f"--group={PYPROJECT}:audit"],
    "service": ["--extra=service"],
    "train": ["--extra=cli", "--extra=train"],
    "run": ["--extra=cli", "--extra=run", "--extra=aws"],
    "ray": ["--extra=cli", "--extra=run", "--extra=ray"],
}


def compile_set(name: str, folder: Path, *, upgrade: bool) -> None:
    """Write `folder/name.txt`, taking the pins that are there and, for what is neither `all` nor apart, those of `folder/all.txt`."""
    constraint = [] if name in {"all", *APART} else ["--constraint", str(folder / "all.txt")]
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate"),
        *("--python-version", LOWEST_PYTHON, "--custom-compile-command", "make lock", *SETS[name], *constraint),
        *(["--upgrade"] if upgrade and name in {"all", *APART} else []),
        *([] if name in APART else [str(PYPROJECT)]),
        *("--output-file", str(folder / f"{name}.txt")),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def stale_sets() -> list[str]:
    """Names of the sets that compile to something else than what is committed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in SETS:
            committed = HERE / f"{name}.txt"
            if committed.exists():
                (folder / committed.name).write_bytes(committed.read_bytes())
        stale = []
        for name in SETS:
            compile_set(name, folder, upgrade=False)
            committed = HERE / f"{name}.txt"
            if not committed.exists() or committed.read_bytes() != (folder / committed.name).read_bytes():
                stale.append(name)
        return stale


def main() -> int:
    """Run the command; the exit status is 1 when a set is stale or cannot be compiled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a set is stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest releases that pyproject.toml allows")
    options = parser.parse_args()
    try:
        if options.check:
            stale = stale_sets()
            if stale:
                print(f"requirements/: stale: {', '.join(stale)}; run `make lock` and commit the result", file=sys.stderr)
            return 1 if stale else 0
        for name in SETS:
            compile_set(name, HERE, upgrade=options.upgrade)
    except subprocess.CalledProcessError as error:
        print(f"requirements/: uv could not compile the sets (its message is above; status {error.returncode})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
