"""tools/benchmarks: one table that fails leaves the others; how segments and trees are made."""

from __future__ import annotations

import gzip
import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tools.benchmarks.__main__ import TABLES, take_results
from tools.benchmarks.example import ROOT, repeat_million
from tools.benchmarks.fits import MODEL, fit
from tools.benchmarks.page import write_page
from tools.benchmarks.plan import Plan
from tools.benchmarks.profiles import describe_profile
from tools.benchmarks.records import Measurement, Table
from tools.benchmarks.rows.image import OURS
from tools.benchmarks.rows.rooms import explain
from tools.benchmarks.servers import ServerError

PLAN = Plan(effort=0.01, largest=10_000, say=lambda _: None)


def row(name: str, measure: object) -> ModuleType:
    module = ModuleType(f"tools.benchmarks.rows.{name}")
    vars(module).update(measure=measure)
    return module


def test_a_table_that_fails_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def succeed(_: Plan) -> Table:
        rows = (Measurement(label="a size", unit="MB", values={OURS: 1.0}),)
        return Table(name="good", title="A table", ours=OURS, rows=rows)

    def fail(_: Plan) -> Table:
        raise ServerError("expected the server to be ready")

    def break_(_: Plan) -> Table:
        return {}["secret"]  # type: ignore[no-any-return]

    measures = {"broken": break_, "failing": fail, "good": succeed}
    for name, measure in measures.items():
        monkeypatch.setitem(sys.modules, f"tools.benchmarks.rows.{name}", row(name, measure))
    results = take_results(PLAN, tuple(measures))
    assert [bool(table.rows) for table in results.tables] == [False, False, True]
    page = write_page(results)
    assert "Not measured: KeyError" in page
    assert "Not measured: expected the server to be ready" in page
    assert "| a size | 1 MB |" in page
    assert "failing was not measured" in capsys.readouterr().err


def test_every_table_has_a_module() -> None:
    folder = Path(sys.modules["tools.benchmarks.rows.image"].__file__ or "").parent
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert modules == set(TABLES)


def test_every_reason_for_a_missed_target_says_how_it_was_found() -> None:
    modules = [importlib.import_module(f"tools.benchmarks.rows.{name}") for name in TABLES]
    reasons = [vars(each)["EXPLANATION"] for each in modules if "EXPLANATION" in vars(each)]
    assert len(reasons) >= 3
    for reason in reasons:
        assert re.search(r"commit `[0-9a-f]{7,}`|docs/decisions/\d{4}", reason), reason


def test_the_usual_handlers_missed_target_names_the_rooms_of_the_same_run() -> None:
    found = {"inside the handler": 540.4, "- hosts: parse": 16.2, "- telemetry": 50.6}
    rows = [
        Measurement(label=label, unit="us", values={"the function": value})
        for label, value in found.items()
    ]
    assert explain(rows).endswith(
        "by stopwatches in this run, hosts: parse 16 us; telemetry 51 us of the 540 us inside the "
        "handler."
    )


def test_a_repeated_million_has_ids_of_its_own_in_each(tmp_path: Path) -> None:
    million, file = tmp_path / "million.jsonl.gz", tmp_path / "three.jsonl.gz"
    person = SimpleNamespace(
        Id="synthetic-00000007", Address="person-00000007@example.invalid", UserId="user-00000003"
    )
    document = {"Id": person.Id, "Address": person.Address, "User": {"UserId": person.UserId}}
    with gzip.open(million, "wt") as out:
        out.write(json.dumps(document, separators=(",", ":")) + "\n")
    repeat_million(million, file, 3)
    with gzip.open(file, "rt") as lines:
        found = [json.loads(line) for line in lines]
    assert [each["Id"] for each in found] == [
        "synthetic-00000007",
        "synthetic-01000007",
        "synthetic-02000007",
    ]
    assert found[2]["Address"] == "person-02000007@example.invalid"
    assert found[2]["User"]["UserId"] == "user-02000003"


def test_a_model_is_fitted_again_only_if_what_it_is_made_of_has_changed(tmp_path: Path) -> None:
    script, people = tmp_path / "fit.py", tmp_path / "people.csv"
    script.write_text(
        "import sys\n"
        f"with open(sys.argv[1] + '/{MODEL}', 'a') as model:\n"
        "    model.write('fitted ')\n",
        "utf-8",
    )
    fitted = []
    for content in ("a", "a", "b"):
        people.write_text(content, "utf-8")
        fit(Path(sys.executable), script, [people])
        fitted.append((tmp_path / MODEL).read_text("utf-8").count("fitted"))
    assert fitted == [1, 1, 2]
    (tmp_path / MODEL).unlink()
    fit(Path(sys.executable), script, [people])
    assert (tmp_path / MODEL).exists()


def test_a_profile_adds_up_time_by_our_folder_and_by_package() -> None:
    own = {
        (str(ROOT / "segment_scorer" / "runner" / "reading" / "people.py"), 12, "read"): 1.0,
        (str(ROOT / "segment_scorer" / "runner" / "reading" / "batches.py"), 12, "cut"): 1.0,
        ("~", 0, "<method 'decode_lines' of 'msgspec.json.Decoder' objects>"): 3.0,
        ("~", 0, "<built-in method msgspec._core.convert>"): 1.5,
        ("~", 0, "<built-in method builtins.len>"): 2.5,
        ("/usr/lib/python3/site-packages/numpy/linalg/norms.py", 3, "norm"): 1.0,
        ("/usr/lib/python3/gzip.py", 3, "read"): 0.0,
    }
    assert describe_profile(own) == (
        "msgspec 45%, Python itself 25%, segment_scorer/runner/reading 20%, numpy 10%, "
        "Python's library 0%"
    )
    assert describe_profile(own, most=1) == "msgspec 45%"
