from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.image.build import name_image, pin_base, read_base
from tools.image.engine import Engine, ImageError
from tools.image.provenance import (
    format_time,
    read_file_time,
    read_revision,
    read_source,
    read_time,
    read_version,
)

ROOT = Path(__file__).parent.parent.parent
LIST, SINGLE = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def write_program(folder: Path, name: str, script: str) -> Engine:
    """A fake engine: a real program that answers as written."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Engine(program=str(program), environ=dict(os.environ))


def run_build(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.image.build"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_names_what_to_install_when_there_is_no_engine(tmp_path: Path) -> None:
    done = run_build(PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "image: expected a container engine: install podman (Debian: apt-get install podman runc) "
        "or docker, and check that `podman info` succeeds\n"
    )


def test_passes_over_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    write_program(tmp_path, "docker", "exit 1")
    write_program(tmp_path, "podman", '[ "$1" = info ]')
    done = run_build(PATH=f"{tmp_path}:{os.defpath}")
    assert done.returncode == 1
    assert "cannot pull it" in done.stderr


def test_names_what_to_set_when_the_base_cannot_be_had(tmp_path: Path) -> None:
    write_program(tmp_path, "docker", '[ "$1" = info ]')
    done = run_build(PATH=f"{tmp_path}:{os.defpath}", BASE_IMAGE="registry.invalid/python:3.13")
    assert done.returncode == 1
    assert done.stderr == (
        "image: expected the base image registry.invalid/python:3.13, found none on this machine "
        "and cannot pull it; set BASE_IMAGE to another, "
        "or make a stand-in with tools/image/standin.sh\n"
    )


def test_repeats_the_dockerfiles_own_sentence_as_the_last_line(tmp_path: Path) -> None:
    sentence = (
        "expected BASE_IMAGE to have Python 3.13, it has 3.9; "
        "set BASE_IMAGE to another, or BASE_PYTHON to 3.9"
    )
    step = 'echo "Dockerfile: expected BASE_IMAGE to have Python $BASE_PYTHON"'
    write_program(
        tmp_path,
        "docker",
        f"case $1 in build) echo '{step}'; "
        f"echo '#7 0.1 Dockerfile: {sentence}'; echo more; exit 1;; esac",
    )
    done = run_build(PATH=f"{tmp_path}:{os.defpath}", BASE_IMAGE="old")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"image: {sentence}"


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        ("ARCH", "amd64, arm64"),
        ("TARGET", "function, service, function-sidecar"),
        ("FUNCTION_SET", "function, function-dynamodb"),
    ],
)
def test_refuses_a_choice_that_there_is_not(choice: str, allowed: str, tmp_path: Path) -> None:
    write_program(tmp_path, "docker", "true")
    done = run_build(PATH=f"{tmp_path}:{os.defpath}", **{choice: "riscv64"})
    assert done.stderr == f"image: expected {choice} to be one of {allowed}\n"


def test_every_choice_has_a_name_of_its_own_and_one_that_says_the_same_has_the_same() -> None:
    choices = [
        {"TARGET": target, "FUNCTION_SET": packages, "ARCH": arch}
        for target in ("function", "service", "function-sidecar")
        for packages in (("function", "function-dynamodb") if target == "function" else ("",))
        for arch in ("", "amd64", "arm64")
    ]
    assert len({name_image(choice) for choice in choices}) == len(choices)
    assert (
        name_image({})
        == name_image({"TARGET": "", "FUNCTION_SET": "function"})
        == "segment-scorer:function"
    )
    assert (
        name_image({"FUNCTION_SET": "function-dynamodb", "ARCH": "arm64"})
        == "segment-scorer:function-dynamodb-arm64"
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of one commit: a file among what an image is made of, and one that is not."""
    for name in ("function/handler.py", "docs/image.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("one\n")
    identity = (
        "-c",
        "user.name=Test",
        "-c",
        "user.email=test@example.com",
        "-c",
        "commit.gpgsign=false",
    )
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        (*identity, "commit", "--quiet", "--message=One"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_a_tree_without_changes_is_its_commit(clone: Path) -> None:
    (clone / "notes.txt").write_text("of somebody's own, in no image\n")
    assert re.fullmatch("[0-9a-f]{40}", read_revision(clone))


def test_every_state_of_a_changed_tree_has_a_revision_of_its_own(clone: Path) -> None:
    commit = read_revision(clone)
    states = []
    for name, text in (
        ("function/handler.py", "two\n"),
        ("function/handler.py", "three\n"),
        ("function/new.py", ""),
        ("function/new.py", "x\n"),
    ):
        (clone / name).write_text(text)
        states.append(read_revision(clone))
    assert len(set(states)) == len(states)
    assert all(re.fullmatch(f"{commit}-dirty-[0-9a-f]{{12}}", state) for state in states)
    (clone / "function" / "new.py").unlink()
    assert read_revision(clone) == states[1]
    (clone / "function" / "handler.py").write_text("one\n")
    assert read_revision(clone) == commit


def test_outside_a_clone_the_revision_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_revision(tmp_path) == "unknown"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("https://example.com/team/scorer.git", "https://example.com/team/scorer"),
        ("https://user:token@example.com/team/scorer", "https://example.com/team/scorer"),
        ("git@example.com:team/scorer.git", "https://example.com/team/scorer"),
        ("ssh://git@example.com:22/team/scorer.git", "https://example.com/team/scorer"),
        ("/home/someone/scorer", "unknown"),
        ("file:///home/someone/scorer", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_source_is_the_origin_without_a_user_or_a_token(
    origin: str, source: str, clone: Path
) -> None:
    if origin:
        subprocess.run(["git", "-C", str(clone), "remote", "add", "origin", origin], check=True)
    assert read_source(clone) == source


def test_every_file_in_the_image_has_one_time_or_the_one_that_is_given() -> None:
    assert format_time(read_file_time({})) == "1980-01-01T00:00:00Z"
    assert read_file_time({"SOURCE_DATE_EPOCH": "86400"}) == 86400


def test_an_image_is_labelled_with_the_time_of_its_commit_or_the_one_that_is_given(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["git", "-C", str(clone), "log", "-1", "--format=%ct"]
    committed = int(subprocess.run(asked, capture_output=True, check=True).stdout)
    (clone / "function" / "handler.py").write_text("two\n")
    assert read_time({}, clone) == read_time({"SOURCE_DATE_EPOCH": ""}, clone) == committed
    assert read_time({"SOURCE_DATE_EPOCH": "86400"}, clone) == 86400
    with pytest.raises(ImageError, match="SOURCE_DATE_EPOCH to be whole seconds"):
        read_time({"SOURCE_DATE_EPOCH": "today"}, clone)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path_factory.getbasetemp()))
    outside = tmp_path_factory.mktemp("outside")
    assert format_time(read_time({}, outside)) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("engine", "times"),
    [("docker", "--build-arg SOURCE_DATE_EPOCH=86400 "), ("podman", "--timestamp=86400 ")],
)
def test_hands_version_base_platform_times_and_certificates_to_the_engine(
    engine: str, times: str, tmp_path: Path
) -> None:
    write_program(tmp_path, engine, f'[ "$1" != build ] || echo "$@" >> {tmp_path}/given')
    done = run_build(
        PATH=f"{tmp_path}:{os.defpath}",
        ENGINE=engine,
        BASE_IMAGE="mine",
        ARCH="arm64",
        CA_BUNDLE="/ca.pem",
        SOURCE_DATE_EPOCH="86400",
    )
    assert done.returncode == 0, done.stderr
    given = (tmp_path / "given").read_text()
    for part in (
        "--target function --tag segment-scorer:function-arm64 ",
        "BASE_IMAGE=mine ",
        f"VERSION={read_version()} ",
        "CREATED=1970-01-02T00:00:00Z ",
        times,
        "--platform linux/arm64 ",
        "--secret id=ca-bundle,src=/ca.pem ",
    ):
        assert part in given


def test_the_default_base_is_named_by_its_full_tag() -> None:
    assert read_base().startswith("docker.io/library/python:3.13.")
    assert "slim" in read_base()


@pytest.fixture
def dockerfile(tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_text(
        "# a comment\nARG BASE_IMAGE=docker.io/library/python:3.13.14-slim-trixie\n"
        "FROM ${BASE_IMAGE}\n"
    )
    return path


ANSWERS = f"""
case "$1 $2" in
  "image inspect") echo '["name@{SINGLE}", "name@{LIST}"]';;
  "manifest inspect")
    case $3 in *{LIST}) echo '{{"manifests": []}}';; *) echo '{{"layers": []}}';; esac;;
esac
"""


def test_pins_the_base_to_the_digest_of_all_its_architectures(
    tmp_path: Path, dockerfile: Path
) -> None:
    pin_base(write_program(tmp_path, "docker", ANSWERS), dockerfile)
    assert dockerfile.read_text().splitlines() == [
        "# a comment",
        f"ARG BASE_IMAGE=docker.io/library/python:3.13.14-slim-trixie@{LIST}",
        "FROM ${BASE_IMAGE}",
    ]


def test_replaces_an_older_pin(tmp_path: Path, dockerfile: Path) -> None:
    dockerfile.write_text(f"ARG BASE_IMAGE=python:3.13@{SINGLE}\n")
    pin_base(write_program(tmp_path, "docker", ANSWERS), dockerfile)
    assert dockerfile.read_text() == f"ARG BASE_IMAGE=python:3.13@{LIST}\n"


def test_writes_no_digest_that_no_registry_gave(tmp_path: Path, dockerfile: Path) -> None:
    before = dockerfile.read_text()
    engine = write_program(tmp_path, "docker", f'[ "$1" != pull ] || exit 1\n{ANSWERS}')
    with pytest.raises(ImageError, match="must come from the registry itself; nothing was written"):
        pin_base(engine, dockerfile)
    assert dockerfile.read_text() == before
