"""One segment in every format, in and out, from disk and from S3: the same people and decisions."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import DataError
from segment_scorer.runner.reading.segments import find_segment_files
from segment_scorer.runner.run import run_segment
from tests.fake_hooks import person, write_segment
from tests.fake_s3 import open_store
from tests.fakes import make_bundle

PEOPLE = [
    person(
        n,
        n / 99,
        Attributes={"Plan": ["gold", "old"] if n % 3 else ["a,b\n\"c\""]},
        User={"UserId": f"u{n}", "UserAttributes": {"City": ["Köln"]}},
        Location={"Country": "DE", "Latitude": 50.5},
    )
    for n in range(100)
]  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


def run(out: Path, bundle: Path, *segment: object, **more: Any) -> dict[str, Any]:
    request = RunOptions(
        segment=list(map(str, segment)),
        out=out,
        bundle=bundle,
        scheduled_time="2026-01-31T19:00:00Z",
        **more,
    )
    run_segment(request, lambda *_: None)
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def decisions(out: Path) -> list[list[str]]:
    with (out / "decisions.csv").open(newline="") as file:
        return list(csv.reader(file))


def kept(out: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in gzip.decompress((out / "segment.jsonl.gz").read_bytes()).splitlines()
    ]


@pytest.mark.parametrize("form", ["segment.csv", "segment.parquet", "profiles.jsonl.gz"])
def test_the_kept_written_in_a_form_and_read_from_it_are_the_same_people_with_the_same_decisions(
    form: str, tmp_path: Path, bundle: Path
) -> None:
    run(
        tmp_path / "one",
        bundle,
        write_segment(tmp_path / "people.jsonl", PEOPLE),
        also=("csv", "parquet", "profiles"),
    )
    summary = run(tmp_path / "two", bundle, tmp_path / "one" / form)
    assert (summary["received"], summary["kept"], summary["rejected"]) == (50, 50, 0)
    assert decisions(tmp_path / "two")[1:] == [
        row for row in decisions(tmp_path / "one")[1:] if row[4] == "true"
    ]
    first, second = kept(tmp_path / "one"), kept(tmp_path / "two")
    assert [row["Attributes"] for row in first] == [
        {name: row["Attributes"][name] for name in ("Plan", "Score")} for row in second
    ]
    assert [row["Location"] for row in first] == [row["Location"] for row in second]
    assert [row["User"]["UserId"] for row in first] == [row["User"]["UserId"] for row in second]


def test_the_csv_is_ready_to_import(tmp_path: Path, bundle: Path) -> None:
    run(tmp_path / "out", bundle, write_segment(tmp_path / "people.jsonl", PEOPLE), also=("csv",))
    rows = list(
        csv.reader((tmp_path / "out" / "segment.csv").read_text("utf-8").splitlines(keepends=True))
    )
    assert rows[0] == [
        *(
            "Id",
            "Attributes.Plan",
            "Attributes.Plan",
            "Attributes.Score",
            "ChannelType",
            "Location.Country",
            "Location.Latitude",
        ),
        *("Metrics.score", "User.UserAttributes.City", "User.UserId"),
    ]
    assert rows[1] == [
        "person-50",
        "gold",
        "old",
        "0.5051",
        "EMAIL",
        "DE",
        "50.5",
        str(50 / 99),
        "Köln",
        "u50",
    ]
    assert rows[2][1:3] == ['a,b\n"c"', ""]


def test_warns_of_values_that_a_further_format_cannot_hold(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "policy.toml").write_text('on_error = "keep"\n')
    people = [*PEOPLE[:60], {**PEOPLE[0], "Id": "odd", "Metrics": "oops"}]
    request = RunOptions(
        segment=[write_segment(tmp_path / "people.jsonl", people)],
        out=tmp_path / "out",
        bundle=bundle,
        policy=tmp_path / "policy.toml",
        also=("csv", "parquet"),
    )
    warnings: list[str] = []
    run_segment(request, lambda *_: None, warnings.append)
    omitted = "values of 1 person were omitted"
    files = ("segment.csv", "segment.parquet")
    for file, sentence in zip(files, warnings, strict=True):
        assert sentence.startswith(f"{file}: {omitted}")
    for form in ("csv", "parquet"):
        assert run(tmp_path / form, bundle, tmp_path / "out" / f"segment.{form}")["received"] == 11


def test_a_table_of_nobody_is_still_a_file(tmp_path: Path, bundle: Path) -> None:
    run(
        tmp_path / "out",
        bundle,
        write_segment(tmp_path / "people.jsonl", [person(1, 0.0)]),
        also=("csv", "parquet", "profiles"),
    )
    assert (tmp_path / "out" / "segment.csv").read_text() == "\n"
    assert gzip.decompress((tmp_path / "out" / "profiles.jsonl.gz").read_bytes()) == b""


def test_profiles_go_to_connect_as_they_are_and_endpoints_as_the_migration_maps_them(
    tmp_path: Path, bundle: Path
) -> None:
    endpoints = write_segment(tmp_path / "people.jsonl", PEOPLE)
    run(tmp_path / "pinpoint", bundle, endpoints, also=("profiles",))
    here = run(tmp_path / "connect", bundle, endpoints, host="connect")
    assert (here["received"], here["kept"], here["failed"], here["host"]) == (100, 50, 0, "connect")
    assert decisions(tmp_path / "connect") == decisions(tmp_path / "pinpoint")
    assert kept(tmp_path / "connect")[0] == PEOPLE[50], "a custom action gives no definition back"
    profiles = tmp_path / "pinpoint" / "profiles.jsonl.gz"
    summary = run(tmp_path / "again", bundle, profiles, host="connect")
    assert (summary["received"], summary["kept"]) == (50, 50)
    assert kept(tmp_path / "again") == [
        json.loads(line) for line in gzip.decompress(profiles.read_bytes()).splitlines()
    ]


def test_a_run_over_http_ends_as_one_by_pinpoints_events_does(tmp_path: Path, bundle: Path) -> None:
    endpoints = write_segment(tmp_path / "people.jsonl", PEOPLE)
    run(tmp_path / "pinpoint", bundle, endpoints)
    here = run(tmp_path / "web", bundle, endpoints, host="web")
    assert (here["received"], here["kept"], here["failed"], here["host"]) == (100, 50, 0, "web")
    assert decisions(tmp_path / "web") == decisions(tmp_path / "pinpoint")
    assert kept(tmp_path / "web") == kept(tmp_path / "pinpoint"), "attributes are written alike"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with open_store(monkeypatch) as store:
        yield store.client


def test_reads_objects_prefixes_and_globs_of_s3(bucket: Any, tmp_path: Path, bundle: Path) -> None:
    for number in range(2):
        path = write_segment(
            tmp_path / f"{number}.jsonl.gz", PEOPLE[50 * number : 50 * number + 50]
        )
        bucket.put_object(
            Bucket="exports", Key=f"day/part-{number}.jsonl.gz", Body=path.read_bytes()
        )
    bucket.put_object(Bucket="exports", Key="day/_SUCCESS", Body=b"")
    run(tmp_path / "disk", bundle, tmp_path / "0.jsonl.gz", tmp_path / "1.jsonl.gz")
    for index, name in enumerate(["s3://exports/day/", "s3://exports/day/*.gz"]):
        assert run(tmp_path / f"s3-{index}", bundle, name)["received"] == 100
        assert decisions(tmp_path / f"s3-{index}") == decisions(tmp_path / "disk")
    assert run(tmp_path / "single", bundle, "s3://exports/day/part-1.jsonl.gz")["received"] == 50


def test_an_object_written_again_is_another_even_where_its_ends_and_its_size_are_the_same(
    bucket: Any,
) -> None:
    for middle in (b"1", b"2", b"1"):
        bucket.put_object(
            Bucket="exports",
            Key="a.jsonl",
            Body=b'{"Id":"a' + b"0" * 100_000 + middle + b"0" * 100_000 + b'"}\n',
        )
        bucket.put_object(Bucket="exports", Key=f"{middle.decode()}/_SUCCESS", Body=b"")
        bucket.put_object(Bucket="exports", Key=f"{middle.decode()}/empty", Body=b"")
        bucket.copy_object(
            Bucket="exports", Key=f"{middle.decode()}/a.jsonl", CopySource="exports/a.jsonl"
        )
    warnings: list[str] = []
    (one,), (two,) = (
        find_segment_files([f"s3://exports/{number}/"], warnings.append) for number in (1, 2)
    )
    assert (one.size, one.checksum) == (two.size, two.checksum)
    assert one.version != two.version
    assert find_segment_files(["s3://exports/a.jsonl"])[0].version == one.version
    assert warnings == [
        "s3://exports/1/empty: skipped, an empty file",
        "s3://exports/2/empty: skipped, an empty file",
    ]


def test_says_in_one_sentence_what_s3_does_not_have(
    bucket: Any, tmp_path: Path, bundle: Path
) -> None:
    for name in ("s3://exports/absent.jsonl", "s3://exports/absent/*.gz", "s3://nowhere/"):
        with pytest.raises(DataError, match=r"^s3://.*(S3 refused the request|expected objects)"):
            run(tmp_path / "out", bundle, name)
