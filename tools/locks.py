"""Compiles the hash-pinned requirement sets from pyproject.toml: `all.txt` first, then the others.

Input: pyproject.toml and the sets that exist. Their pins are preferred, so a new release upstream
changes nothing without `--upgrade`. Output: `requirements/*.txt`, or with `--check` an exit status.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = ROOT / "requirements"
PYPROJECT = ROOT / "pyproject.toml"
LOWEST_PYTHON = "3.11"

EVERY_VERB = [
    *(f"--extra={name}" for name in ("cli", "train", "run", "lift", "service", "aws")),
    "--group=build",
]
# Set -> its extras and groups of pyproject.toml. all.txt comes first and constrains the others, so
# that the image runs the versions that the tests ran.
SETS: dict[str, list[str]] = {
    "all": [*EVERY_VERB, "--group=dev"],
    "function": [],
    "function-dynamodb": ["--extra=aws"],
    "service": ["--extra=service"],
    "run": ["--extra=cli", "--extra=run", "--group=build"],
    "verbs": EVERY_VERB,
    "ray": ["--extra=cli", "--extra=run", "--extra=ray"],
    "foreign": ["--extra=cli", "--extra=train", "--extra=foreign", "--group=foreign-test"],
}
# Dependency groups for environments of their own. They hold nothing of the project, so the pins of
# all.txt would only force older versions. The exception is uv, which the tests also run.
APART = (
    *("uv", "image-tools", "cfn-lint", "sam", "audit", "usual", "uplift"),
    *("checkov", "kubernetes", "compose"),
    *("interop-mlserver", "interop-kserve", "interop-triton", "interop-tritonclient"),
)


def compile_set(name: str, folder: Path, *, upgrade: bool) -> None:
    """Write `folder/name.txt`.

    Keeps the pins of an existing file, and those of `folder/all.txt` for sets that are not apart.
    """
    wanted = ["--group", f"{PYPROJECT}:{name}"] if name in APART else [*SETS[name], str(PYPROJECT)]
    constraint = (
        []
        if name == "all" or (name in APART and name != "uv")
        else ["--constraint", str(folder / "all.txt")]
    )
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"),
        *("--generate-hashes", "--no-annotate", "--python-version", LOWEST_PYTHON),
        *("--custom-compile-command", "make lock", *wanted, *constraint),
        *(["--upgrade"] if upgrade and not constraint else []),
        *("--output-file", str(folder / f"{name}.txt")),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def stale_sets() -> list[str]:
    """Names of the sets whose committed file differs from a fresh compilation."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in (*SETS, *APART):
            committed = HERE / f"{name}.txt"
            if committed.exists():
                (folder / committed.name).write_bytes(committed.read_bytes())
        stale = []
        for name in (*SETS, *APART):
            compile_set(name, folder, upgrade=False)
            committed, fresh = HERE / f"{name}.txt", folder / f"{name}.txt"
            if not committed.exists() or committed.read_bytes() != fresh.read_bytes():
                stale.append(name)
        return stale


def main() -> int:
    """Run the command. Exit status 1: a set is stale or cannot be compiled."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.locks", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a set is stale"
    )
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="write nothing; only fill uv's cache with everything that --check needs",
    )
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest releases that pyproject.toml allows"
    )
    options = parser.parse_args()
    try:
        if options.check or options.fetch:
            stale = stale_sets()
            if options.fetch:
                return 0  # --check reports stale sets
            if stale:
                print(
                    f"requirements/: stale: {', '.join(stale)}; run `make lock` and commit it",
                    file=sys.stderr,
                )
            return 1 if stale else 0
        for name in (*SETS, *APART):
            compile_set(name, HERE, upgrade=options.upgrade)
    except subprocess.CalledProcessError as error:
        print(
            "requirements/: uv could not compile the sets "
            f"(its message is above; status {error.returncode})",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
