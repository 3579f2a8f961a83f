"""Registering with a Connect instance: the verbs against moto's Lambda and a server of our own.

moto has no connectcampaignsv2. The server holds what the service model says: a list, to which PUT
adds and from which POST .../delete removes. botocore writes the requests and reads the replies.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from segment_scorer.cli.main import main
from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.connect_instance import (
    LAMBDA_ARN,
    MAX_ARN,
    Integration,
    change_registration,
    list_integrations,
    plan_change,
)
from segment_scorer.deploy.errors import DeployError, MissingResource
from segment_scorer.deploy.grant import read_policy
from segment_scorer.deploy.statements import AwsAccount, LambdaFunction, allow_connect
from tests.aws import create_scorer, publish_live

ACCOUNT = AwsAccount(partition="aws", region="us-east-1", number="123456789012")
LIVE = LambdaFunction(account=ACCOUNT, name="scorer", qualifier="live")
INSTANCE = "12345678-1234-1234-1234-123456789abc"
DOMAIN = "arn:aws:profile:us-east-1:123456789012:domains/people"
CHOSEN = ["--connect-instance", INSTANCE, "--function", LIVE.arn]


class Campaigns(ThreadingHTTPServer):
    """An instance's integrations, two on a page. `deaf` accepts changes and forgets them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held: list[dict[str, Any]] = [
            {"customerProfiles": {"domainArn": DOMAIN, "objectTypeNames": {"Campaign-Email": "e"}}}
        ]
        self.asked: list[str] = []
        self.deaf = False
        self.on_put: Any = lambda: None


