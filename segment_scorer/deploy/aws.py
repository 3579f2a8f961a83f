"""The one door to AWS: opens clients, and turns what botocore raises into one sentence that names what to change.

Never imported by the function; boto3 is imported only when a client is opened. Messages hold no value, id or address.
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
THROTTLED = "AWS asks for fewer calls: wait a minute and run the same command again"
REACH = "cannot reach AWS: check the network, --region and --endpoint-url"
BUSY = "somebody else is changing it at this moment: run the same command again"
SERVICE = "AWS had an error of its own: run the same command again later"
INVALID = "AWS refuses a parameter: check names and ids for typing errors, and that all are of this account and region"

# error code -> what to change. {doing} is the verb's own phrase, such as "read the function's policy".
CODES: dict[str, str] = {
    **dict.fromkeys(
        ["AccessDenied", "AccessDeniedException", "ForbiddenException"],
        "these credentials may not {doing}: ask for that permission",
    ),
    **dict.fromkeys(
        [
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidSignatureException",
        ],
        CREDENTIALS,
    ),
    **dict.fromkeys(
        [
            "SignatureDoesNotMatch",
            "MissingAuthenticationToken",
            "IncompleteSignature",
            "AuthFailure",
        ],
        CREDENTIALS,
    ),
    **dict.fromkeys(
        ["TooManyRequestsException", "Throttling", "ThrottlingException", "RequestLimitExceeded"],
        THROTTLED,
    ),
    **dict.fromkeys(
        ["ResourceConflictException", "PreconditionFailedException", "ConflictException"], BUSY
    ),
    **dict.fromkeys(
        [
            "ServiceException",
            "InternalServerErrorException",
            "InternalServiceError",
            "ServerException",
        ],
        SERVICE,
    ),
    **dict.fromkeys(
        [
            "InvalidParameterValueException",
            "InvalidParameterException",
            "BadRequestException",
            "ValidationError",
        ],
        INVALID,
    ),
    "PolicyLengthExceededException": "the function's policy is full: revoke campaigns that are over, or grant the application",
    "PublicPolicyException": "the account takes this for a policy that opens the function to everybody: check the scope",
    "MethodNotAllowedException": "the service no longer offers this call in this region: see docs/deploy.md on Pinpoint's end",
    "PayloadTooLargeException": "the request is larger than the service takes: shorten names and messages of the campaign",
}
MISSING = {"ResourceNotFoundException", "NotFoundException", "RepositoryNotFoundException"}


def open_client(
    service: str, *, region: str | None, endpoint_url: str | None, attempts: int = 5
) -> Any:
    """Open a boto3 client that tries a throttled call up to `attempts` times.

    `endpoint_url` is the address of a compatible service. Raises DeployError when boto3 is not
    installed, or when no region or an impossible one is set.
    """
    try:
        with translated(f"open a client for {service}"):
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
            "expected boto3, of the extra `aws`: pip install '.[aws]' in a clone of the project"
        ) from error


@contextmanager
def translated(doing: str, *, missing: str = "") -> Iterator[None]:
    """Turn what botocore raises inside into DeployError. `missing` says what was looked for, as in "a function of this name"."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "")).split("#")[-1]
        if code in MISSING:
            raise MissingResource(
                f"expected {missing or 'what was named'} in this account and region, found none: check the name and --region"
            ) from error
        raise DeployError(
            CODES.get(code, f"AWS would not {{doing}} and says {code or 'nothing more'}").format(
                doing=doing
            )
        ) from error
    except BotoCoreError as error:
        raise DeployError(describe(error)) from error
    except (
        ResponseParserError,
        LookupError,
    ) as error:  # what cannot be parsed, or parses as an answer without what it must have
        raise DeployError(
            "what answered is not the AWS service that was asked: check --endpoint-url, AWS_ENDPOINT_URL and proxies"
        ) from error
    except ValueError as error:  # botocore's own for an endpoint that is no URL
        raise DeployError(
            "expected --endpoint-url to be a URL such as http://localhost:5000"
        ) from error


def describe(error: Exception) -> str:
    """The sentence for an error that arose before AWS answered."""
    from botocore import exceptions  # noqa: PLC0415

    table: list[tuple[tuple[type[Exception], ...], str]] = [
        (
            (
                exceptions.NoCredentialsError,
                exceptions.PartialCredentialsError,
                exceptions.CredentialRetrievalError,
            ),
            CREDENTIALS,
        ),
        ((exceptions.SSOError, exceptions.TokenRetrievalError), CREDENTIALS),
        (
            (exceptions.ProfileNotFound,),
            "expected AWS_PROFILE to name a profile of the AWS configuration",
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
