"""Every error of a call we make becomes one sentence that says what to change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from segment_scorer.cli.main import main
from segment_scorer.deploy.aws import CODES, MISSING, describe, open_client, translate_errors
from segment_scorer.deploy.errors import DeployError, MissingResource

CALLS = {
    "lambda": [
        "AddPermission",
        "RemovePermission",
        "GetPolicy",
        "GetFunctionConfiguration",
        "ListVersionsByFunction",
        "ListAliases",
        "DeleteFunction",
    ],
    "pinpoint": [
        "GetCampaign",
        "UpdateCampaign",
        "GetCampaigns",
        "GetApplicationSettings",
        "UpdateApplicationSettings",
    ],
    "connectcampaignsv2": [
        "ListConnectInstanceIntegrations",
        "PutConnectInstanceIntegration",
        "DeleteConnectInstanceIntegration",
    ],
    "sts": ["GetCallerIdentity"],
    "ecr": ["GetAuthorizationToken"],
}


def client_error(
    code: str, message: str = "arn:aws:lambda:us-east-1:123456789012:function:secret"
) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Anything")  # type: ignore[typeddict-item,unused-ignore]


@pytest.mark.parametrize(
    ("service", "operation"),
    [(service, each) for service, operations in CALLS.items() for each in operations],
)
def test_every_error_of_a_call_we_make_has_a_sentence_of_its_own(
    service: str, operation: str
) -> None:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert [
        shape.name
        for shape in model.error_shapes
        if shape.name not in CODES and shape.name not in MISSING
    ] == []


@pytest.mark.parametrize("code", [*CODES, *sorted(MISSING), "SomethingNew", ""])
def test_no_sentence_repeats_what_the_service_said_of_whom(code: str) -> None:
    with (
        pytest.raises(DeployError) as caught,
        translate_errors("change the hook", missing="a campaign of this id"),
    ):
        raise client_error(code)
    assert "secret" not in str(caught.value)
    assert "123456789012" not in str(caught.value)
    assert "{" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ClientError)


def test_a_refusal_names_what_was_to_be_done() -> None:
    with pytest.raises(DeployError) as caught, translate_errors("change the function's policy"):
        raise client_error("AccessDeniedException")
    assert (
        str(caught.value)
        == "these credentials may not change the function's policy: ask for that permission"
    )


def test_what_is_missing_is_named_with_the_region_as_a_possible_reason() -> None:
    with (
        pytest.raises(MissingResource) as caught,
        translate_errors("read the campaign", missing="a campaign of this id"),
    ):
        raise client_error("NotFoundException")
    assert str(caught.value).startswith("expected a campaign of this id in this account and region")
    assert str(caught.value).endswith("found none: check the name and --region")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (botocore.exceptions.NoCredentialsError(), "valid AWS credentials"),
        (
            botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"),
            "valid AWS credentials",
        ),
        (botocore.exceptions.ProfileNotFound(profile="secret"), "AWS_PROFILE"),
        (botocore.exceptions.NoRegionError(), "--region"),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="http://secret"),
            "cannot reach AWS",
        ),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="http://secret"), "cannot reach AWS"),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="http://secret"), "cannot reach AWS"),
        (botocore.exceptions.ParamValidationError(report="secret"), "refuses a parameter"),
        (
            botocore.exceptions.UnknownServiceError(service_name="secret", known_service_names="x"),
            "UnknownServiceError",
        ),
    ],
)
def test_what_fails_before_aws_answers_has_a_sentence_too(error: Exception, words: str) -> None:
    assert words in describe(error)
    assert "secret" not in describe(error)


@pytest.mark.parametrize("error", [ResponseParserError("secret"), KeyError("Item"), IndexError()])
def test_an_answer_of_something_else_than_aws_is_one_sentence(error: Exception) -> None:
    with pytest.raises(DeployError) as caught, translate_errors("list the campaigns"):
        raise error
    assert (
        str(caught.value)
        == "expected an answer of this AWS service, found another one: check --endpoint-url, "
        "AWS_ENDPOINT_URL and proxies"
    )


def test_the_region_that_the_sentence_names_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert open_client("lambda", region=None, endpoint_url=None).meta.region_name == "eu-central-1"
    assert (
        open_client("lambda", region="us-west-2", endpoint_url=None).meta.region_name == "us-west-2"
    )
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(DeployError, match="set AWS_REGION"):
        open_client("lambda", region=None, endpoint_url=None)


class Nonsense(BaseHTTPRequestHandler):
    """Answers whatever it is asked with an empty JSON object."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def nonsense() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Nonsense) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "words",
    [
        ["assign", "--list", "--application-id", "0" * 32],
        ["grant", "--function", "scorer", "--application-id", "0" * 32],
        ["external", "build", "people.jsonl", "--dynamodb", "people"],
    ],
)
def test_a_service_that_is_not_awss_ends_in_one_sentence(
    nonsense: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.jsonl").write_text('{"id": "a", "x": 1}')
    assert main([*words, "--endpoint-url", nonsense]) == 1
    assert "check --endpoint-url" in capsys.readouterr().err.splitlines()[-1]
