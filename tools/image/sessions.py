"""Programs in a session of their own: the members of a session, and the end of all of them.

Input: a process that was started with `start_new_session`. Output: none of its session's processes
left. Linux only, as it reads /proc.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tools.image.engine import ImageError

# These limits only end a wait that would never end; a busy machine stays below them.
STOP_SECONDS = 5.0  # after SIGTERM, before SIGKILL
KILL_SECONDS = 60.0


class SessionError(ImageError):
    """A program that was killed did not end."""


def stop_session(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children: SIGTERM first, then SIGKILL.

    The runtime has a process group of its own, so the members are found by their session.
    """
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while members := find_session(process.pid):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.poll()
        if time.monotonic() > deadline:
            raise SessionError(
                f"expected every process of session {process.pid} to end when killed"
            )
        time.sleep(0.02)
    process.wait()


def find_session(leader: int) -> list[int]:
    """Processes of the session of `leader`, without zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid pgrp session ...; the name may have spaces and brackets.
            state, _, _, session, *_ = entry.read_text(errors="replace").rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found.append(int(entry.parent.name))
    return found


def find_free_port() -> int:
    """A loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
