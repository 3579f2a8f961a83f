"""`summary.json`: the names, their order and their types are an interface that others read."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from segment_scorer.runner.budget import Budget
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.summary import make_summary
from segment_scorer.runner.writing.checkpoint import Checkpoint
from segment_scorer.runner.writing.outputs import lock_folder, move_files, open_outputs

KEYS = (
    *("received", "kept", "filtered", "failed"),
    *(
        "held_out",
        "excluded",
        "unreadable",
        "unscored",
        "sparse",
        "opted_out",
        "would_filter",
        "rejected",
    ),
    *("batches", "attempts", "seconds", "model", "scheduled_time", "mode", "host"),
    *("threshold", "keep", "holdout_percent", "holdout_salt_digest", "policy_digest", "users"),
    *("excluded_by", "suppressed", "one_per_user", "budget", "budget_users"),
    *("users_selected", "users_kept", "users_held_out", "treatments", "options"),
)
MAY_BE_UNKNOWN = {
    "held_out",
    "excluded",
    *("excluded_by", "budget_users", "users_selected", "users_held_out", "treatments"),
    "options",
    "unreadable",
    "unscored",
    "sparse",
    "would_filter",
    "model",
    "mode",
} | {*("threshold", "keep", "holdout_percent", "holdout_salt_digest", "policy_digest")}
TEXTS = {
    *("model", "scheduled_time", "mode", "host", "excluded_by", "treatments"),
    *("options", "threshold", "keep", "holdout_percent", "holdout_salt_digest", "policy_digest"),
}


NONE = dict.fromkeys(("received", "kept", "filtered", "failed", "held_out"), 0)


def publish(folder: Path, config: RunConfig) -> dict[str, Any]:
    counts = Counter(
        {name: 2 for name in KEYS if name not in TEXTS | {"seconds"}} | {"received": 6}
    )
    checkpoint = Checkpoint({}, [], [], config)
    checkpoint.summary = make_summary(counts, config, 1.23456)
    with lock_folder(folder), open_outputs(folder, {}) as outputs:
        outputs.publish(checkpoint, move_files)
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return summary


def test_a_run_that_knows_everything_writes_every_key_with_a_value(tmp_path: Path) -> None:
    config = RunConfig(
        scheduled_time="2026-01-31T19:00:00.000Z",
        activity_id="a",
        knows_decisions=True,
        in_process=True,
        model="m@1",
        mode="filter",
        threshold=0.4,
        keep="at_least",
        holdout_percent=10.0,
        holdout_salt_digest="e3b0c44298fc1c14",
        policy_digest="abc",
        budget=Budget(users=2),
        treatments=(("a", 0.5), ("b", 1.0)),
    )
    assert publish(tmp_path, config) == {
        **{name: 2 for name in KEYS if name not in TEXTS},
        "received": 6,
        "seconds": 1.235,
        "model": "m@1",
        "scheduled_time": "2026-01-31T19:00:00.000Z",
        "mode": "filter",
        "host": "pinpoint",
        "threshold": 0.4,
        "keep": "at_least",
        "holdout_percent": 10.0,
        "holdout_salt_digest": "e3b0c44298fc1c14",
        "policy_digest": "abc",
        "excluded_by": {},
        "treatments": {"a": NONE, "b": NONE},
        "options": None,
    }
    assert tuple(json.loads((tmp_path / "summary.json").read_text())) == KEYS


def test_what_is_unknown_is_null_and_never_left_out(tmp_path: Path) -> None:
    summary = publish(tmp_path, RunConfig(scheduled_time="t", activity_id="a"))
    assert tuple(summary) == KEYS
    assert {name for name in KEYS if summary[name] is None} == MAY_BE_UNKNOWN


@pytest.mark.parametrize("name", KEYS)
def test_each_value_has_its_type(name: str, tmp_path: Path) -> None:
    value = publish(
        tmp_path,
        RunConfig(
            scheduled_time="t",
            activity_id="a",
            knows_decisions=True,
            in_process=True,
            model="m",
            mode="shadow",
            threshold=0.4,
            keep="below",
            holdout_percent=0.0,
            holdout_salt_digest="e3b0c44298fc1c14",
            policy_digest="abc",
            budget=Budget(users=2),
        ),
    )[name]
    numbers = {"seconds", "threshold", "holdout_percent"}
    if name in {"excluded_by", "treatments", "options"}:
        assert value == ({} if name == "excluded_by" else None)
        return
    assert type(value) is (float if name in numbers else str if name in TEXTS else int)
