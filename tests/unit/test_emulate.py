"""tools/image/emulate.py and emulator.py: records among other lines; settings of the function."""

from __future__ import annotations

from tools.image.emulate import read_records
from tools.image.emulator import choose_settings

RECORD = '{"message":"batch","kept":3}'


def test_finds_the_records_of_batches_and_no_other_line() -> None:
    log = "\n".join(
        [
            "26 Nov 2026 [INFO] (rapid) INIT START(type: on-demand)",
            '{"message":"model","reference":{}}',
            f"START RequestId: 1 Version: $LATEST{RECORD}",
            "{ no JSON",
            RECORD,
            "[1, 2]",
        ]
    )
    assert read_records(log) == [RECORD, RECORD]
    assert read_records("") == []


def test_the_function_gets_awss_variables_only_for_a_table() -> None:
    shell = {"AWS_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_TIMEOUT": "9", "HOME": "/root"}
    lambdas = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "9"}
    file, table = {"SCORER_EXTERNAL": "sqlite:a.sqlite"}, {"SCORER_EXTERNAL": "dynamodb:people"}
    assert choose_settings(shell) == lambdas
    assert choose_settings(shell | file) == lambdas | file
    assert choose_settings(shell | table) == lambdas | table | {"AWS_REGION": "eu-west-1"}
