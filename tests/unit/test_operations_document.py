"""docs/operations.md: nothing that the function can say is missing from it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from function.errors import SegmentScorerError
from function.records import Reason
from tests.fakes import make_endpoint, make_event, read_log
from tests.rooms import make_handler

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def leaves(error: type[Exception]) -> list[str]:
    """The classes of the function and the model at or below an error that have none of theirs below them."""
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


def test_every_number_of_a_batch_is_explained() -> None:
    log = io.StringIO()
    make_handler({}, stream=log)(make_event({"a": make_endpoint(0.9)}))
    (metrics,) = read_log(log.getvalue())[1]["_aws"]["CloudWatchMetrics"]
    named = {metric["Name"] for metric in metrics["Metrics"]}
    assert [
        name
        for name in sorted(named)
        if f"`{name}`" not in TEXT and name not in {"received", "kept", "filtered"}
    ] == []
    assert "`received = kept + filtered`" in TEXT
