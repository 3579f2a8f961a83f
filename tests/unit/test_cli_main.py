"""segment_scorer/cli/main.py: how the command ends, whatever the verb does."""

from __future__ import annotations

import pytest

from model.errors import DataError
from segment_scorer.cli.main import VERBS, end_in_a_sentence, main


def test_without_a_verb_it_says_what_it_can_do_and_that_this_was_no_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("Usage: segment-scorer VERB")


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_lists_every_verb(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    printed = capsys.readouterr().out
    assert [verb for verb in VERBS if f"\n  {verb} " not in printed] == []


def test_an_unknown_verb_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert capsys.readouterr().err.startswith("segment-scorer: expected a verb, one of ")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Usage: segment-scorer {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (
            DataError("people.csv: expected people"),
            1,
            "segment-scorer verb: people.csv: expected people\n",
        ),
        (KeyboardInterrupt(), 130, "segment-scorer verb: interrupted\n"),
    ],
)
def test_an_error_on_purpose_ends_in_one_sentence_and_a_status(
    error: BaseException, status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as raised:
        end_in_a_sentence("verb", command)()
    assert raised.value.code == status
    assert capsys.readouterr().err == sentence


def test_an_error_nobody_expected_is_not_hidden() -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        end_in_a_sentence("verb", command)()
