"""Generates the Python of `open_inference.proto`: messages, stubs and types. `--check` compares.

Run it as `python -m tools.stubs` from the root of the project. Needs grpcio-tools, mypy-protobuf.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = ROOT / "protos"
SOURCE = "protos/open_inference.proto"
MADE = (
    "open_inference_pb2.py",
    "open_inference_pb2.pyi",
    "open_inference_pb2_grpc.py",
    "open_inference_pb2_grpc.pyi",
)


def generate_stubs(folder: Path) -> None:
    """Write the four files of `MADE` to `folder/protos/`. Raises CalledProcessError."""
    beside = Path(sys.executable).parent
    plugins = [
        f"--plugin=protoc-gen-{name}={beside / f'protoc-gen-{name}'}"
        for name in ("mypy", "mypy_grpc")
    ]
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python")] + [
        f"--{kind}_out=quiet:{folder}" for kind in ("mypy", "mypy_grpc")
    ]
    # From the root and by this path, so that the stubs import each other as `protos.*`.
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", *plugins, *outputs, SOURCE],
        cwd=ROOT,
        check=True,
    )


def find_drift(folder: Path) -> list[str]:
    """Names of the committed files that differ from those in `folder/protos/`."""
    return [
        name
        for name in MADE
        if not (HERE / name).exists()
        or (HERE / name).read_bytes() != (folder / "protos" / name).read_bytes()
    ]


def main() -> int:
    """Run the command. Exit status 1: a committed file is stale, or protoc failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.stubs", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a committed file differs"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            generate_stubs(folder)
        except subprocess.CalledProcessError as error:
            print(
                f"protos/: protoc refused (its message is above; status {error.returncode})",
                file=sys.stderr,
            )
            return 1
        drift = find_drift(folder)
        if options.check:
            if drift:
                print(
                    f"protos/: stale: {', '.join(drift)}; run `make stubs` and commit the result",
                    file=sys.stderr,
                )
            return 1 if drift else 0
        for name in drift:
            (HERE / name).write_bytes((folder / "protos" / name).read_bytes())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
