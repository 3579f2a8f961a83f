"""Tells the test file that Customer Profiles writes beside an exported segment.

Takes a small file's name and content. AWS says that CreateSegmentSnapshot "outputs a test file in
addition to the exported segment" (Amazon Connect administrator guide, "Export customer segments"),
and documents neither its name nor its content. So both are judged, and a part with people never is
taken for it.
"""

from __future__ import annotations

import io

from model.errors import DataError
from model.people.columns import PEOPLE, Layout, RecordError
from model.people.files import PeopleFile
from model.people.gunzip import GZIP_MAGIC
from model.people.records import make_decoder

MOST_BYTES = 1_024
PACKED = (GZIP_MAGIC, b"PAR1", b"ORC")  # a damaged part is damaged, not a test
SEPARATORS = frozenset(b",;\t|{[\n\r")  # a table or JSON has at least one of them
SKIPPED = (
    "skipped, {size} bytes without a person: taken for the test file that Customer Profiles writes "
    "beside an exported segment"
)


def is_test_file(name: str, content: bytes, *, found: bool, layout: Layout = PEOPLE) -> bool:
    """Whether a file is the test file of an export, and not a part of it.

    content  all of it; a file of over 1,024 bytes is none
    found    whether the file was found in a folder or by a pattern, not named by the user

    A file whose name has `test` is one if nobody in it can be read. Another file is one only if it
    was found, and is one line of text without any separator.
    """
    if not content or len(content) > MOST_BYTES:
        return False
    if "test" in name.rpartition("/")[2].lower():
        return holds_nobody(name, content, layout)
    return (
        found
        and not content.startswith(PACKED)
        and SEPARATORS.isdisjoint(content.strip())
        and b"\0" not in content
    )


def holds_nobody(name: str, content: bytes, layout: Layout) -> bool:
    """Whether no record of a file can be read. A damaged file is not one without people."""
    if content.startswith(PACKED[1:]):
        return False
    try:
        file = PeopleFile(name, io.BytesIO(content), layout)
    except DataError:
        return not content.startswith(GZIP_MAGIC)
    with file:
        decode = make_decoder(file.header, id_needed=False)
        for _, raw in file:
            try:
                if decode(raw).document.keys() & {"Id", "User"}:
                    return False
            except RecordError:
                continue
    return True
