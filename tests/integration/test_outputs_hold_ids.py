"""Outputs hold ids: only their user can read them, unless told otherwise."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from segment_scorer.cli.main import main
from segment_scorer.runner.writing import connect_csv
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A umask that takes away nothing: each permission is then the command's own choice."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


def run(tmp_path: Path, *more: str) -> Path:
    segment = write_segment(tmp_path / "people.jsonl", [person(i, i / 10) for i in range(10)])
    bundle = make_bundle(tmp_path / "bundle")
    out = tmp_path / "new" / "out"
    words = ["run", str(segment), "--out", str(out), "--bundle", str(bundle), *more]
    assert main(words) == 0
    return out


FORMATS = ("--also", "csv", "--also", "parquet", "--also", "profiles", "--also", "connect-csv")


def test_files_are_0600_and_the_folder_is_0700(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect_csv, "MOST_BYTES", 100)  # so that one file is not enough
    found = modes(run(tmp_path, *FORMATS))
    assert found.pop("out") == 0o700
    assert len(found) > 11
    assert "connect-2.csv" in found
    assert set(found.values()) == {0o600}


def test_shared_outputs_have_the_permissions_that_the_umask_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.umask(0o027)
    monkeypatch.setattr(connect_csv, "MOST_BYTES", 100)
    found = modes(run(tmp_path, *FORMATS, "--shared"))
    assert found.pop("out") == 0o750
    assert len(found) > 11
    assert set(found.values()) == {0o640}


def test_a_folder_that_exists_keeps_its_permissions(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    out.mkdir(parents=True)
    found = modes(run(tmp_path))
    assert found.pop("out") == 0o777
    assert set(found.values()) == {0o600}


def test_a_replaced_output_is_private_though_the_old_one_was_not(tmp_path: Path) -> None:
    run(tmp_path, "--shared")
    found = modes(run(tmp_path, "--force"))
    found.pop("out")
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize(("more", "mode"), [((), 0o600), (("--shared",), 0o666)])
def test_an_external_store_is_0600(tmp_path: Path, more: tuple[str, ...], mode: int) -> None:
    (tmp_path / "p.csv").write_text("id,tier\n1,gold\n")
    store = tmp_path / "store.sqlite"
    assert main(["external", "build", str(tmp_path / "p.csv"), "--out", str(store), *more]) == 0
    assert stat.S_IMODE(store.stat().st_mode) == mode
