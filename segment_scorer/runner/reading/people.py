"""The people of a slice: raw records in; who is sent and who is not, and rejected lines, out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from function.hosts.pinpoint import opted_out
from model.paths import find_user
from model.people.columns import RecordError
from model.people.records import (
    Decoder,
    Record,
    decode_objects,
    make_decoder,
    make_record,
    outline_documents,
)
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice
from segment_scorer.runner.reading.suppression import Hashes, find_suppressed, load_suppressed
from segment_scorer.runner.summary import UnsentReason
from segment_scorer.runner.treatments import draw_treatment


class Person(msgspec.Struct, frozen=True, gc=False):
    """A readable record of a slice, and what the outputs say of it, whatever the hook answers.

    user              UserId, "" if there is none
    channel, country  ChannelType and Location.Country: any JSON value
    is_sent           whether it is sent to the hook; why: if not, why not
    """

    id: str
    record: Record
    user: str
    channel: Any
    country: Any
    is_sent: bool
    why: UnsentReason = UnsentReason.OPTED_OUT
    treatment: str = ""


class SliceReader:
    """Reads the slices of one chunk, and collects the lines that it rejects."""

    def __init__(self, config: RunConfig, file: str, header: tuple[str, ...] | None) -> None:
        """`file` is the name of the file in rejected lines; `header`: see `Chunk`."""
        self.rejected: list[dict[str, Any]] = []
        self._config = config
        self._file = file.encode("utf-8", "backslashreplace").decode()  # the name may not be UTF-8
        self._is_table = header is not None
        self._decode: Decoder = make_decoder(header, naming=config.naming)
        self._suppressed = load_suppressed(config.suppress) if config.suppress else None

    def read(self, piece: Slice) -> list[Person]:
        """Read a slice: its people, and who of them is sent."""
        documents = None if self._is_table else decode_objects(piece.records)
        people = list(self._read_each(piece) if documents is None else self._take(piece, documents))
        if self._suppressed is not None:
            people = self._suppress(people, self._suppressed)
        if ends := self._config.treatments:
            salt = self._config.treatment_salt
            people = [
                msgspec.structs.replace(
                    each, treatment=draw_treatment(each.id, each.record.document, ends, salt)
                )
                for each in people
            ]
        return people

    def _take(self, piece: Slice, documents: list[dict[str, Any]]) -> Iterator[Person]:
        """The people of decoded records. Nearly all need no closer look than their outline."""
        include = self._config.include_opted_out
        outlines = outline_documents(documents)
        for index, (document, outline) in enumerate(zip(documents, outlines, strict=True)):
            if outline is None:
                try:
                    record = make_record(document, id_needed=True, naming=self._config.naming)
                except RecordError as error:
                    self._reject(piece, index, error)
                    continue
                if person := self._describe(piece, index, record):
                    yield person
                continue
            user, location = outline.User, outline.Location
            yield Person(
                outline.Id,
                Record(document, None),
                user.UserId or "" if user is not None else "",
                outline.ChannelType,
                location.Country if location is not None else None,
                include or not opted_out(outline.OptOut, outline.EndpointStatus),
            )

    def _read_each(self, piece: Slice) -> Iterator[Person]:
        """The people of a slice, decoded one by one."""
        for index, raw in enumerate(piece.records):
            try:
                record = self._decode(raw)
            except RecordError as error:
                self._reject(piece, index, error)
                continue
            if person := self._describe(piece, index, record):
                yield person

    def _describe(self, piece: Slice, index: int, record: Record) -> Person | None:
        """The person of a record, whatever its fields hold; None if it is rejected."""
        document = record.document
        id_ = document["Id"]
        if not id_:
            problem = "$.ProfileId: expected non-empty text, found empty text"
            self._reject(piece, index, problem)
            return None
        location = document.get("Location")
        # Profiles have no OptOut.
        can_opt_out = record.profile is None and not self._config.include_opted_out
        is_out = opted_out(document.get("OptOut"), document.get("EndpointStatus"))
        return Person(
            id_,
            record,
            find_user(document) or "",
            document.get("ChannelType"),
            location.get("Country") if isinstance(location, dict) else None,
            not (can_opt_out and is_out),
        )

    def _suppress(self, people: list[Person], suppressed: Hashes) -> list[Person]:
        """Take out the people whose id or user is in the file of --suppress."""
        found = find_suppressed([(each.id, each.user) for each in people], suppressed).tolist()
        return [
            msgspec.structs.replace(each, is_sent=False, why=UnsentReason.SUPPRESSED)
            if is_found and each.is_sent
            else each
            for each, is_found in zip(people, found, strict=True)
        ]

    def _reject(self, piece: Slice, index: int, problem: RecordError | str) -> None:
        text = piece.records[index].rstrip(b"\r\n").decode(errors="replace")
        self.rejected.append(
            {
                "file": self._file,
                "line": piece.numbers[index],
                "problem": str(problem),
                "text": text,
            }
        )
