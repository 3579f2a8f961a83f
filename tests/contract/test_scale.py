"""docs/runner.md's figures are those of the committed JSON, and the JSON says where it is from."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import msgspec
import pytest

from segment_scorer.runner.run import SLICES
from tests.templates import load_definition, load_template
from tools.benchmarks.documents import BLOCKS, renew_documents
from tools.benchmarks.records import Results
from tools.scale.__main__ import main
from tools.scale.inputs import (
    BATCH,
    LIMIT_SECONDS,
    MEMORY_MB,
    TRANSITIONS,
    Inputs,
    read_inputs,
)
from tools.scale.page import AT_ONCE, CHUNK, PEOPLE, list_ways
from tools.scale.records import Number

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results() -> Results:
    return msgspec.json.decode((DOCS / "benchmarks.json").read_bytes(), type=Results)


@pytest.fixture(scope="module")
def inputs(results: Results) -> Inputs:
    return read_inputs(results)


def test_the_committed_documents_have_the_committed_figures(results: Results) -> None:
    renewed = dict(renew_documents(results))
    assert {file.name for file in renewed} == set(BLOCKS)
    for file, text in renewed.items():
        assert file.read_text("utf-8") == text, f"{file.name} is stale: make scale"


def test_the_table_has_every_number_of_people_and_every_way(inputs: Inputs) -> None:
    assert PEOPLE == (1_000_000, 10_000_000, 100_000_000)
    ways = list(list_ways(inputs))
    assert len(ways) == 5
    for way in ways:
        assert len(way.estimates) == len(PEOPLE)
        assert [each.seconds for each in way.estimates] == sorted(
            each.seconds for each in way.estimates
        )


def test_the_advice_agrees_with_the_table(inputs: Inputs) -> None:
    ways = {way.name: way.estimates for way in list_ways(inputs)}
    walks = [estimates for name, estimates in ways.items() if name.startswith("state machine")]
    others = [estimates for name, estimates in ways.items() if not name.startswith("state")]
    one = ways["`--engine local` on one c7i.4xlarge, 16 vCPU"]
    ray = ways["`--engine ray` on 4 c7i.4xlarge, 64 vCPU"]
    for index in range(len(PEOPLE)):
        # Four machines are not even twice as fast as one of them, and cost more.
        assert one[index].seconds < 2 * ray[index].seconds
        assert one[index].dollars < ray[index].dollars
        dearest = max(each[index].dollars for each in others)
        assert all(each[index].dollars > dearest for each in walks)


def test_every_price_and_quota_has_a_source_a_date_and_says_how_it_is_known(
    inputs: Inputs,
) -> None:
    numbers: dict[str, Number] = {**inputs.prices.prices, **inputs.prices.quotas}
    assert len(numbers) > 15
    for name, number in numbers.items():
        assert re.fullmatch(r"https://(docs\.)?aws\.amazon\.com/\S+", number.source), name
        assert date.fromisoformat(number.looked_up) >= date(2026, 11, 27), name
        assert number.value > 0, name
        assert number.unit, name
        assert len(number.means.split()) > 2, name
        assert number.basis in {"page", "quoted", "memory"}, name
    page = (DOCS / "runner.md").read_text("utf-8")
    assert page.count("from memory: check it") == sum(
        number.basis == "memory" for number in numbers.values()
    )


def test_the_state_machine_of_the_table_is_that_of_the_template() -> None:
    parameters = load_template()["Parameters"]
    assert parameters["MemorySize"]["Default"] == MEMORY_MB
    assert parameters["MaxConcurrency"]["Default"] == AT_ONCE[0]
    assert parameters["MaxConcurrency"]["MaxValue"] >= AT_ONCE[1]
    assert parameters["Architecture"]["Default"] == "x86_64"
    definition = load_definition()
    assert definition["TimeoutSeconds"] == LIMIT_SECONDS
    walk = definition["States"]["WalkSegment"]
    assert walk["ItemBatcher"]["MaxItemsPerBatch"] == BATCH
    assert walk["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == "EXPRESS"
    refused = {"RefuseKey"}  # the only state off the usual way
    assert len(set(definition["States"]) - refused) == TRANSITIONS


def test_a_chunk_of_the_table_is_the_runners() -> None:
    assert CHUNK == SLICES * BATCH


def test_sizes_that_are_no_slope_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--rounds", "0"], ["--sizes", "200", "100"]):
        with pytest.raises(SystemExit, match="2"):
            main(["--measure", *wrong])
        assert "expected a round or more" in capsys.readouterr().err


def test_the_log_of_a_batch_is_what_the_deployment_page_says(inputs: Inputs) -> None:
    assert f"about {inputs.walk.log_bytes / 1000:g} kB of log a batch" in (
        DOCS / "deploy.md"
    ).read_text("utf-8")


def test_a_batch_of_the_measured_people_fits_into_a_batch_of_the_template(inputs: Inputs) -> None:
    most = load_template()["Parameters"]["MaxBatchBytes"]["Default"]
    assert inputs.walk.batch * inputs.walk.plain < most
    assert most < inputs.prices.quotas["state_bytes"].value
