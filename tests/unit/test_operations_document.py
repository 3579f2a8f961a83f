"""docs/operations.md: nothing that the function can say is missing from it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from function.errors import SegmentScorerError
from function.policy import REASONS
from tests.fakes import make_endpoint, make_event, read_log
from tests.rooms import make_handler

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def leaves(error: type[Exception]) -> list[str]:
    """The classes below an error that are raised themselves."""
    below = [name for child in error.__subclasses__() for name in leaves(child)]
    return below or [error.__name__]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained(reason: str) -> None:
    assert f"| `{reason}` |" in TEXT


@pytest.mark.parametrize("name", ["SettingsError", "EventError", "ReplyError", "BundleError", "SpecError", "DataError"])
def test_every_error_is_explained(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_no_error_of_the_function_and_the_model_was_forgotten_here() -> None:
    ours = [
        name
        for child in SegmentScorerError.__subclasses__()
        if child.__module__.split(".")[0] in {"function", "model"}
        for name in leaves(child)
    ]
    assert [name for name in ours if f"`{name}`" not in TEXT] == []


def test_every_number_of_a_batch_is_explained() -> None:
    log = io.StringIO()
    make_handler({}, stream=log)(make_event({"a": make_endpoint(0.9)}))
    (metrics,) = read_log(log.getvalue())[1]["_aws"]["CloudWatchMetrics"]
    named = {metric["Name"] for metric in metrics["Metrics"]}
    assert [name for name in sorted(named) if f"`{name}`" not in TEXT and name not in {"received", "kept", "filtered"}] == []
    assert "`received = kept + filtered`" in TEXT
