"""Counting the users of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from segment_scorer.runner.writing import user_keys
from segment_scorer.runner.writing.user_keys import KEY_BYTES, count_users, make_key

PEOPLE = [
    ("ann", "a-mail", True),
    ("ann", "a-phone", False),
    ("bob", "b-mail", None),
    ("", "c", True),
    ("", "d", False),
    ("c", "e", False),  # a UserId that is another endpoint's Id is another user
]


def write_keys(path: Path, times: int = 1) -> Path:
    keys = [make_key(user, id_, selected=selected) for user, id_, selected in PEOPLE]
    path.write_bytes(b"".join(keys) * times)
    return path


def test_a_user_counts_once_and_is_selected_if_any_endpoint_is(tmp_path: Path) -> None:
    assert count_users(write_keys(tmp_path / "keys")) == (5, 2)


def test_no_endpoint_is_no_user(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"")
    assert count_users(tmp_path / "keys") == (0, 0)


def test_many_passes_over_a_file_count_as_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    made = [make_key(f"u{i % 700}", f"e{i}", selected=i % 7 == 0) for i in range(3000)]
    path.write_bytes(b"".join(made))
    whole = count_users(path)
    monkeypatch.setattr(user_keys, "MOST_KEYS", 64)
    monkeypatch.setattr(user_keys, "BLOCK", 100)
    assert count_users(path) == whole == (700, 100)


def test_no_id_can_be_read_from_a_key() -> None:
    key = make_key("ann", "a-mail", selected=True)
    assert len(key) == KEY_BYTES
    assert key[1:] == make_key("ann", "another", selected=False)[1:]
    assert make_key("", "odd\ud800", selected=None) != key
