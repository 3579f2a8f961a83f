"""Objects in S3, read and written through pyarrow, with AWS's own settings.

Input: s3:// addresses. Raises DataError with AWS's reason, never with a credential.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from segment_scorer.runner.errors import DataError

S3 = "s3://"
GLOB = frozenset("*?[")
READ_AHEAD = 1 << 22  # bytes per request
AWS_REASON = re.compile(r"AWS Error ([A-Z_]+)")
Result = TypeVar("Result")


def ask_s3(name: str, ask: Callable[[Any], Result]) -> Result:
    """Return the result of `ask`, given pyarrow's file system for the address `name`.

    Credentials, region and AWS_ENDPOINT_URL are read as by any AWS client. Raises DataError.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra, slow to import
        from pyarrow import fs  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            f"{name}: S3 needs the package pyarrow, which is not installed; the extra `run` has it"
        ) from error
    if "//" in name.removeprefix(S3):
        raise DataError(
            f"{name}: expected a key without an empty part (//), which Arrow cannot read; "
            "copy the object to another key"
        )
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
    try:
        region = None if endpoint else fs.resolve_s3_region(split_bucket(name)[0])
        return ask(fs.S3FileSystem(endpoint_override=endpoint, region=region))
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{name}: S3 refused the request ({explain_error(error)}). "
            "Check the address, and what the AWS credentials in use may do"
        ) from error


def explain_error(error: Exception) -> str:
    """Name the reason of an error: AWS's, such as `access denied`, or else the system's."""
    if found := AWS_REASON.search(str(error)):
        return found[1].replace("_", " ").lower()
    if isinstance(error, FileNotFoundError):
        return "no such object or bucket"
    return getattr(error, "strerror", None) or type(error).__name__


def split_bucket(name: str) -> tuple[str, str]:
    """Split an s3:// address into bucket and key."""
    bucket, _, key = name.removeprefix(S3).partition("/")
    return bucket, key


def open_object(name: str) -> Any:
    """Open an object for reading at any position. Raises DataError."""
    return ask_s3(name, lambda s3: s3.open_input_file(name.removeprefix(S3)))


def find_objects(text: str) -> list[str]:
    """Find the objects of an s3:// address: one, all below a prefix `.../`, or those of a glob.

    A key or a prefix that exists stands for itself, whatever characters it has. Empty objects whose
    name begins with `_` or `.`, such as `_SUCCESS`, are no segment files. Raises DataError.
    """
    path = text.removeprefix(S3)
    if not path.endswith("/"):
        info = ask_s3(text, lambda s3: s3.get_file_info(path))
        if info.type.name == "Directory":
            raise DataError(f"{text}: expected an object, found a folder; write it as {text}/")
        if info.is_file or GLOB.isdisjoint(path):
            return [text]
    found = list_objects(text, path) if path.endswith("/") else []
    if not found and not GLOB.isdisjoint(path):
        stem = path[: min(path.index(mark) for mark in GLOB if mark in path)]
        pattern = path + "*" if path.endswith("/") else path
        listed = list_objects(text, stem.rpartition("/")[0] + "/")
        found = [name for name in listed if fnmatchcase(name.removeprefix(S3), pattern)]
    if not found:
        raise DataError(f"{text}: expected objects with people in them, found no object")
    return found


def list_objects(text: str, folder: str) -> list[str]:
    """The addresses of all segment files below a folder `bucket/.../`, sorted."""

    def ask(s3: Any) -> list[Any]:
        from pyarrow import fs  # noqa: PLC0415

        selector = fs.FileSelector(folder.rstrip("/"), recursive=True, allow_not_found=True)
        found: list[Any] = s3.get_file_info(selector)
        return found

    return sorted(
        f"{S3}{info.path}"
        for info in ask_s3(text, ask)
        if info.is_file and (info.size or not info.base_name.startswith(("_", ".")))
    )


def read_version(raw: Any) -> str:
    """Read what identifies the content of an open object: its ETag, or else its time of change."""
    facts = raw.metadata() or {}
    tag = facts.get("ETag") or facts.get("Last-Modified") or b""
    return tag.decode(errors="replace") if isinstance(tag, bytes) else str(tag)


def read_object(s3: Any, path: str) -> bytes | None:
    """Read an object; None if it does not exist."""
    if not s3.get_file_info(path).is_file:
        return None
    with s3.open_input_stream(path, compression=None) as file:
        return bytes(file.read())
