from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.cdnow.make_endpoints import AS_OF, HERE, INVENTED, write_example
from model.bundle import SHIPPED
from model.document import is_typed
from model.features import FeatureSpec, build_matrix, load_spec
from model.manifest import read_manifest
from model.training.people import is_reserved


@pytest.fixture(scope="module")
def endpoints(cdnow_files: Path) -> list[dict[str, Any]]:
    with gzip.open(cdnow_files / "endpoints.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def outcomes(cdnow_files: Path) -> dict[str, int]:
    with (cdnow_files / "outcomes.csv").open(newline="", encoding="utf-8") as file:
        return {row["Id"]: int(row["outcome"]) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def spec() -> FeatureSpec:
    return load_spec(HERE / "features.toml")


def test_has_every_customer_once_with_an_outcome(
    endpoints: list[dict[str, Any]], outcomes: dict[str, int]
) -> None:
    assert len(endpoints) == 23_570
    assert [endpoint["Id"] for endpoint in endpoints] == list(outcomes)


def test_the_shipped_bundle_learnt_from_those_that_its_training_did_not_reserve(
    endpoints: list[dict[str, Any]],
) -> None:
    # The peers of tests/interop and of the benchmarks are fitted on the same people.
    manifest = read_manifest(SHIPPED)
    reserved = [is_reserved(each, each["Id"], manifest["reserved"]) for each in endpoints]
    assert reserved.count(True) == manifest["data"]["reserved"] > 0
    assert reserved.count(False) == manifest["metrics"]["n"]


def test_29_9_percent_buy_again(outcomes: dict[str, int]) -> None:
    assert round(100 * sum(outcomes.values()) / len(outcomes), 1) == 29.9


def test_measures_a_customer_as_worked_out_by_hand(
    endpoints: list[dict[str, Any]], outcomes: dict[str, int]
) -> None:
    # Customer 00003 spent 20.76 on 1997-01-02, 20.76 on 03-30 and 19.54 on 04-02. The purchase of
    # 57.45 on 11-15 is after the day of the endpoint.
    endpoint = endpoints[2]
    assert endpoint["User"] == {"UserId": "00003"}
    assert endpoint["Attributes"]["FirstPurchase"] == ["1997-01-02"]
    assert endpoint["Attributes"]["LastPurchase"] == ["1997-04-02"]
    assert endpoint["Metrics"] == {
        "RecencyDays": 181,
        "TenureDays": 271,
        "Purchases": 3,
        "PurchaseDays": 3,
        "PurchasesLast90Days": 0,
        "SpendTotal": 61.06,
        "SpendMean": 20.35,
        "SpendMax": 20.76,
        "SpendFirst": 20.76,
        "SpendLast": 19.54,
        "Cds": 6,
        "CdsMax": 2,
        "MeanGapDays": 45.0,
        "LongestGapDays": 87,
    }
    assert outcomes["cdnow-00003"] == 1


def test_holds_nothing_after_the_day_that_it_describes(endpoints: list[dict[str, Any]]) -> None:
    assert all(
        endpoint["Attributes"]["LastPurchase"][0] <= AS_OF.isoformat() for endpoint in endpoints
    )
    assert min(endpoint["Metrics"]["RecencyDays"] for endpoint in endpoints) == 0


def test_has_no_gap_between_purchases_if_there_is_one_purchase_day(
    endpoints: list[dict[str, Any]],
) -> None:
    assert all(
        ("MeanGapDays" in endpoint["Metrics"]) == (endpoint["Metrics"]["PurchaseDays"] > 1)
        for endpoint in endpoints
    )


def test_is_made_of_usable_endpoint_documents(endpoints: list[dict[str, Any]]) -> None:
    assert all(is_typed(endpoint) for endpoint in endpoints)


def test_marks_invented_fields_and_never_uses_them_as_features(
    endpoints: list[dict[str, Any]], spec: FeatureSpec
) -> None:
    assert all(endpoint["Attributes"]["Invented"] == INVENTED for endpoint in endpoints)
    assert all(endpoint["Address"].endswith("@example.invalid") for endpoint in endpoints)
    assert not {feature.path for feature in spec.features} & {*INVENTED, "Attributes.Invented"}


def test_fills_every_feature_and_needs_no_reference_time(
    endpoints: list[dict[str, Any]], spec: FeatureSpec
) -> None:
    matrix = build_matrix(endpoints[:500], spec)
    assert not np.isnan(matrix).all(axis=0).any()
    assert all(feature.kind != "age" for feature in spec.features)


def test_writes_the_same_bytes_every_time_and_nothing_else(
    cdnow_files: Path, tmp_path: Path
) -> None:
    write_example(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "endpoints.jsonl.gz",
        "outcomes.csv",
    ]
    for name in ("endpoints.jsonl.gz", "outcomes.csv"):
        assert (tmp_path / name).read_bytes() == (cdnow_files / name).read_bytes()
    assert (cdnow_files / "endpoints.jsonl.gz").read_bytes()[4:8] == bytes(4), (
        "the gzip header holds no time"
    )
