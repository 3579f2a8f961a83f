"""An address as text -> a gRPC server that listens there. Never shares an address; removes nothing but a dead server's socket."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import grpc

from segment_scorer.service.errors import ServiceError

# What gRPC would also take, such as a bare name, it understands in ways that nobody means.
ADDRESS = re.compile(r"unix:/.+|([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", re.ASCII)
LARGEST_PORT = 65_535  # gRPC takes a larger one modulo 65,536
ANSWER_SECONDS = 5.0  # for the owner of a socket to take a connection


def listen(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> str:
    """Listen on `host:port`, `[host]:port` (TLS when there are credentials) or `unix:/path`, and give the address with its real port.

    Raises ServiceError for an address that is none, or cannot be had.
    """
    local = address.startswith("unix:")
    if not ADDRESS.fullmatch(address) or (
        not local and int(address.rpartition(":")[2]) > LARGEST_PORT
    ):
        raise ServiceError("expected each address to be host:port, [host]:port or unix:/path")
    if local:
        clear_socket(Path(address.removeprefix("unix:")))
    try:
        port = (
            server.add_secure_port(address, credentials)
            if credentials and not local
            else server.add_insecure_port(address)
        )
    except RuntimeError as error:
        expected = (
            "a short path in a folder that may be written to"
            if local
            else "it to be free and this machine's"
        )
        raise ServiceError(f"cannot listen on {address}: expected {expected}") from error
    return address if local else f"{address.rpartition(':')[0]}:{port}"


def clear_socket(path: Path) -> None:
    """Remove the socket that a killed server left at the path. Raises ServiceError when a server lives there, or it is something else.

    gRPC by itself would take the path from a living server, which would go on, reached by nobody, and remove the new one's at its end.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing there, or not even a folder: gRPC will say
    if not stat.S_ISSOCK(mode):
        raise ServiceError(
            f"cannot listen on unix:{path}: expected a socket or nothing there, not another file"
        )
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(ANSWER_SECONDS)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            pass  # whoever made it is gone
        except OSError as error:  # a server that takes no more, or another user's
            raise ServiceError(
                f"cannot listen on unix:{path}: expected the socket there to be a dead server's"
            ) from error
        else:
            raise ServiceError(
                f"cannot listen on unix:{path}: expected it to be free, and a server answers there"
            )
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(
            f"cannot listen on unix:{path}: expected the dead server's socket there to be this user's"
        ) from error
