"""The kinds of data that docs/training.md names go from file to bundle by one command each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from model.bundle import load_bundle
from segment_scorer.cli.main import main
from tests.training_people import make_people, to_csv, to_lines, write

pytestmark = pytest.mark.usefixtures("undrawn")

Documents = list[dict[str, Any]]
DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def flatten(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "Id": document["Id"],
        "Attributes.Plan": document["Attributes"]["Plan"][0],
        **{f"Metrics.{name}": value for name, value in document["Metrics"].items()},
    }


def write_table(rows: Documents) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, list({name: None for row in rows for name in row}))
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def write_export(documents: Documents) -> bytes:
    return to_lines(documents).encode()


def write_import_table(documents: Documents) -> bytes:
    return write_table([flatten(document) for document in documents])


def write_parquet(documents: Documents) -> bytes:
    sink = io.BytesIO()
    pq.write_table(to_columns(documents), sink)
    return sink.getvalue()


def write_orc(documents: Documents) -> bytes:
    sink = io.BytesIO()
    orc.write_table(to_columns(documents), sink)
    return sink.getvalue()


def to_columns(documents: Documents) -> pa.Table:
    rows = [flatten(document) for document in documents]
    names = {name: None for row in rows for name in row}
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def write_profiles(documents: Documents) -> bytes:
    profiles = [
        {
            "ProfileId": document["Id"],
            "Attributes": {
                "Plan": document["Attributes"]["Plan"][0],
                **{name: str(value) for name, value in document["Metrics"].items()},
            },
        }
        for document in documents
    ]
    return to_lines(profiles).encode()


def write_plain(documents: Documents) -> bytes:
    rows = [flatten(document) for document in documents]
    return write_table([{name.split(".")[-1]: row[name] for name in row} for row in rows])


# Kind, as docs/training.md names it -> how to write it, and the options that it needs
KINDS: dict[str, tuple[Callable[[Documents], bytes], list[str]]] = {
    "export": (write_export, []),
    "import table": (write_import_table, []),
    "Parquet": (write_parquet, []),
    "ORC": (write_orc, []),
    "customer profiles": (write_profiles, []),
    "plain CSV": (write_plain, ["--plain-columns"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_data_becomes_a_bundle_by_one_command(tmp_path: Path, kind: str) -> None:
    writer, options = KINDS[kind]
    documents, outcomes = make_people(300)
    endpoints = write(tmp_path / "people", writer(documents))
    table = write(tmp_path / "outcomes.csv", to_csv(documents, outcomes))
    given = ["--endpoints", str(endpoints), "--outcomes", str(table), "--model", "logistic"]
    assert main(["train", *given, *options, "--out", str(tmp_path / "bundle")]) == 0
    bundle = load_bundle(tmp_path / "bundle")
    assert {feature.name for feature in bundle.spec.features} == {"visits", "spend", "plan"}
    assert bundle.manifest["metrics"]["roc_auc"] > 0.75


def test_the_document_names_the_kinds() -> None:
    text = DOCS.read_text("utf-8")
    for kind, (_, options) in KINDS.items():
        assert f"| {kind} |" in text
        assert all(option in text for option in options)


def test_an_option_or_the_setting_says_which_migration_named_the_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    documents, outcomes = make_people(150)
    text = write_profiles(documents).replace(b'"Plan"', b'"Plan_0"')
    endpoints = write(tmp_path / "people", text)
    table = write(tmp_path / "outcomes.csv", to_csv(documents, outcomes))
    given = ["--endpoints", str(endpoints), "--outcomes", str(table)]
    named = ["--profile-names", "pronetx"]
    out = str(tmp_path / "bundle")
    assert main(["train", *given, *named, "--model", "logistic", "--quick", "--out", out]) == 0
    assert "two migrations" not in "".join(capsys.readouterr())
    spec = load_bundle(tmp_path / "bundle").spec
    assert {"Attributes.Plan"} == {path for path in spec.paths if "Plan" in path}
    measured = ["evaluate", *given, "--bundle", out, "--out"]
    assert main([*measured, str(tmp_path / "auto")]) == 0
    assert "150 of 150 customer profiles have attributes that two" in "".join(capsys.readouterr())
    monkeypatch.setenv("SCORER_PROFILE_NAMES", "pronetx")
    assert main(["compare", out, out, *given]) == 0
    assert "two migrations" not in "".join(capsys.readouterr())
    monkeypatch.setenv("SCORER_PROFILE_NAMES", "other")
    assert main([*measured, str(tmp_path / "wrong")]) == 2
