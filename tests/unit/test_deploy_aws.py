"""What botocore raises becomes one sentence that names what to change; no code of the calls we make is left without one."""

from __future__ import annotations

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import ClientError

from deploy.aws import CODES, MISSING, describe, translated
from deploy.errors import DeployError, MissingResource

CALLS = {
    "lambda": ["AddPermission", "RemovePermission", "GetPolicy", "GetFunctionConfiguration"],
    "pinpoint": ["GetCampaign", "UpdateCampaign", "GetCampaigns", "GetApplicationSettings", "UpdateApplicationSettings"],
    "sts": ["GetCallerIdentity"],
    "ecr": ["GetAuthorizationToken"],
}


def client_error(code: str, message: str = "arn:aws:lambda:us-east-1:123456789012:function:secret") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Anything")  # type: ignore[typeddict-item,unused-ignore]


@pytest.mark.parametrize(("service", "operation"), [(service, each) for service, operations in CALLS.items() for each in operations])
def test_every_error_of_a_call_we_make_has_a_sentence_of_its_own(service: str, operation: str) -> None:
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert [shape.name for shape in model.error_shapes if shape.name not in CODES and shape.name not in MISSING] == []


@pytest.mark.parametrize("code", [*CODES, *MISSING, "SomethingNew", ""])
def test_no_sentence_repeats_what_the_service_said_of_whom(code: str) -> None:
    with pytest.raises(DeployError) as caught, translated("change the hook", missing="a campaign of this id"):
        raise client_error(code)
    assert "secret" not in str(caught.value)
    assert "123456789012" not in str(caught.value)
    assert "{" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ClientError)


def test_a_refusal_names_what_was_to_be_done() -> None:
    with pytest.raises(DeployError) as caught, translated("change the function's policy"):
        raise client_error("AccessDeniedException")
    assert str(caught.value) == "these credentials may not change the function's policy: ask for that permission"


def test_what_is_missing_is_named_with_the_region_as_a_possible_reason() -> None:
    with pytest.raises(MissingResource) as caught, translated("read the campaign", missing="a campaign of this id"):
        raise client_error("NotFoundException")
    assert str(caught.value) == "expected a campaign of this id in this account and region, found none: check the name and --region"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (botocore.exceptions.NoCredentialsError(), "valid AWS credentials"),
        (botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"), "valid AWS credentials"),
        (botocore.exceptions.ProfileNotFound(profile="secret"), "AWS_PROFILE"),
        (botocore.exceptions.NoRegionError(), "--region"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://secret"), "cannot reach AWS"),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="http://secret"), "cannot reach AWS"),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="http://secret"), "cannot reach AWS"),
        (botocore.exceptions.ParamValidationError(report="secret"), "refuses a parameter"),
        (botocore.exceptions.UnknownServiceError(service_name="secret", known_service_names="x"), "UnknownServiceError"),
    ],
)
def test_what_fails_before_aws_answers_has_a_sentence_too(error: Exception, words: str) -> None:
    assert words in describe(error)
    assert "secret" not in describe(error)
