"""The binary of AWS's runtime interface emulator, fetched once by pinned digest."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from model.atomic import replace_atomically
from tools.image.engine import ImageError

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "requirements" / "emulator.txt"
CACHE = ROOT / ".cache" / "emulator"
# Machine as Python names it -> (as the wheel names it, SHA-256 of aws-sam-cli 1.170.0's binary).
BINARIES = {
    "x86_64": ("x86_64", "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5"),
    "aarch64": ("arm64", "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21"),
    "arm64": ("arm64", "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21"),
}


class EmulatorError(ImageError):
    """The emulator cannot be fetched or started."""


def find_pip(scratch: Path) -> str:
    """A Python with pip: this one, or that of a new environment, since some systems have none."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    try:
        venv.create(scratch / "venv", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmulatorError("expected python3 with pip, or with venv to get it") from error
    return str(scratch / "venv" / "bin" / "python")


def fetch_emulator(cache: Path = CACHE) -> Path:
    """Path of the emulator's binary for this machine. Raises EmulatorError.

    Taken from the pinned wheel, unless the cache has it already.
    """
    try:
        name, digest = BINARIES[platform.machine()]
    except KeyError as error:
        raise EmulatorError(
            f"expected a machine that the emulator supports, one of {', '.join(BINARIES)}"
        ) from error
    binary = cache / f"aws-lambda-rie-{digest[:12]}"
    if binary.exists() and hashlib.sha256(binary.read_bytes()).hexdigest() == digest:
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [
            *(
                find_pip(Path(scratch)),
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ),
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(PINNED)),
            *("-d", scratch),
        ]
        if subprocess.run(command, stdout=2, check=False).returncode:
            raise EmulatorError(
                "expected pip to download the wheel with the emulator; its messages are above"
            )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            program = archive.read(f"samcli/local/rapid/aws-lambda-rie-{name}")
        if hashlib.sha256(program).hexdigest() != digest:
            raise EmulatorError(
                "expected the emulator's binary to have the SHA-256 in "
                "tools/image/emulator_binary.py"
            )
        with replace_atomically(binary) as fresh:
            fresh.write_bytes(program)
            fresh.chmod(0o755)
    return binary
