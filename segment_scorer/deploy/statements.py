"""Functions, and the policy statements that let a host call them, as values. Pure.

Takes ids, gives statements and the parameters of AWS calls; never calls AWS. Sources: Amazon
Pinpoint developer guide, "Customizing segments with AWS Lambda" (SourceAccount is required since
2021-10); Amazon Connect administrator guide, "Custom action".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from segment_scorer.deploy.errors import DeployError

ACTION = "lambda:InvokeFunction"
FUNCTION_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12})"
    r":function:(?P<name>[\w-]+)(:(?P<qualifier>[\w-]+))?"
)
INSTANCE_ARN = re.compile(
    r"arn:aws[a-z-]*:connect:(?P<region>[a-z0-9-]+):(?P<account>\d{12})"
    r":instance/(?P<id>[0-9a-f-]+)"
)
NAME = re.compile(r"(?P<name>[\w-]{1,64})(:(?P<qualifier>[\w-]{1,128}))?")
HEX_ID = re.compile(r"[0-9a-f]{32}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ConnectPrincipal(StrEnum):
    """Who calls for an Amazon Connect instance, as the documentation and as public code say it."""

    CAMPAIGNS = "connect-campaigns.amazonaws.com"
    CONNECT = "connect.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccount:
    """An account in one region. `number` has 12 digits; `partition` is `aws`, `aws-cn`, ..."""

    partition: str
    region: str
    number: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.number}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaFunction:
    """A function in an account. `qualifier` is an alias or a version."""

    account: AwsAccount
    name: str
    qualifier: str | None = None

    @property
    def arn(self) -> str:
        """The ARN to give to a host, with the qualifier if there is one."""
        suffix = f":{self.qualifier}" if self.qualifier else ""
        return self.account.arn("lambda", f"function:{self.name}{suffix}")

    def parameters(self) -> dict[str, str]:
        """The parameters that name the function in Lambda's calls."""
        qualifier = {"Qualifier": self.qualifier} if self.qualifier else {}
        return {"FunctionName": self.name, **qualifier}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One permission: `principal` may call for the resources that `source_arn` names."""

    sid: str
    principal: str
    source_account: str
    source_arn: str

    def decode(self, function: LambdaFunction) -> dict[str, Any]:
        """The statement as Lambda's GetPolicy returns it."""
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": {"Service": self.principal},
            "Action": ACTION,
            "Resource": function.arn,
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": self.source_account},
                "ArnLike": {"AWS:SourceArn": self.source_arn},
            },
        }

    def parameters(self, function: LambdaFunction) -> dict[str, str]:
        """The parameters of Lambda's AddPermission."""
        return {
            **function.parameters(),
            "StatementId": self.sid,
            "Action": ACTION,
            "Principal": self.principal,
            "SourceAccount": self.source_account,
            "SourceArn": self.source_arn,
        }


def parse_function_arn(text: str) -> LambdaFunction | None:
    """Read a function's ARN, with or without a qualifier; None when the text is no ARN.

    Raises DeployError for an ARN of something else.
    """
    if not text.startswith("arn:"):
        return None
    found = FUNCTION_ARN.fullmatch(text)
    if found is None:
        raise DeployError(
            "--function: expected a function's name or ARN, found an ARN of something else"
        )
    account = AwsAccount(
        partition=found["partition"], region=found["region"], number=found["account"]
    )
    return LambdaFunction(account=account, name=found["name"], qualifier=found["qualifier"])


def locate_function(text: str, account: AwsAccount, qualifier: str | None = None) -> LambdaFunction:
    """Read a function's name or ARN as a function of `account`.

    Raises DeployError for an ARN of another account or region, and for two different qualifiers.
    """
    function = parse_function_arn(text)
    if function is None:
        found = NAME.fullmatch(text)
        if found is None:
            raise DeployError("--function: expected a function's name or ARN, found another text")
        function = LambdaFunction(account=account, name=found["name"], qualifier=found["qualifier"])
    if function.account.number != account.number:
        raise DeployError(
            "--function: expected a function of the account whose credentials are in use, "
            "found an ARN of another account"
        )
    if function.account.region != account.region:
        raise DeployError(
            "--function: expected a function of the region in use, found an ARN of another "
            "region; set --region to match"
        )
    if qualifier and function.qualifier and qualifier != function.qualifier:
        raise DeployError(
            "--function and --qualifier name different aliases or versions; give one of them"
        )
    return LambdaFunction(
        account=function.account, name=function.name, qualifier=qualifier or function.qualifier
    )


