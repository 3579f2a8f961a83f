"""segment_scorer/cli/main.py: how a command ends, and what its help shows."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from function.renamed import RENAMED
from model.errors import DataError
from segment_scorer.cli.endings import CAUGHT, end_in_a_sentence
from segment_scorer.cli.main import main
from segment_scorer.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "segment_scorer.cli.main"]


def list_commands() -> list[tuple[str, ...]]:
    """Every verb, and every sub-verb of those that have them."""
    commands: list[tuple[str, ...]] = []
    for verb, (module, _) in VERBS.items():
        below = getattr(importlib.import_module(module), "COMMANDS", {})
        commands += [(verb, name) for name in below] or [(verb,)]
    return commands


COMMANDS = list_commands()


def test_without_a_verb_it_prints_the_overview_and_ends_as_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("Usage: segment-scorer VERB")


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_verb(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    printed = capsys.readouterr().out
    assert [verb for verb in VERBS if f"\n  {verb} " not in printed] == []


def test_version_is_the_projects_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    stated = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert stated
    assert capsys.readouterr().out == f"segment-scorer {stated[1]}\n"


def test_an_unknown_verb_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert capsys.readouterr().err.startswith("segment-scorer: expected a verb, one of ")


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_number_that_is_not_finite_is_refused_whatever_the_options_range(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN is below no least value."""
    assert main(["lift", "run", "--outcomes", "o.csv", "--value", number, "--cost", "1"]) == 2
    assert "--value: expected a finite number" in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), RENAMED["verb"].items())
def test_a_verb_that_was_renamed_is_told_its_new_name(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([old, "build"]) == 2
    assert f"{old} is now {new}" in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), RENAMED["option"].items())
def test_an_option_that_was_renamed_is_told_its_new_name(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (f"{old} value", f"{old}=value"):
        assert main(words.split()) == 2
        assert f"{old} is now {new}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(verb,) for verb in VERBS if (verb,) not in COMMANDS])
def test_a_verb_with_sub_verbs_lists_them(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    printed = capsys.readouterr().out
    for verb, *below in COMMANDS:
        if verb == words[0]:
            assert f"\n  {below[0]} " in printed


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example_and_no_python_types(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    command = f"segment-scorer {' '.join(words)}"
    assert usage.startswith(f"Usage: {command}")
    assert re.search(rf"example:\s+{command} ", rest, re.IGNORECASE), "expected an example"
    assert re.findall(r"<[\w\[\]. ]+>", usage + rest) == []  # such as <list[str]>


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (DataError("people.csv: expected people"), 1, "people.csv: expected people"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "out"), 1, "out: permission denied"),
        (ConnectionRefusedError(111, "Connection refused"), 1, "connection refused"),
        (OverflowError("int too large"), 1, "found a number that is too large"),
        (MemoryError(), 1, "expected more memory"),
        (RecursionError("deep"), 1, "stopped by an unexpected RecursionError"),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"), 1, "expected text in utf-8"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "bad"), 1, "cannot be written in the encoding"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_expected_error_ends_in_one_sentence_and_a_status(
    error: BaseException, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised, end_in_a_sentence("verb"):
        raise error
    printed = capsys.readouterr().err
    assert raised.value.code == status
    assert printed.startswith("segment-scorer verb: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert "é" not in printed


@pytest.mark.parametrize("kind", CAUGHT, ids=lambda kind: kind.__name__)
def test_the_traceback_is_there_when_asked_for(
    kind: type[Exception], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = UnicodeDecodeError("utf-8", b"", 0, 0, "") if kind is UnicodeError else kind()
    monkeypatch.setenv("SEGMENT_SCORER_DEBUG", "1")
    with pytest.raises(SystemExit), end_in_a_sentence("verb"):
        raise error
    traceback, _, sentence = capsys.readouterr().err.rpartition("segment-scorer verb: ")
    assert traceback.startswith("Traceback (most recent call last):")
    assert sentence


@pytest.mark.parametrize("status", [0, 4])
def test_a_command_can_end_with_a_status_of_its_own(status: int) -> None:
    with pytest.raises(typer.Exit) as raised, end_in_a_sentence("verb"):
        raise typer.Exit(status)
    assert raised.value.exit_code == status


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), end_in_a_sentence("verb"):
        raise ZeroDivisionError


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, of Linux")
def test_a_full_disk_ends_a_real_command_in_one_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "--help"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"segment-scorer --help: no space left on device\n"


@pytest.mark.parametrize("words", [[], ["policy"], ["policy", "check"]], ids=" ".join)
def test_a_reader_that_goes_away_ends_the_help_without_a_word(words: list[str]) -> None:
    program = [*COMMAND, *words, "--help"]
    with subprocess.Popen(
        program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()  # before the first line is written
        assert process.stderr.read() == b""


@pytest.mark.parametrize("name", ["function", "model", "protos"])
@pytest.mark.parametrize("kind", ["package", "module"])
def test_a_package_of_the_users_own_with_our_name_is_one_sentence(
    name: str, kind: str, tmp_path: Path
) -> None:
    if kind == "module":
        (tmp_path / f"{name}.py").write_text("")
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    done = run_behind(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"segment-scorer: expected segment-scorer's own package {name}")
    assert str(tmp_path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_with_our_name_that_is_no_package_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    done = run_behind(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def run_behind(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a verb where `folder` comes before our own packages on Python's path."""
    # As in an installed package: what PYTHONPATH names comes before our own folder.
    program = (
        f"import sys; sys.path.remove({str(ROOT)!r}); sys.path += [{str(folder)!r}, {str(ROOT)!r}];"
        "from segment_scorer.cli.main import main; raise SystemExit(main(['policy', '--help']))"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder.parent,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "verb",
    [
        ["evaluate", "--bundle", "b", "--endpoints", "e", "--outcomes", "o"],
        ["train", "--endpoints", "e", "--outcomes", "o", "--out", "b"],
        ["lift", "r", "--outcomes", "o"],
        ["run", "s", "--out", "r"],
    ],
    ids=lambda verb: verb[0],
)
def test_a_negative_cost_is_refused_before_a_file_is_opened(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb, "--value", "10", "--cost=-1"]) == 2
    assert "cost" in capsys.readouterr().err
