"""Reads the first line of a file of people: the columns of a header, or why it is none."""

from __future__ import annotations

import csv

import msgspec

from model.people.columns import PEOPLE, Layout, RecordError, find_id
from model.people.rows import WHOLE_ROW

SEPARATORS = {";": ";", "\t": "a tab", "|": "|"}
ONE_OBJECT = "expected JSON lines, each one object"
CONVERT = "convert it with: jq -c '{}' FILE > people.jsonl"
ONLY_CR = "expected lines that end in LF or CR LF, found CR alone"
SAVE = "save it as UTF-8 (Excel calls it CSV UTF-8)"
# What a file begins with -> what it is
FOREIGN = {
    b"\xff\xfe": f"UTF-16; {SAVE}",
    b"\xfe\xff": f"UTF-16; {SAVE}",
    b"PK\x03\x04": "an Excel workbook or a zip file; save it as CSV in UTF-8",
    b"BZh": "bzip2; compress it with gzip, or not at all",
    b"\x28\xb5\x2f\xfd": "Zstandard; compress it with gzip, or not at all",
    b"\xfd7zXZ": "xz; compress it with gzip, or not at all",
    b"Obj\x01": "Avro",
    b"ORC": "ORC whose end is missing; copy the whole file",
}


def read_header(line: bytes, layout: Layout = PEOPLE) -> tuple[str, ...] | None:
    """The columns that a first line names; None if it is no header of this layout.

    Raises RecordError for a header that is unusable.
    """
    try:
        header = tuple(
            layout.rename(cell.strip()) for cell in next(csv.reader([line.decode()]), [])
        )
    except (UnicodeDecodeError, csv.Error):
        return None
    if not layout.is_header(header):
        return None
    if not WHOLE_ROW.fullmatch(line):
        raise RecordError("expected the header on one line; a quote in it is not closed there")
    return header


def explain_json(first: bytes, second: bytes = b"") -> str | None:
    """What is wrong with a file of JSON that begins with these lines; None for JSON lines.

    A broken object on its own line is no reason to refuse the file.
    """
    first, second = first.strip(), second.strip()
    if first == b"[" or (first[:1] == b"[" and first[1:].lstrip().startswith(b"{")):
        return f"{ONE_OBJECT}, found an array of objects; {CONVERT.format('.[]')}"
    if second.startswith(b'"') and not is_json(first):
        return f"{ONE_OBJECT}, found an object that spans lines; {CONVERT.format('.')}"
    return None


def is_json(text: bytes) -> bool:
    """Whether a text is one JSON value."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def explain_bytes(start: bytes) -> str | None:
    """What a file is that begins with these bytes, and the cure; None if it may be text in UTF-8.

    Excel writes and reads a first line such as `sep=;`, which no other program knows.
    """
    found = next((what for magic, what in FOREIGN.items() if start.startswith(magic)), None)
    line = start.partition(b"\n")[0]
    if start.startswith(b"ORC") and b"," in line:  # a header, such as ORCID,Age
        found = None
    if found is None and b"\0" in line:
        found = f"zero bytes, as in UTF-16; {SAVE}"
    if found is None and line.removeprefix(b"\xef\xbb\xbf").strip(b'" ').lower()[:4] == b"sep=":
        found = "Excel's line sep=; delete that line, and separate the columns by commas"
    return found


def explain_start(line: bytes, layout: Layout = PEOPLE) -> str:
    """What is wrong with a file whose first line is neither a JSON object nor a header.

    Never repeats the line.
    """
    found = explain_bytes(line)
    if found is not None:
        return f"expected JSON lines or CSV in UTF-8, gzip or not, Parquet or ORC, found {found}"
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return "expected text in UTF-8; save it as UTF-8"
    if "\r" in text:
        return ONLY_CR
    separator = find_separator(text)
    if separator:
        return f"expected a comma between the columns of the header, found {separator}"
    return f"{layout.explain(split_names(text, ','))}; or JSON lines, each an object in braces"


def find_separator(header: str) -> str | None:
    """What separates the columns of a header, if it is not a comma."""
    for separator, name in SEPARATORS.items():
        names = split_names(header, separator)
        if len(names) > max(1, header.count(",") + 1) or (len(names) > 1 and find_id(names)):
            return name
    return None


def split_names(text: str, separator: str) -> list[str]:
    """The cells of a header, roughly."""
    return [cell.strip().strip('"') for cell in text.split(separator)]
