"""Make a gRPC server listen on an address given as text.

An address in use is an error. Only the socket of a dead server is ever removed.
"""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import grpc

from segment_scorer.service.errors import ServiceError

# gRPC accepts more forms, but interprets some of them unexpectedly, such as a bare host name.
ADDRESS = re.compile(r"unix:/.+|([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", re.ASCII)
MAX_PORT = 65_535  # gRPC takes a larger number modulo 65,536
CONNECT_SECONDS = 5.0  # limit for the test connection to a socket that exists already


def split_tcp(option: str, address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[host]:port`. Raises ServiceError that names the option."""
    host, _, port = address.rpartition(":")
    if not ADDRESS.fullmatch(address) or address.startswith("unix:") or int(port) > MAX_PORT:
        raise ServiceError(f"{option}: expected host:port or [host]:port")
    return host.strip("[]"), int(port)


def listen(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None
) -> str:
    """Listen on `host:port`, `[host]:port` or `unix:/path`; give the address with its real port.

    Credentials turn TLS on for TCP addresses. Raises ServiceError for a malformed address and for
    one that is not available.
    """
    is_socket = address.startswith("unix:")
    if not ADDRESS.fullmatch(address) or (
        not is_socket and int(address.rpartition(":")[2]) > MAX_PORT
    ):
        raise ServiceError("--listen: expected host:port, [host]:port or unix:/path")
    if is_socket:
        remove_dead_socket(Path(address.removeprefix("unix:")))
    try:
        if credentials and not is_socket:
            port = server.add_secure_port(address, credentials)
        else:
            port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ServiceError(
            f"cannot listen on {address}: "
            + (
                "the path is too long, or its folder is missing or not writable"
                if is_socket
                else "the port is in use or reserved, or the host is not this machine's"
            )
        ) from error
    return address if is_socket else f"{address.rpartition(':')[0]}:{port}"


def remove_dead_socket(path: Path) -> None:
    """Remove the socket that a killed server left at the path.

    Raises ServiceError when a server still listens there, or when the path is no socket. gRPC
    alone would take the path away from a running server, which would go on unreachable and at
    its end remove the new server's socket.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing there; gRPC reports a folder that is missing or closed to us
    where = f"cannot listen on unix:{path}"
    if not stat.S_ISSOCK(mode):
        kinds = ((stat.S_ISDIR, "a directory"), (stat.S_ISLNK, "a symbolic link"))
        found = next((name for is_kind, name in kinds if is_kind(mode)), "a file")
        raise ServiceError(f"{where}: expected a socket or nothing, found {found}")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_SECONDS)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            pass  # the server that made it is gone
        except OSError as error:
            raise ServiceError(
                f"{where}: expected a dead server's socket, found one that does not answer "
                f"({type(error).__name__}); it may be a busy server's or another user's"
            ) from error
        else:
            raise ServiceError(f"{where}: a server is already listening there")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ServiceError(f"{where}: cannot remove a dead server's socket: {reason}") from error
