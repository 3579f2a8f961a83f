"""docs/connect.md: every `console` block runs as typed, from top to bottom, without an account."""

from __future__ import annotations

import re
import shlex
import string

import pytest

from segment_scorer.cli.main import main
from tests.integration.test_deploy_docs import CONNECT, commands_of
from tests.templates import ROOT


def test_every_block_of_the_page_is_of_a_kind_that_a_test_reads() -> None:
    # `console yours` needs an export of the reader's own: tests/integration/test_run_connect.py
    marks = re.findall(r"^```(\S.*)$", CONNECT, re.MULTILINE)
    assert set(marks) <= {"console", "console aws", "console yours", "toml", "json"}


def test_every_console_block_runs_as_written_from_top_to_bottom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    variables: dict[str, str] = {}
    ran = 0
    for line in commands_of("", CONNECT):
        words = shlex.split(string.Template(line).substitute(variables))
        if words[0] == "export":
            variables |= dict(word.split("=", 1) for word in words[1:])
            continue
        assert words[0] == ".venv/bin/segment-scorer", line
        assert main(words[1:]) == 0, capsys.readouterr().err
        ran += 1
    assert ran >= 2
