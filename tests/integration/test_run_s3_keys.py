"""Keys in S3 as they exist, and what is said of addresses that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from segment_scorer.runner.errors import DataError
from segment_scorer.runner.reading.segments import find_segment_files
from tests.fake_s3 import Store, open_store

KEYS = ("plain.jsonl", "who?.jsonl", "whom.jsonl", "[x]/y.jsonl")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch, open_store(patch) as store:
        for key in KEYS:
            body = b'{"Id":"%d"}\n' % KEYS.index(key)
            store.client.put_object(Bucket="exports", Key=f"in/{key}", Body=body)
        store.client.put_object(Bucket="exports", Key="odd/a//b.jsonl", Body=b'{"Id":"a"}\n')
        yield store


@pytest.mark.parametrize(
    ("address", "found"),
    [
        *((key, [key]) for key in KEYS),
        ("", ["[x]/y.jsonl", "plain.jsonl", "who?.jsonl", "whom.jsonl"]),
        ("[x]/", ["[x]/y.jsonl"]),
        ("who*.jsonl", ["who?.jsonl", "whom.jsonl"]),
        ("w?om.jsonl", ["whom.jsonl"]),
        ("[p-w]*.jsonl", ["plain.jsonl", "who?.jsonl", "whom.jsonl"]),
    ],
)
def test_s3_keys_that_exist_stand_for_themselves(
    address: str, found: list[str], store: Store
) -> None:
    assert store.client
    files = find_segment_files([f"s3://exports/in/{address}"])
    assert [file.name.removeprefix("s3://exports/in/") for file in files] == found


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("s3://exports/in", "expected an object, found a folder; write it as s3://exports/in/"),
        ("s3://exports", "expected an object, found a folder; write it as s3://exports/"),
        ("S3://exports/in/", "expected s3:// in small letters"),
        ("s3://exports/in/z*", "expected objects with people in them, found no object"),
        ("s3://exports/none/", "expected objects with people in them, found no object"),
    ],
)
def test_s3_keys_that_cannot_be_read_say_what_to_change(
    address: str, sentence: str, store: Store
) -> None:
    assert store.client
    with pytest.raises(DataError) as caught:
        find_segment_files([address])
    assert str(caught.value) == f"{address}: {sentence}"


@pytest.mark.parametrize("address", ["s3://exports/odd/", "s3://exports/odd/a//b.jsonl"])
def test_s3_keys_with_an_empty_part_are_named_and_no_credentials_blamed(
    address: str, store: Store
) -> None:
    assert store.client
    with pytest.raises(DataError) as caught:
        find_segment_files([address])
    assert str(caught.value) == (
        "s3://exports/odd/a//b.jsonl: expected a key without an empty part (//), which Arrow "
        "cannot read; copy the object to another key"
    )
