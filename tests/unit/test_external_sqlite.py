"""function/external/sqlite.py: a file that is read, and every way in which it can be wrong."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from function.errors import ExternalTimeout, ExternalUnavailable, SettingsError
from function.external.sqlite import SqliteStore
from tests.fake_external import make_store

PEOPLE = {
    "u": {"tier": "gold", "points": 12, "rate": 0.1},
    "v/ü:\u0000": {"likes": ["jazz"]},
    "": {},
}


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_gives_the_people_who_are_there_and_nothing_for_other_keys(tmp_path: Path) -> None:
    store = SqliteStore(make_store(tmp_path / "p.sqlite", PEOPLE))
    assert store.fetch(["u", "nobody", "v/ü:\u0000"], 1.0) == {
        key: PEOPLE[key] for key in ("u", "v/ü:\u0000")
    }
    assert store.fetch([], 1.0) == {}


def test_more_keys_than_one_statement_takes_are_all_looked_up(tmp_path: Path) -> None:
    people = {f"u{index}": {"n": index} for index in range(1_203)}
    assert SqliteStore(make_store(tmp_path / "p.sqlite", people)).fetch(list(people), 1.0) == people


def test_a_store_that_is_dropped_is_closed_at_once_and_so_is_one_that_is_refused(
    tmp_path: Path,
) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    gc.disable()  # closed without the cycle collector's help
    try:
        store = SqliteStore(path)
        store.fetch(["u"], 1.0)
        assert count_open(path) == 1
        del store
        assert count_open(path) == 0
        change(path, "ALTER TABLE profile RENAME TO other")
        with pytest.raises(SettingsError):
            SqliteStore(path)
        assert count_open(path) == 0
    finally:
        gc.enable()


def count_open(path: Path) -> int:
    """How many descriptors of this process are of the file."""
    return sum(link.resolve() == path.resolve() for link in Path("/proc/self/fd").iterdir())


def test_a_path_with_odd_characters_is_opened(tmp_path: Path) -> None:
    path = make_store(tmp_path / "p ?mode=rwc#%41.sqlite", PEOPLE)
    assert SqliteStore(path).fetch(["u"], 1.0) == {"u": PEOPLE["u"]}


def test_opening_writes_nothing_not_even_beside_a_read_only_file(tmp_path: Path) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    before = path.read_bytes()
    SqliteStore(path).fetch(["u"], 1.0)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_threads_share_a_store(tmp_path: Path) -> None:
    people = {f"u{index}": {"n": index} for index in range(200)}
    store = SqliteStore(make_store(tmp_path / "p.sqlite", people))
    wrong: list[int] = []

    def ask(start: int) -> None:
        wrong.extend(
            index
            for index in range(start, 200, 4)
            if store.fetch([f"u{index}"], 1.0) != {f"u{index}": {"n": index}}
        )

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_file_that_is_replaced_while_open_is_read_as_it_was(tmp_path: Path) -> None:
    old, new = (
        {f"u{index}": {"n": n, "text": "x" * 500} for index in range(2_000)} for n in (1, 2)
    )
    path = make_store(tmp_path / "p.sqlite", old)
    store = SqliteStore(path)
    make_store(path, new)
    assert store.fetch(list(old), 1.0) == old
    assert SqliteStore(path).fetch(list(new), 1.0) == new


def test_a_lock_that_somebody_holds_on_the_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert SqliteStore(path).fetch(["u"], 1.0) == {"u": PEOPLE["u"]}


@pytest.mark.parametrize(
    "content", ["no JSON", "[1]", "null", '{"a": 1e999}', '{"a": ' * 5_000, b'{"a": 1}', None]
)
def test_stored_text_that_is_no_json_object_is_none_and_the_others_are_given(
    tmp_path: Path, content: object
) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    change(path, "CREATE TABLE other AS SELECT * FROM profile")
    change(path, "DROP TABLE profile")
    change(path, "CREATE TABLE profile (key TEXT PRIMARY KEY, attributes)")
    change(path, "INSERT INTO profile SELECT * FROM other")
    change(path, "UPDATE profile SET attributes = ? WHERE key = 'u'", content)
    assert SqliteStore(path).fetch(["u", "v/ü:\u0000"], 1.0) == {
        "u": None,
        "v/ü:\u0000": {"likes": ["jazz"]},
    }


def test_damage_that_shows_only_later_is_translated_and_names_nobody(tmp_path: Path) -> None:
    path = make_store(
        tmp_path / "p.sqlite", {f"u{index}": {"text": "x" * 500} for index in range(2_000)}
    )
    store = SqliteStore(path)
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 200)
    with pytest.raises(ExternalUnavailable) as raised:
        store.fetch([f"u{index}" for index in range(2_000)], 1.0)
    assert str(raised.value).startswith("external store: expected an undamaged SQLite file, found")
    assert "u1" not in str(raised.value)


def test_a_file_that_is_cut_off_in_place_while_it_is_read_is_translated_and_ends_no_process(
    tmp_path: Path,
) -> None:
    path = make_store(
        tmp_path / "p.sqlite", {f"u{index}": {"text": "x" * 500} for index in range(2_000)}
    )
    store = SqliteStore(path)
    with path.open("r+b") as file:
        file.truncate(4096 * 2)
    with pytest.raises(ExternalUnavailable):
        store.fetch([f"u{index}" for index in range(2_000)], 1.0)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def pad(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(4096))


def scramble(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (Path.unlink, "a file of external attributes, found none"),
    "a folder": (
        lambda path: (path.unlink(), path.mkdir()),
        "a file of external attributes, found a directory",
    ),
    "empty": (lambda path: path.write_bytes(b""), "found a file that is not SQLite"),
    "no SQLite": (
        lambda path: path.write_text("id,tier\nu,gold\n" * 100),
        "found a file that is not SQLite",
    ),
    "another application's": (
        lambda path: change(path, "PRAGMA application_id = 7"),
        "found another application's SQLite file",
    ),
    "another format": (
        lambda path: change(path, "PRAGMA user_version = 2"),
        "in format 1, found format 2",
    ),
    "another table": (
        lambda path: change(path, "ALTER TABLE profile RENAME COLUMN attributes TO json"),
        "a table `profile` with the columns key, attributes, found others",
    ),
    "one column more": (
        lambda path: change(path, "ALTER TABLE profile ADD COLUMN more TEXT"),
        "a table `profile` with the columns key, attributes, found 3 columns",
    ),
    "cut off": (cut, "of 8,192 bytes, as its header says, found 7,192"),
    "too long": (pad, "of 8,192 bytes, as its header says, found 12,288"),
    "scrambled": (
        scramble,
        "an undamaged file of external attributes, found one that SQLite refuses",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_not_a_whole_store_is_refused_in_one_sentence(
    tmp_path: Path, case: str
) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    spoil, words = REFUSED[case]
    spoil(path)
    with pytest.raises(SettingsError) as raised:
        SqliteStore(path)
    assert str(raised.value).startswith(f"{path}: expected ")
    assert words in str(raised.value)
    if case not in {"absent", "a folder"}:
        assert str(raised.value).endswith("; build it again with `segment-scorer external build`")


ENDLESS = """
CREATE VIEW profile AS
WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count)
SELECT CAST(n AS TEXT) AS key, '{}' AS attributes FROM count WHERE n < 0
"""


@pytest.mark.parametrize("name", ["profile", "PROFILE"])
def test_a_view_with_an_endless_query_is_refused_and_not_read(tmp_path: Path, name: str) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    change(path, "ALTER TABLE profile RENAME TO other")
    change(path, ENDLESS.replace("profile", name))
    with pytest.raises(SettingsError, match="expected a table `profile`, found a view or another"):
        SqliteStore(path)


def test_a_virtual_table_is_refused(tmp_path: Path) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    change(path, "DROP TABLE profile")
    change(path, "CREATE VIRTUAL TABLE profile USING fts5(key, attributes)")
    with pytest.raises(SettingsError, match="expected a table `profile`, found a view or another"):
        SqliteStore(path)


def test_a_file_without_the_table_is_refused(tmp_path: Path) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    change(path, "ALTER TABLE profile RENAME TO other")
    with pytest.raises(SettingsError, match="expected a table `profile`, found none"):
        SqliteStore(path)


def test_columns_that_are_computed_are_refused(tmp_path: Path) -> None:
    path = make_store(tmp_path / "p.sqlite", PEOPLE)
    change(path, "DROP TABLE profile")
    change(path, "CREATE TABLE profile (key TEXT, attributes TEXT AS (hex(zeroblob(1000000000))))")
    with pytest.raises(SettingsError, match="expected a table `profile` with the columns"):
        SqliteStore(path)


def test_a_statement_ends_with_the_time_budget(tmp_path: Path) -> None:
    """Every key needs a walk through the whole table, which has no index."""
    people = {f"u{index}": {"n": index} for index in range(20_000)}
    path = make_store(tmp_path / "p.sqlite", people)
    change(path, "CREATE TABLE other (key TEXT, attributes TEXT)")
    change(path, "INSERT INTO other SELECT * FROM profile")
    change(path, "DROP TABLE profile")
    change(path, "ALTER TABLE other RENAME TO profile")
    store = SqliteStore(path)
    with pytest.raises(ExternalTimeout, match="expected an answer within the time budget"):
        store.fetch(list(people), 0.0)
    assert store.fetch(["u7"], 60.0) == {"u7": {"n": 7}}


@pytest.mark.parametrize("kind", ["a directory", "a pipe"])
def test_anything_but_a_file_is_refused_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.sqlite"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(
        SettingsError, match=f"expected a file of external attributes, found {kind}"
    ):
        SqliteStore(path)
