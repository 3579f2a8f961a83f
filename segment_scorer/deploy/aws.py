"""Open AWS clients, and turn botocore's exceptions into one sentence that says what to change.

boto3 is imported only when a client is opened. Messages hold no value, id or address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from model import aws
from segment_scorer.deploy.errors import DeployError, MissingResource

CREDENTIALS = (
    "expected valid AWS credentials (environment variables, a profile or a role): sign in again"
)
REACH = "cannot reach AWS: check the network, --region and --endpoint-url"
INVALID = (
    "AWS refuses a parameter: check names and ids for typing errors, and that all are of this "
    "account and region"
)
WRONG_SERVICE = (
    "expected an answer of this AWS service, found another one: check --endpoint-url, "
    "AWS_ENDPOINT_URL and proxies"
)
# What to change -> the error codes. {doing} is what was attempted: "read the function's policy".
SENTENCES: dict[str, tuple[str, ...]] = {
    "these credentials may not {doing}: ask for that permission": (
        "AccessDenied",
        "AccessDeniedException",
        "ForbiddenException",
    ),
    CREDENTIALS: (
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ),
    "AWS limits the rate of calls: wait a minute and run the same command again": (
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ),
    "the resource is being changed by someone else: run the same command again": (
        "ConflictException",
        "PreconditionFailedException",
        "ResourceConflictException",
    ),
    "AWS reports an internal error: run the same command again later": (
        "InternalServerErrorException",
        "InternalServerException",
        "InternalServiceError",
        "ServerException",
        "ServiceException",
    ),
    INVALID: (
        "BadRequestException",
        "InvalidParameterException",
        "InvalidParameterValueException",
        "ValidationError",
        "ValidationException",
    ),
    "the function's policy is full: revoke campaigns that are over, or grant the application": (
        "PolicyLengthExceededException",
    ),
    "the account's settings block this permission as public access: check its scope": (
        "PublicPolicyException",
    ),
    "this region no longer offers the call: see docs/deploy.md on Pinpoint's end": (
        "MethodNotAllowedException",
    ),
    "the request is too large: shorten names and messages of the campaign": (
        "PayloadTooLargeException",
    ),
}
CODES = {code: sentence for sentence, codes in SENTENCES.items() for code in codes}
MISSING = {"ResourceNotFoundException", "NotFoundException", "RepositoryNotFoundException"}


def open_client(
    service: str, *, region: str | None, endpoint_url: str | None, attempts: int = 5
) -> Any:
    """Open a boto3 client that makes a throttled call up to `attempts` times.

    `endpoint_url` is the address of a compatible service. Raises DeployError when boto3 is not
    installed, and without a usable region.
    """
    try:
        with translate_errors(f"open a client for {service}"):
            return aws.open_client(
                service,
                region=region,
                endpoint_url=endpoint_url,
                connect_timeout=10,
                read_timeout=30,
                retries={"mode": "standard", "max_attempts": attempts},
            )
    except ImportError as error:
        raise DeployError(
            "expected boto3, of the extra `aws`: pip install '.[aws]' in a source checkout"
        ) from error


@contextmanager
def translate_errors(doing: str, *, missing: str = "the named resource") -> Iterator[None]:
    """Turn botocore's exceptions inside into DeployError.

    doing    what is attempted, as in "these credentials may not ..."
    missing  what is looked for, as in "a function of this name"; its absence is MissingResource
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "")).split("#")[-1]
        if code in MISSING:
            raise MissingResource(
                f"expected {missing} in this account and region, found none: "
                "check the name and --region"
            ) from error
        unknown = f"AWS refused to {{doing}}: {code or 'no reason given'}"
        raise DeployError(CODES.get(code, unknown).format(doing=doing)) from error
    except BotoCoreError as error:
        raise DeployError(describe(error)) from error
    except (ResponseParserError, LookupError) as error:  # LookupError: a required field is absent
        raise DeployError(WRONG_SERVICE) from error
    except ValueError as error:  # botocore: an endpoint that is no URL
        raise DeployError(
            "--endpoint-url: expected a URL such as http://localhost:5000, found another text"
        ) from error


def describe(error: Exception) -> str:
    """The sentence for an error that occurred before AWS answered."""
    from botocore import exceptions  # noqa: PLC0415

    table: list[tuple[tuple[type[Exception], ...], str]] = [
        (
            (
                exceptions.NoCredentialsError,
                exceptions.PartialCredentialsError,
                exceptions.CredentialRetrievalError,
                exceptions.SSOError,
                exceptions.TokenRetrievalError,
            ),
            CREDENTIALS,
        ),
        (
            (exceptions.ProfileNotFound,),
            "AWS_PROFILE: expected a profile of the AWS configuration, found an unknown name",
        ),
        (
            (exceptions.NoRegionError, exceptions.InvalidRegionError),
            "expected an AWS region: give --region or set AWS_REGION",
        ),
        ((exceptions.HTTPClientError, exceptions.ConnectionError), REACH),
        ((exceptions.ParamValidationError,), INVALID),
    ]
    for kinds, sentence in table:
        if isinstance(error, kinds):
            return sentence
    return f"the AWS client failed ({type(error).__name__}): check credentials, region and network"