def allow_pinpoint(
    account: AwsAccount, application_id: str | None = None, campaign_id: str | None = None
) -> tuple[Statement, ...]:
    """The statements that let Pinpoint call for a campaign, an application or the whole account.

    An application takes two statements, because Pinpoint checks the project's default hook against
    the application itself and a campaign's hook against the campaign in it.
    Raises DeployError for a malformed id, and for a campaign without its application.
    """
    if application_id is None and campaign_id is not None:
        raise DeployError("--campaign-id: expected --application-id with it, found none")
    for name, value in (("--application-id", application_id), ("--campaign-id", campaign_id)):
        if value is not None and not HEX_ID.fullmatch(value):
            raise DeployError(
                f"{name}: expected 32 hexadecimal digits in lower case, as Pinpoint shows them, "
                "found another text"
            )
    application = f"apps/{application_id}"
    if application_id is None:
        resources = {"account": "apps/*"}
    elif campaign_id is None:
        resources = {
            f"app-{application_id}": application,
            f"app-{application_id}-within": f"{application}/*",
        }
    else:
        resources = {
            f"campaign-{application_id}-{campaign_id}": f"{application}/campaigns/{campaign_id}"
        }
    return tuple(
        Statement(
            sid=f"segment-scorer-{suffix}",
            principal=f"pinpoint.{account.region}.amazonaws.com",
            source_account=account.number,
            source_arn=account.arn("mobiletargeting", resource),
        )
        for suffix, resource in resources.items()
    )


def list_sufficient(
    account: AwsAccount, application_id: str, campaign_id: str | None
) -> list[tuple[Statement, ...]]:
    """Every set of statements that is enough for one hook.

    For a campaign: its own statement, the one for everything in its application, or the account's.
    For a project's default hook: both of the application's, or the account's.
    """
    application, account_wide = allow_pinpoint(account, application_id), allow_pinpoint(account)
    if campaign_id is None:
        return [application, account_wide]
    return [
        allow_pinpoint(account, application_id, campaign_id),
        application[1:],
        account_wide,
    ]


def read_instance(text: str, account: AwsAccount | None = None) -> str:
    """The id of a Connect instance that `text` names by its id or ARN.

    Raises DeployError for another text, and for an ARN of another account or region than `account`.
    """
    found = INSTANCE_ARN.fullmatch(text)
    instance = found["id"] if found else text
    if not UUID.fullmatch(instance):
        kind = "an ARN of something else" if text.startswith("arn:") else "another text"
        raise DeployError(
            f"--connect-instance: expected an instance's id (a UUID) or ARN, found {kind}"
        )
    if (
        found
        and account
        and (found["account"], found["region"]) != (account.number, account.region)
    ):
        raise DeployError(
            "--connect-instance: expected an instance of the function's account and region, "
            "found an ARN of another"
        )
    return instance


def allow_connect(
    account: AwsAccount,
    instance: str,
    principal: ConnectPrincipal = ConnectPrincipal.CAMPAIGNS,
) -> tuple[Statement, ...]:
    """The statement that lets the outbound campaigns of a Connect instance call.

    `instance` is an id or an ARN. Raises DeployError for another text, account or region.
    """
    instance = read_instance(instance, account)
    suffix = "" if principal is ConnectPrincipal.CAMPAIGNS else "-connect"
    return (
        Statement(
            sid=f"segment-scorer-connect-{instance}{suffix}",
            principal=principal.value,
            source_account=account.number,
            source_arn=account.arn("connect", f"instance/{instance}"),
        ),
    )


def names_instance(found: Mapping[str, Any], instance: str) -> bool:
    """Whether a statement of a policy, whoever wrote it, lets a Connect instance call.

    Judged by the service and by the instance's id: Amazon Connect does not document how it writes
    the statement that it adds itself.
    """
    principal = found.get("Principal")
    service = principal.get("Service") if isinstance(principal, dict) else None
    services = service if isinstance(service, list) else [service]
    return (
        found.get("Effect") == "Allow"
        and not {*ConnectPrincipal}.isdisjoint(map(str, services))
        and instance in json.dumps(found.get("Condition", {}))
    )


def says_the_same(wanted: Statement, found: Mapping[str, Any], function: LambdaFunction) -> bool:
    """Whether a statement of a policy equals the wanted one, apart from its Sid."""
    return {**wanted.decode(function), "Sid": None} == {**found, "Sid": None}


def decode_policy(text: str) -> list[dict[str, Any]]:
    """The statements of a policy, which Lambda returns as JSON text."""
    document = json.loads(text)
    found = document.get("Statement", []) if isinstance(document, dict) else []
    statements = found if isinstance(found, list) else [found]
    return [statement for statement in statements if isinstance(statement, dict)]
