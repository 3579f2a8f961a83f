"""Unpacks gzip: packed bytes in, unpacked bytes out. Holds a few buffers, never a file.

Bytes behind the end of the gzip data are ignored, as by gunzip, and noticed.
"""

from __future__ import annotations

import io
import zlib
from typing import IO, Any

GZIP_MAGIC = b"\x1f\x8b"
READ_BYTES = 1 << 15
GZIP_WINDOW = 31  # zlib's name for "the largest window, in gzip's format"


class Gunzip(io.RawIOBase):
    """The unpacked bytes of a stream that can seek and begins with gzip data.

    trailing  whether bytes other than zeros were found behind the last gzip member

    Reading raises EOFError for data that breaks off, and zlib.error for damage.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.trailing = False
        self._stream = stream
        self._packed = b""
        self._member: Any = None
        self._at_end = False

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of the buffer. 0 at the end."""
        while not self._at_end and (self._member or self._begin_member()):
            data = self._member.decompress(self._packed, len(buffer))
            self._packed = self._member.unconsumed_tail
            if self._member.eof:
                self._packed, self._member = self._member.unused_data, None
            if data:
                buffer[: len(data)] = data
                return len(data)
            if self._member and not self._packed:
                self._packed = self._stream.read(READ_BYTES)
                if not self._packed:
                    raise EOFError
        return 0

    def _begin_member(self) -> bool:
        """Begin the next member, behind any zeros, which pad tapes. False if there is none."""
        self._packed = self._packed.lstrip(b"\0")
        while len(self._packed) < len(GZIP_MAGIC) and (more := self._stream.read(READ_BYTES)):
            self._packed = (self._packed + more).lstrip(b"\0")
        if self._packed.startswith(GZIP_MAGIC):
            self._member = zlib.decompressobj(GZIP_WINDOW)
            return True
        self.trailing = bool(self._packed)
        self._at_end = True
        self._stream.seek(0, io.SEEK_END)
        return False
