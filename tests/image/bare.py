"""Run inside a base, as root: remove every program but a few that AWS's own base for Python 3.12 and later has for certain.

That base is Amazon Linux 2023, minimal: of what a build may want it has bash, coreutils-single, grep, sed and gawk; no findutils,
shadow-utils or tar. Its list of packages: github.com/amazonlinux/amazon-linux-2023, issue 585; the missing find:
aws/aws-lambda-base-images, issue 196.
"""

from __future__ import annotations

import os
from pathlib import Path

# A part of what is there: what a build may sensibly ask for. Python comes with its whole folder of programs.
KEPT = {
    "sh",
    "bash",
    "dash",
    "[",
    "cat",
    "chmod",
    "cp",
    "echo",
    "env",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "rmdir",
    "test",
    "touch",
    "true",
}
FOLDERS = ("/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin")

for folder in map(Path, FOLDERS):
    for program in folder.iterdir() if folder.exists() else ():
        if program.name not in KEPT and not program.name.startswith("python"):
            program.unlink(missing_ok=True)
Path(__file__).unlink()
assert not any(
    os.access(f"{folder}/{name}", os.X_OK)
    for folder in FOLDERS
    for name in ("find", "xargs", "tar", "useradd", "su", "ldconfig")
)
