"""Small readers of untrusted JSON that the hosts share, and Lambda's limit of a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from function.records import Batch
from model.document_types import Readable
from model.paths import ReadPath, find_problem

# 6 MB a synchronous invocation. Beyond this many bytes the runtime interface emulator refuses the
# reply, and its process ends.
LARGEST_REPLY = 6_291_556


def read_text(mapping: Readable, key: str) -> str | None:
    """The text under `key`, or None."""
    value = mapping.get(key)
    return value if isinstance(value, str) else None


def check_documents(
    batch: Batch, paths: Callable[[], Sequence[ReadPath]], name_document: Callable[[int], str]
) -> Batch:
    """Make unreadable each endpoint that cannot be used at one of the paths that are read.

    A field that nothing reads never makes an endpoint unreadable. `paths` is only called, and
    documents are only looked at, if a document has a field that is not of its documented type.
    """
    unusual = [
        (index, endpoint)
        for index, endpoint in enumerate(batch.endpoints)
        if not endpoint.typed and endpoint.problem is None
    ]
    if not unusual:
        return batch
    read, endpoints = paths(), list(batch.endpoints)
    for index, endpoint in unusual:
        problem = find_problem(endpoint.document, read)
        if problem is not None:
            where = name_document(index)
            endpoints[index] = msgspec.structs.replace(
                endpoint, problem=f"{where}{problem.removeprefix('$')}"
            )
    return msgspec.structs.replace(batch, endpoints=tuple(endpoints))


def read_object(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, or an empty one."""
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}
