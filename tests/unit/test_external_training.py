"""Training with external attributes: `train --external` joins what the function sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from function.external.lookup import ExternalSource, enrich_documents
from model.features import FeatureSpec
from model.kinds import Feature
from model.training.datasets import OutcomeTable
from model.training.gather import gather_people
from segment_scorer.cli.main import main
from tests.fake_external import FakeStore, make_store

SPEC = FeatureSpec(
    (
        Feature(name="visits", path="External.visits", kind="number"),
        Feature(name="plan", path="External.plan", kind="category"),
    )
)


def test_numbers_and_vocabularies_are_learnt_from_profiles_a_chunk_at_a_time(
    tmp_path: Path,
) -> None:
    people = [f"u{index}" for index in range(1_100)]
    store = FakeStore(
        {
            key: {"visits": index, "plan": "pro" if index % 2 else "free"}
            for index, key in enumerate(people)
        }
    )
    source = ExternalSource(store=store, key=(), patience=1.0, scored=True)
    file = tmp_path / "endpoints.jsonl"
    file.write_text("".join(json.dumps({"Id": key}) + "\n" for key in people))
    outcome_table = OutcomeTable(
        key="Id", outcomes={key: index % 2 for index, key in enumerate(people)}
    )
    learnt = gather_people(
        [file],
        outcome_table,
        SPEC,
        None,
        lambda *_: None,
        enrich=lambda documents: enrich_documents(documents, source),
    )
    assert learnt.spec.columns == ("visits", "plan=free", "plan=pro", "plan=(other)")
    assert learnt.matrix[:, 0].tolist() == list(range(1_100))
    assert learnt.matrix[:, 2].tolist() == [index % 2 for index in range(1_100)]
    assert {len(keys) for keys in store.asked} == {500, 100}


def test_endpoints_without_an_id_are_enriched_by_their_user(tmp_path: Path) -> None:
    store = FakeStore({f"u{index}": {"visits": index, "plan": "pro"} for index in range(100)})
    source = ExternalSource(store=store, key=("User", "UserId"), patience=1.0, scored=True)
    documents = [{"User": {"UserId": f"u{index}"}} for index in range(100)]
    assert [
        document["External"]["visits"] for document in enrich_documents(documents, source)
    ] == list(range(100))
    by_id = ExternalSource(store=store, key=(), patience=1.0, scored=True)
    assert [document["External"] for document in enrich_documents(documents[:2], by_id)] == [{}, {}]


@pytest.mark.parametrize(
    "case",
    [
        (
            ["--external", "none.sqlite"],
            1,
            "none.sqlite: expected a file of external attributes, found none",
        ),
        (
            ["--external", "p.sqlite", "--external-key", "Nowhere"],
            2,
            "expected user_id, endpoint_id or a path",
        ),
    ],
)
def test_train_says_in_a_sentence_what_is_wrong_with_the_store(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: tuple[list[str], int, str],
) -> None:
    options, status, sentence = case
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    make_store(tmp_path / "p.sqlite", {})
    assert (
        main(
            ["train", "--endpoints", "e.jsonl", "--outcomes", "o.csv", "--out", "bundle", *options]
        )
        == status
    )
    assert sentence in " ".join(capsys.readouterr().err.split())
