"""tools/image/emulate.py: the records of a batch among the emulator's own lines."""

from __future__ import annotations

from tools.image.emulate import read_records

RECORD = '{"message":"batch","kept":3}'


def test_finds_the_records_of_batches_and_no_other_line() -> None:
    log = "\n".join(
        [
            "26 Nov 2026 [INFO] (rapid) INIT START(type: on-demand)",
            '{"message":"model","reference":{}}',
            f"START RequestId: 1 Version: $LATEST{RECORD}",
            "{ no JSON",
            RECORD,
            "[1, 2]",
        ]
    )
    assert read_records(log) == [RECORD, RECORD]
    assert read_records("") == []