class Handler(BaseHTTPRequestHandler):
    server: Campaigns

    def answer(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read(self) -> Any:
        found = urlsplit(self.path)
        self.server.asked.append(f"{self.command} {found.path}")
        assert found.path.startswith(f"/v2/connect-instance/{INSTANCE}/integrations")
        length = int(self.headers.get("Content-Length", 0))
        return json.loads(self.rfile.read(length) or b"null")

    def do_GET(self) -> None:
        self.read()
        asked = parse_qs(urlsplit(self.path).query)
        start = int(asked.get("nextToken", ["0"])[0])
        page = self.server.held[start : start + 2]
        more = {"nextToken": str(start + 2)} if len(self.server.held) > start + 2 else {}
        self.answer({"integrationSummaryList": page, **more})

    def do_PUT(self) -> None:
        config = self.read()["integrationConfig"]
        if not self.server.deaf:
            self.server.held.append(config)
        self.server.on_put()
        self.answer({})

    def do_POST(self) -> None:
        chosen = self.read()["integrationIdentifier"]
        if not self.server.deaf:
            self.server.held.remove(chosen)
        self.answer({})

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def functions() -> Iterator[Any]:
    """Moto's Lambda with the function `scorer` behind its alias `live`."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = create_scorer()
        publish_live(client)
        yield client


@pytest.fixture
def campaigns(functions: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Campaigns]:
    """The server of an instance's campaigns; the function's policy is empty."""
    for statement in read_policy(functions, LIVE):
        functions.remove_permission(**LIVE.parameters(), StatementId=statement["Sid"])
    server = Campaigns()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECTCAMPAIGNSV2", address)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def let_call(functions: Any) -> None:
    """What Amazon Connect does by itself when a function is registered."""
    (statement,) = allow_connect(ACCOUNT, INSTANCE)
    functions.add_permission(**{**statement.parameters(LIVE), "StatementId": "of-amazon-connect"})


def test_assign_registers_lists_and_removes_the_alias(
    functions: Any, campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    campaigns.on_put = lambda: let_call(functions)
    assert main(["assign", *CHOSEN]) == 0
    printed = capsys.readouterr().err
    assert "the function is registered" in printed
    assert "warning" not in printed
    assert campaigns.held[-1] == {"lambda": {"functionArn": LIVE.arn}}
    assert main(["assign", *CHOSEN]) == 0
    assert "was registered already" in capsys.readouterr().err
    assert [each for each in campaigns.asked if each.startswith("PUT")] == [
        f"PUT /v2/connect-instance/{INSTANCE}/integrations"
    ]

    campaigns.held += [{"lambda": {"functionArn": LIVE.arn + "2"}}, {"qConnect": {"k": 1}}]
    campaigns.held[-1]["qConnect"] = {"knowledgeBaseArn": "arn:aws:wisdom:::k"}
    arn = ACCOUNT.arn("connect", f"instance/{INSTANCE}")
    assert main(["assign", "--connect-instance", arn, "--list"]) == 0
    listed = capsys.readouterr()
    assert [line.split("\t") for line in listed.out.splitlines()] == [
        ["customerProfiles", DOMAIN],
        ["lambda", LIVE.arn],
        ["lambda", LIVE.arn + "2"],
        ["qConnect", "arn:aws:wisdom:::k"],
    ]
    assert "2 functions" in listed.err

    assert main(["unassign", *CHOSEN]) == 0
    removed = capsys.readouterr().err
    assert "the function is removed" in removed
    assert "still lets this instance call" in removed
    assert {"lambda": {"functionArn": LIVE.arn}} not in campaigns.held
    assert main(["unassign", *CHOSEN]) == 0
    assert "was not registered" in capsys.readouterr().err
    assert sum(each.startswith("POST") for each in campaigns.asked) == 1


def test_the_other_principal_is_granted_with_the_registration(
    functions: Any, campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assign", *CHOSEN, "--principal", "connect.amazonaws.com"]) == 0
    assert "warning" not in capsys.readouterr().err
    (statement,) = read_policy(functions, LIVE)
    assert statement["Principal"] == {"Service": "connect.amazonaws.com"}
    assert statement["Resource"] == LIVE.arn


def test_a_permission_that_amazon_connect_did_not_add_is_warned_of(
    campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assign", *CHOSEN]) == 0
    assert "the function's policy does not name this instance" in capsys.readouterr().err


def test_an_alias_that_does_not_exist_is_not_registered(
    campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = LIVE.arn.replace(":live", ":dead")
    assert main(["assign", "--connect-instance", INSTANCE, "--function", arn]) == 1
    assert "expected a function of this name, alias or version" in capsys.readouterr().err
    assert campaigns.asked == []


def test_a_change_that_the_list_does_not_show_is_an_error(
    campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    campaigns.deaf = True
    assert main(["assign", *CHOSEN]) == 1
    assert "the function is not in its list" in capsys.readouterr().err
    campaigns.held.append({"lambda": {"functionArn": LIVE.arn}})
    assert main(["unassign", *CHOSEN]) == 1
    assert "the function is still in its list" in capsys.readouterr().err


def test_a_dry_run_needs_no_credentials_and_shows_calls_that_the_service_model_accepts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    shown = []
    for words in (
        ["assign", *CHOSEN, "--principal", "connect.amazonaws.com"],
        ["unassign", *CHOSEN],
    ):
        assert main([*words, "--dry-run"]) == 0
        shown += json.loads(capsys.readouterr().out)["calls"]
    assert [call["operation"] for call in shown] == [
        "AddPermission",
        "PutConnectInstanceIntegration",
        "DeleteConnectInstanceIntegration",
    ]
    for call in shown:
        client = open_client(call["service"], region="us-east-1", endpoint_url=None)
        name = botocore.xform_name(call["operation"])
        with Stubber(client) as stubber:
            stubber.add_response(name, {}, call["parameters"])
            getattr(client, name)(**call["parameters"])  # botocore checks it by the model


def test_the_rules_for_an_arn_are_those_of_the_service_model() -> None:
    (path,) = Path(botocore.__file__).parent.glob("data/connectcampaignsv2/*/service-2.json.gz")
    shape = json.loads(gzip.decompress(path.read_bytes()))["shapes"]["LambdaArn"]
    assert shape["max"] == MAX_ARN
    theirs = re.compile(shape["pattern"])
    arn = LIVE.arn
    for text in (arn, arn.removesuffix(":live"), arn.replace("us-east-1", "us-gov-west-1")):
        assert theirs.fullmatch(text), text
        assert LAMBDA_ARN.fullmatch(text), text
    for text in (arn + ":x", arn.replace("us-east-1", "us-iso-east-1"), arn.replace("12345", "1")):
        assert not theirs.fullmatch(text), text
        assert not LAMBDA_ARN.fullmatch(text), text


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (
            LambdaFunction(account=ACCOUNT, name="s" * 64, qualifier="q" * 30),
            "at most 140 characters, found 142",
        ),
        (
            LambdaFunction(
                account=AwsAccount(partition="aws-iso", region="us-iso-east-1", number="1" * 12),
                name="scorer",
            ),
            "found another form",
        ),
    ],
)
def test_an_arn_that_amazon_connect_refuses_is_refused_before_any_call(
    function: LambdaFunction, sentence: str
) -> None:
    with pytest.raises(DeployError, match=sentence) as caught:
        plan_change(INSTANCE, function, remove=False)
    assert function.name not in str(caught.value)
    shorter = LambdaFunction(account=ACCOUNT, name="s" * 64, qualifier="q" * 28)
    assert len(shorter.arn) == MAX_ARN
    plan_change(INSTANCE, shorter, remove=False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["assign"], "expected one of --application-id"),
        (["unassign"], "expected one of --application-id"),
        (["assign", *CHOSEN, "--application-id", "a" * 32], "found both of them"),
        (["assign", *CHOSEN, "--replace"], "only with --application-id"),
        (["unassign", *CHOSEN, "--campaign-id", "c" * 32], "only with --application-id"),
        (["unassign", "--application-id", "a" * 32, "--function", "f"], "only with --connect"),
        (["assign", "--connect-instance", INSTANCE], "expected --function with"),
        (["assign", "--connect-instance", "spring", "--list"], "an instance's id (a UUID) or ARN"),
    ],
)
def test_options_of_the_other_host_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert sentence in capsys.readouterr().err


def test_an_instance_that_does_not_exist_is_named_as_missing() -> None:
    client = open_client("connectcampaignsv2", region="us-east-1", endpoint_url=None)
    with Stubber(client) as stubber:
        stubber.add_client_error("list_connect_instance_integrations", "ResourceNotFoundException")
        with pytest.raises(MissingResource, match="expected a Connect instance of this id"):
            change_registration(client, INSTANCE, LIVE)


def test_a_kind_of_integration_that_botocore_does_not_know_is_listed_by_its_name() -> None:
    class Newer:
        def list_connect_instance_integrations(self, **parameters: object) -> object:
            del parameters
            return {"integrationSummaryList": [{"SDK_UNKNOWN_MEMBER": {"name": "newKind"}}]}

    assert list(list_integrations(Newer(), INSTANCE)) == [Integration(kind="newKind", arn="")]
