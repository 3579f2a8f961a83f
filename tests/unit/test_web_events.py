"""The events of a Function URL and of an HTTP API as AWS prints them, with a body of ours.

Sources: AWS Lambda developer guide, "Invoking Lambda function URLs", request payload; API Gateway
developer guide, "Create AWS Lambda proxy integrations for HTTP APIs", payload format 2.0.
"""

from __future__ import annotations

import io
import json
from copy import deepcopy
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.hosts import find_host
from function.hosts.web import WEB

KEY = "invented-secret-0123456789"
IAM = {
    "accessKey": "AKIA...",
    "accountId": "111122223333",
    "callerId": "AIDA...",
    "cognitoIdentity": None,
    "principalOrgId": None,
    "userArn": "arn:aws:iam::111122223333:user/example-user",
    "userId": "AIDA...",
}
JWT = {"claims": {"claim1": "value1", "claim2": "value2"}, "scopes": ["scope1", "scope2"]}
CERTIFICATE = {
    "clientCertPem": "CERT_CONTENT",
    "subjectDN": "www.example.com",
    "issuerDN": "Example issuer",
    "serialNumber": "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
    "validity": {
        "notBefore": "May 28 12:30:02 2019 GMT",
        "notAfter": "Aug  5 09:36:04 2021 GMT",
    },
}
SHARED: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/my/path",
    "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
    "cookies": ["cookie1", "cookie2"],
    "headers": {"header1": "value1", "header2": "value1,value2"},
    "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
    "isBase64Encoded": False,
}
CONTEXT: dict[str, Any] = {
    "accountId": "123456789012",
    "http": {
        "method": "POST",
        "path": "/my/path",
        "protocol": "HTTP/1.1",
        "sourceIp": "123.123.123.123",
        "userAgent": "agent",
    },
    "requestId": "id",
    "routeKey": "$default",
    "stage": "$default",
    "time": "12/Mar/2020:19:03:58 +0000",
    "timeEpoch": 1583348638390,
}
PRINTED: dict[str, dict[str, Any]] = {
    "function URL": {
        **SHARED,
        "requestContext": {
            **CONTEXT,
            "apiId": "<urlid>",
            "authentication": None,
            "authorizer": {"iam": IAM},
            "domainName": "<url-id>.lambda-url.us-west-2.on.aws",
            "domainPrefix": "<url-id>",
        },
        "body": "Hello from client!",
        "pathParameters": None,
        "stageVariables": None,
    },
    "HTTP API": {
        **SHARED,
        "requestContext": {
            **CONTEXT,
            "apiId": "api-id",
            "authentication": {"clientCert": CERTIFICATE},
            "authorizer": {"jwt": JWT},
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
        },
        "body": "Hello from Lambda",
        "pathParameters": {"parameter1": "value1"},
        "stageVariables": {"stageVariable1": "value1", "stageVariable2": "value2"},
    },
}


def ask(event: dict[str, Any], **environ: str) -> int:
    reply = build_handler(environ, stream=io.StringIO())(event, None)
    status: int = reply["statusCode"]
    return status


@pytest.fixture(params=PRINTED)
def printed(request: pytest.FixtureRequest) -> dict[str, Any]:
    return deepcopy(PRINTED[request.param])


def with_person(event: dict[str, Any], **headers: str) -> dict[str, Any]:
    body = json.dumps({"people": [{"Id": "a"}]})
    return {**event, "body": body, "headers": {"content-type": "application/json", **headers}}


def test_the_event_as_printed_is_recognised_and_refused_with_a_reason(
    printed: dict[str, Any],
) -> None:
    assert find_host(printed) is WEB
    has_iam = "iam" in printed["requestContext"]["authorizer"]
    assert ask(printed) == (415 if has_iam else 403)  # a token of a user pool is not IAM


def test_both_are_answered_if_iam_knows_the_caller(printed: dict[str, Any]) -> None:
    printed["requestContext"]["authorizer"] = {"iam": IAM}
    assert ask(with_person(printed)) == 200


def test_both_are_answered_with_a_secret(printed: dict[str, Any]) -> None:
    event = with_person(printed, authorization=f"Bearer {KEY}")
    assert ask(event, SCORER_WEB_SECRETS=KEY) == 200
    assert ask(with_person(printed), SCORER_WEB_SECRETS=KEY) == 401


def test_payload_format_1_is_no_event_of_this_host() -> None:
    old = {"version": "1.0", "httpMethod": "POST", "requestContext": {"httpMethod": "POST"}}
    assert find_host({**old, "body": "{}"}) is None
