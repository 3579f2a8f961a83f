"""model/aws.py: the one opener of AWS clients."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore.exceptions import NoRegionError

from model.aws import open_client

ROOT = Path(__file__).parents[2]


def test_no_other_module_opens_a_client() -> None:
    openers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("function", "model", "protos", "segment_scorer", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(import|from) boto3\b", path.read_text("utf-8"), re.MULTILINE)
    ]
    # The hook before traffic runs as a function of its own, from a zip without `model`.
    assert openers == ["model/aws.py", "segment_scorer/deploy/pretraffic.py"]


def test_the_region_is_the_argument_then_aws_region_then_boto3s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(NoRegionError):
        open_client("dynamodb")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert open_client("dynamodb").meta.region_name == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert open_client("dynamodb").meta.region_name == "eu-central-1"
    assert open_client("dynamodb", region="us-west-2").meta.region_name == "us-west-2"


def test_arguments_become_the_clients_configuration() -> None:
    client = open_client(
        "dynamodb", region="us-west-2", endpoint_url="http://127.0.0.1:9", read_timeout=7
    )
    assert client.meta.config.read_timeout == 7
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
