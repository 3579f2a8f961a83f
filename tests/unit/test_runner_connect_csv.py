"""The CSV for Amazon Connect's imports keeps the rules of the import, and counts what it omits."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from segment_scorer.runner.errors import DataError
from segment_scorer.runner.writing import connect_csv
from segment_scorer.runner.writing.connect_csv import (
    FILE,
    FIRST,
    MOST_BYTES,
    MOST_COLUMNS,
    NOTE,
    PARTS,
    choose_columns,
    lay_out,
    write_connect_csv,
)

DECISION = {"score": "0.4", "band": "best", "selected": "true", "holdout": "false"}
PROFILE = {
    "ProfileId": "p1",
    "AccountNumber": "u1",
    "FirstName": "Ann",
    "EmailAddress": "a@example.invalid",
    "PhoneNumber": "",
    "Address": {"City": "Paris", "PostalCode": None},
    "Attributes": {"Plan": "pro", "two words": "x", "Score": "0.4", "Empty": ""},
    "CalculatedAttributes": {"visits": 3},
}


def write_run(
    folder: Path, people: list[dict[str, Any]], decisions: list[dict[str, str]] | None = None
) -> tuple[int, list[dict[str, str]]]:
    segment = folder / "segment.jsonl.gz"
    segment.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in people).encode()))
    with (folder / "decisions.csv").open("w") as file:
        writer = csv.DictWriter(file, ["sent", *DECISION])
        writer.writeheader()
        writer.writerows(decisions or [{"sent": "true", **DECISION} for _ in people])
    lost = write_connect_csv(segment, {}, folder / FILE)
    return lost, list(csv.DictReader((folder / FILE).read_text().splitlines()))


def test_a_profile_becomes_a_row_with_the_decision(tmp_path: Path) -> None:
    lost, rows = write_run(tmp_path, [PROFILE])
    assert lost == 0
    assert rows == [
        {
            "AccountNumber": "u1",
            "Score": "0.4",
            "Band": "best",
            "Selected": "true",
            "Holdout": "false",
            "EmailAddress": "a@example.invalid",
            "Address_City": "Paris",
            "FirstName": "Ann",
            "Plan": "pro",
            "two_words": "x",
        }
    ]


def test_an_endpoint_becomes_the_row_of_the_profile_that_the_migration_makes(
    tmp_path: Path,
) -> None:
    endpoints = [
        {
            "Id": "e1",
            "ChannelType": "SMS",
            "Address": "+15550100",
            "Attributes": {"Colour": ["red", "blue"]},
            "Metrics": {"Visits": 3.0},
            "Location": {"City": "Paris"},
            "User": {"UserId": "u1"},
        },
        {"Id": "e2", "Metrics": "oops"},
    ]
    lost, rows = write_run(tmp_path, endpoints)
    assert lost == 1
    assert [row["AccountNumber"] for row in rows] == ["u1", "e2"]
    assert rows[0] | {"Score": ""} == {
        "AccountNumber": "u1",
        "Score": "",
        "Band": "best",
        "Selected": "true",
        "Holdout": "false",
        "PhoneNumber": "+15550100",
        "Address_City": "Paris",
        "Colour_1": "red",
        "Colour_2": "blue",
        "Metrics_Visits": "3",
    }


def test_a_profile_without_an_account_number_has_no_row_and_is_counted(tmp_path: Path) -> None:
    people = [{"ProfileId": "p0", "EmailAddress": "x@example.invalid"}, PROFILE]
    lost, rows = write_run(tmp_path, people)
    assert (lost, [row["AccountNumber"] for row in rows]) == (1, ["u1"])


def test_only_the_decisions_of_the_kept_are_joined_and_too_few_are_an_error(
    tmp_path: Path,
) -> None:
    people = [{"Id": "a"}, {"Id": "b"}]
    sent = {"sent": "true", **DECISION}
    rows = [{**sent, "score": "0.1"}, {**sent, "sent": "false"}, {**sent, "score": "0.9"}]
    assert [row["Score"] for row in write_run(tmp_path, people, rows)[1]] == ["0.1", "0.9"]
    with pytest.raises(DataError, match="a decision for each of the kept people"):
        write_run(tmp_path, people, rows[:2])


def test_columns_are_at_most_25_have_names_that_an_import_takes_and_begin_with_the_key(
    tmp_path: Path,
) -> None:
    attributes = {f"A.{n:02}": "x" for n in range(40)} | {"n" * 65: "long"}
    rare = {**PROFILE, "Attributes": attributes}
    common = {**PROFILE, "Attributes": {"A.39": "x"}}
    lost, rows = write_run(tmp_path, [rare, common, common])
    assert lost == 1
    header = list(rows[0])
    assert len(header) == MOST_COLUMNS == 25
    assert header[:5] == ["AccountNumber", "Score", "Band", "Selected", "Holdout"]
    assert "A_39" in header  # more people have it than the others
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name) for name in header)
    raw = (tmp_path / FILE).read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert raw.decode("utf-8").isascii()


def test_two_attributes_that_need_the_same_column_are_counted() -> None:
    cells = lay_out({"Id": "a", "Attributes": {"a b": ["1"], "a.b": ["2"]}}, {})
    assert cells.lost
    assert cells.texts == {"AccountNumber": "a", "a_b": "1"}


def test_the_score_of_the_profile_stays_where_the_run_has_none() -> None:
    assert lay_out(PROFILE, {}).texts["Score"] == "0.4"
    assert choose_columns({"Score": 1}) == ["AccountNumber", "Score"]
    assert FIRST[0] == "AccountNumber"


def test_files_stay_under_the_limit_and_each_has_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_BYTES == 10**9
    monkeypatch.setattr(connect_csv, "MOST_BYTES", 100)
    people = [{"Id": f"e{n:02}"} for n in range(10)]
    (tmp_path / PARTS[5]).write_text("of an interrupted session")
    rows = [{"sent": "true"} for _ in people]
    write_run(tmp_path, people, rows)
    names = [FILE, *(name for name in PARTS if (tmp_path / name).exists())]
    texts = [(tmp_path / name).read_text() for name in names]
    assert names == [FILE]
    assert len(texts[0]) < 100
    many = [{"Id": f"endpoint-{n:03}"} for n in range(40)]
    (tmp_path / "segment.jsonl.gz").unlink()
    write_run(tmp_path, many, [{"sent": "true"} for _ in many])
    names = [FILE, *(name for name in PARTS if (tmp_path / name).exists())]
    texts = [(tmp_path / name).read_text() for name in names]
    assert len(names) > 3
    assert all(len(text) < 100 and text.startswith("AccountNumber\n") for text in texts)
    assert [line for text in texts for line in text.splitlines()[1:]] == [one["Id"] for one in many]
    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in names[1:]}
    assert modes <= {(tmp_path / "segment.jsonl.gz").stat().st_mode & 0o777, 0o600}
    with pytest.raises(DataError, match="20 files of 1 GB; run over a part"):
        write_run(tmp_path, [{"Id": "x" * 50} for _ in range(40)], [{"sent": "true"}] * 40)


def test_the_note_says_when_imported_profiles_expire() -> None:
    assert "14 days" in NOTE
    assert "90 days at most" in NOTE
