"""Run inside a base, as root: remove every program except a few that AWS's base surely has.

AWS's base for Python 3.12 and later is Amazon Linux 2023, minimal. It has bash, coreutils-single,
grep, sed and gawk, but no findutils, shadow-utils or tar. Its list of packages:
github.com/amazonlinux/amazon-linux-2023, issue 585. The missing find:
github.com/aws/aws-lambda-base-images, issue 196.
"""

from __future__ import annotations

import os
from pathlib import Path

# The part of them that a build may need. Python keeps its whole folder of programs.
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
