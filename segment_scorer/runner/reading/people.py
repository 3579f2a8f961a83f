"""The people of a slice: raw records in; who is sent and who is not, and rejected lines, out."""

from __future__ import annotations

from typing import Any, NamedTuple

from function.hosts.pinpoint import opted_out
from model.paths import find_user
from model.people.columns import RecordError
from model.people.records import Decoder, Record
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import Slice
from segment_scorer.runner.reading.suppression import Hashes, find_suppressed, load_suppressed
from segment_scorer.runner.summary import UnsentReason
from segment_scorer.runner.treatments import draw_treatment


class Person(NamedTuple):
    """A readable record of a slice; whether it is sent to the hook, or why not; its treatment."""

    id: str
    record: Record
    is_sent: bool
    why: UnsentReason = UnsentReason.OPTED_OUT
    treatment: str = ""


class SliceReader:
    """Reads the slices of one chunk, and collects the lines that it rejects."""

    def __init__(self, config: RunConfig, file: str, decode: Decoder) -> None:
        """`file` is the name of the file in rejected lines."""
        self.rejected: list[dict[str, Any]] = []
        self._config = config
        self._file = file.encode("utf-8", "backslashreplace").decode()  # the name may not be UTF-8
        self._decode = decode
        self._suppressed = load_suppressed(config.suppress) if config.suppress else None

    def read(self, piece: Slice) -> list[Person]:
        """Read a slice: its people, and who of them is sent."""
        people: list[Person] = []
        include = self._config.include_opted_out
        for number, raw in zip(piece.numbers, piece.records, strict=True):
            try:
                record = self._decode(raw)
            except RecordError as error:
                self._reject(number, raw, str(error))
                continue
            id_ = record.document["Id"]
            if not id_:
                self._reject(number, raw, "$.ProfileId: expected non-empty text, found empty text")
                continue
            choice, status = record.document.get("OptOut"), record.document.get("EndpointStatus")
            # Profiles have no OptOut.
            is_sent = include or record.profile is not None or not opted_out(choice, status)
            people.append(Person(id_, record, is_sent))
        if self._suppressed is not None:
            people = self._suppress(people, self._suppressed)
        if ends := self._config.treatments:
            salt = self._config.treatment_salt
            people = [
                each._replace(treatment=draw_treatment(each.id, each.record.document, ends, salt))
                for each in people
            ]
        return people

    def _suppress(self, people: list[Person], suppressed: Hashes) -> list[Person]:
        """Take out the people whose id or user is in the file of --suppress."""
        pairs = [(each.id, find_user(each.record.document) or "") for each in people]
        found = find_suppressed(pairs, suppressed).tolist()
        return [
            each._replace(is_sent=False, why=UnsentReason.SUPPRESSED)
            if is_found and each.is_sent
            else each
            for each, is_found in zip(people, found, strict=True)
        ]

    def _reject(self, number: int, raw: bytes, problem: str) -> None:
        text = raw.rstrip(b"\r\n").decode(errors="replace")
        self.rejected.append({"file": self._file, "line": number, "problem": problem, "text": text})
