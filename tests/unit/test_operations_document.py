"""docs/operations.md: nothing that the function can say is missing from it."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from function.bootstrap import build_handler
from function.concerns import WHERE_TIME_IS
from function.errors import ExternalTimeout, SegmentScorerError
from function.records import Reason
from function.scorers.causes import DETAILS, NO_VERSION, PLAIN, SECURE
from model.features import read_spec
from segment_scorer.runner.asking.web_hook import FAILURES
from tests.fake_external import EXTERNAL_SPEC, FakeStore
from tests.fakes import (
    FakeContext,
    make_bundle,
    make_endpoint,
    make_event,
    read_log,
    write_policy,
)
from tests.rooms import DRIFT

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text("utf-8")


def leaves(error: type[Exception]) -> list[str]:
    """The most specific error classes of the function and the model."""
    ours = [
        child
        for child in error.__subclasses__()
        if child.__module__.partition(".")[0] in {"function", "model"}
    ]
    return [name for child in ours for name in leaves(child)] or [error.__name__]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason])
def test_every_reason_is_explained(reason: str) -> None:
    assert f"| `{reason}` |" in TEXT


@pytest.mark.parametrize(
    "name", ["SettingsError", "EventError", "ReplyError", "BundleError", "SpecError", "DataError"]
)
def test_every_error_is_explained(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_no_error_of_the_function_and_the_model_was_forgotten_here() -> None:
    assert [name for name in leaves(SegmentScorerError) if f"`{name}`" not in TEXT] == []


def test_every_field_of_a_batchs_log_line_and_every_metric_is_explained(tmp_path: Path) -> None:
    drift = {"features": {"score": DRIFT}, "score": DRIFT}
    bundle = make_bundle(tmp_path / "bundle", read_spec(EXTERNAL_SPEC), drift=drift)
    policy = write_policy(tmp_path / "policy.toml", 'on_missing_external = "score"\n')
    environ = {"SCORER_BUNDLE": str(bundle), "SCORER_POLICY": str(policy)}
    log, store = io.StringIO(), FakeStore(error=ExternalTimeout("late"))
    handler = build_handler(environ, external=store, stream=log)
    handler(make_event({"a": make_endpoint(0.9, User={"UserId": "u"})}), FakeContext())
    named = set().union(*read_log(log.getvalue())) - {"_aws"}
    assert {"external_ms", "external_error", "score_bins", "remaining_ms"} <= named
    assert [name for name in sorted(named) if f"`{name}`" not in TEXT] == []
    assert "`received = kept + filtered`" in TEXT


def test_the_time_that_each_hosts_event_lacks_is_explained() -> None:
    begins = [sentence.partition(": expected a ")[0] for sentence in WHERE_TIME_IS.values()]
    assert [path for path in begins if f"`{path}: expected a " not in TEXT] == []


def read_sentence(node: ast.expr) -> list[str]:
    """The fixed parts of a text or of a formatted one."""
    if isinstance(node, ast.JoinedStr):
        return [part for value in node.values for part in read_sentence(value)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def begin(sentence: str) -> str:
    """The first three words of a sentence, behind the option or the file that it begins with."""
    return " ".join((sentence.partition(": ")[2] or sentence).split()[:3])


def find_sentences(folder: Path, names: set[str]) -> Iterator[str]:
    """How the sentences begin that errors of these classes are raised with."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                parts = [begin(part) for each in node.args for part in read_sentence(each)]
                yield next((part for part in parts if " " in part), "")


def test_every_sentence_that_ends_a_run_midway_is_explained() -> None:
    section = TEXT.partition("### The hook, the engine or the folder")[2].partition("\n### ")[0]
    quoted = {begin(words) for words in re.findall(r"`([^`]+)`", section)}
    names = {"HookUnreachable", "Unconnected", "EngineError", "OutputError", "OutputTaken"}
    found = set(find_sentences(ROOT / "segment_scorer", names)) - {""}
    assert len(found) > 20
    assert sorted(found - quoted) == []
    assert all(reason.partition(";")[0] in section for _, reason in FAILURES)


def test_every_warning_of_a_starting_function_is_explained() -> None:
    section = TEXT.partition("### Warnings\n")[2].partition("\n### ")[0]
    found = [
        max((part for each in node.args for part in read_sentence(each)), key=len)
        for path in (ROOT / "function").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warnings.append")
    ]
    begins = [" ".join(words.strip(" :.;,").split()[:3]) for words in found]
    assert len(begins) >= 7
    assert [words for words in begins if words not in section] == []


def test_every_verdict_of_drift_is_explained() -> None:
    verdicts = ("stable", "shifted", "different", "too few")
    assert [verdict for verdict in verdicts if f"| {verdict} |" not in TEXT] == []


# What a table's row quotes of each sentence.
def test_every_cause_of_a_failed_call_is_explained() -> None:
    section = TEXT.partition("### Why a service fails")[2].partition("\n## ")[0]
    quoted = re.findall(r"`([^`]+)`", section)
    causes = [*(cause for _, cause in DETAILS), NO_VERSION, PLAIN, SECURE]
    assert [
        cause for cause in causes if not any(words in cause for words in quoted if " " in words)
    ] == []
