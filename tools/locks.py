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

ROOT = Path(__file__).parents[1]
HERE = ROOT / "requirements"
PYPROJECT = ROOT / "pyproject.toml"
LOWEST_PYTHON = "3.11"

# name -> what of pyproject.toml is in it. Order matters: all.txt constrains the rest, so that the image runs what the tests ran.
SETS: dict[str, list[str]] = {
    "all": [
        "--extra=cli",
        "--extra=train",
        "--extra=run",
        "--extra=lift",
        "--extra=service",
        "--extra=aws",
        "--group=dev",
    ],
    "function": [],
    "function-dynamodb": ["--extra=aws"],
    "service": ["--extra=service"],
    "train": ["--extra=cli", "--extra=train"],
    "run": ["--extra=cli", "--extra=run", "--extra=aws"],
    "lift": ["--extra=cli", "--extra=lift"],
    "ray": ["--extra=cli", "--extra=run", "--extra=ray"],
}
# Dependency groups compiled under their own names, for environments of their own: nothing of the project is in them, and but for the
# installer, which the tests also run, all.txt's pins would only age them.
APART = (
    *("uv", "image-tools", "cfn-lint", "sam", "audit", "usual"),
    *("interop-mlserver", "interop-kserve", "interop-triton", "interop-tritonclient"),
)


def compile_set(name: str, folder: Path, *, upgrade: bool) -> None:
    """Write `folder/name.txt`, taking the pins that are already there and, for what is not apart, those of `folder/all.txt`."""
    wanted = ["--group", f"{PYPROJECT}:{name}"] if name in APART else [*SETS[name], str(PYPROJECT)]
    constraint = (
        []
        if name == "all" or (name in APART and name != "uv")
        else ["--constraint", str(folder / "all.txt")]
    )
    command = [
        *(
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--generate-hashes",
            "--no-annotate",
        ),
        *(
            "--python-version",
            LOWEST_PYTHON,
            "--custom-compile-command",
            "make lock",
            *wanted,
            *constraint,
        ),
        *(["--upgrade"] if upgrade and not constraint else []),
        *("--output-file", str(folder / f"{name}.txt")),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def stale_sets() -> list[str]:
    """Names of the sets that compile to something else than what is committed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in (*SETS, *APART):
            committed = HERE / f"{name}.txt"
            if committed.exists():
                (folder / committed.name).write_bytes(committed.read_bytes())
        stale = []
        for name in (*SETS, *APART):
            compile_set(name, folder, upgrade=False)
            committed = HERE / f"{name}.txt"
            if (
                not committed.exists()
                or committed.read_bytes() != (folder / committed.name).read_bytes()
            ):
                stale.append(name)
        return stale


def main() -> int:
    """Run the command; the exit status is 1 when a set is stale or cannot be compiled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a set is stale"
    )
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="write nothing; leave in uv's cache what a check asks the index for",
    )
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest releases that pyproject.toml allows"
    )
    options = parser.parse_args()
    try:
        if options.check or options.fetch:
            stale = stale_sets()
            if options.fetch:
                return 0  # stale or not is for the check to say
            if stale:
                print(
                    f"requirements/: stale: {', '.join(stale)}; run `make lock` and commit the result",
                    file=sys.stderr,
                )
            return 1 if stale else 0
        for name in (*SETS, *APART):
            compile_set(name, HERE, upgrade=options.upgrade)
    except subprocess.CalledProcessError as error:
        print(
            f"requirements/: uv could not compile the sets (its message is above; status {error.returncode})",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
