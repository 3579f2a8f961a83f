"""Who may call the function, as values: a function's ARN, the statements of its policy, and the calls that write them. Pure.

The forms are AWS's: Pinpoint's developer guide ("customize segments using a Lambda function"; SourceAccount is required since
2021-10) and Connect's administrator guide ("custom action"). Takes ids, gives statements; never calls AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.policies import ACTION

FUNCTION_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:(?P<name>[\w-]+)(:(?P<qualifier>[\w-]+))?"
)
INSTANCE_ARN = re.compile(
    r"arn:aws[a-z-]*:connect:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):instance/(?P<id>[0-9a-f-]+)"
)
NAME = re.compile(r"(?P<name>[\w-]{1,64})(:(?P<qualifier>[\w-]{1,128}))?")
HEX_ID = re.compile(r"[0-9a-f]{32}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where things are: partition, region, account."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource at this place."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function at a place, with the alias or version that is meant, if one is."""

    place: Place
    name: str
    qualifier: str | None = None

    @property
    def arn(self) -> str:
        """The ARN that a host would be given: qualified when there is a qualifier."""
        return self.place.arn(
            "lambda",
            ":".join(["function", self.name, *([self.qualifier] if self.qualifier else [])]),
        )

    def parameters(self) -> dict[str, str]:
        """The parameters that name it in Lambda's calls."""
        return {
            "FunctionName": self.name,
            **({"Qualifier": self.qualifier} if self.qualifier else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One permission: `principal` may call, on behalf of what `source_arn` names in `source_account`."""

    sid: str
    principal: str
    source_account: str
    source_arn: str

    def decode(self, function: Function) -> dict[str, Any]:
        """The statement as Lambda's GetPolicy shows it: both conditions in one Condition object."""
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

    def parameters(self, function: Function) -> dict[str, str]:
        """The parameters of Lambda's AddPermission."""
        return {
            **function.parameters(),
            "StatementId": self.sid,
            "Action": ACTION,
            "Principal": self.principal,
            "SourceAccount": self.source_account,
            "SourceArn": self.source_arn,
        }


def parse_function_arn(text: str) -> Function | None:
    """Read a function's ARN, qualified or not; None when the text is no ARN (it may be a name)."""
    if not text.startswith("arn:"):
        return None
    found = FUNCTION_ARN.fullmatch(text)
    if found is None:
        raise DeployError(
            "expected --function to be a function's name or ARN, and it is the ARN of something else"
        )
    place = Place(partition=found["partition"], region=found["region"], account=found["account"])
    return Function(place=place, name=found["name"], qualifier=found["qualifier"])


def place_function(text: str, place: Place, qualifier: str | None = None) -> Function:
    """Read a function's name or ARN as one at `place`; an ARN of another account or region is refused."""
    function = parse_function_arn(text)
    if function is None:
        found = NAME.fullmatch(text)
        if found is None:
            raise DeployError("expected --function to be a function's name or ARN")
        function = Function(place=place, name=found["name"], qualifier=found["qualifier"])
    if function.place.account != place.account:
        raise DeployError(
            "expected a function of the account whose credentials are in use: --function is an ARN of another account"
        )
    if function.place.region != place.region:
        raise DeployError(
            "expected a function of the region in use: --function is an ARN of another region; set --region to match"
        )
    if qualifier and function.qualifier and qualifier != function.qualifier:
        raise DeployError(
            "--function names one alias or version and --qualifier another: give one of them"
        )
    return Function(
        place=function.place, name=function.name, qualifier=qualifier or function.qualifier
    )


def allow_pinpoint(
    place: Place, application_id: str | None = None, campaign_id: str | None = None
) -> tuple[Statement, ...]:
    """Statements that let Pinpoint call: for one campaign, for an application (its default hook included), or for the account.

    A project's default hook needs two: the application itself, and what lies within it.
    """
    if application_id is None and campaign_id is not None:
        raise DeployError(
            "expected --application-id beside --campaign-id: a campaign belongs to an application"
        )
    for name, value in (("--application-id", application_id), ("--campaign-id", campaign_id)):
        if value is not None and not HEX_ID.fullmatch(value):
            raise DeployError(f"expected {name} to be 32 hexadecimal digits, as Pinpoint shows it")
    if application_id is None:
        resources = {"account": "apps/*"}
    elif campaign_id is None:
        resources = {
            f"app-{application_id}": f"apps/{application_id}",
            f"app-{application_id}-within": f"apps/{application_id}/*",
        }
    else:
        resources = {
            f"campaign-{application_id}-{campaign_id}": f"apps/{application_id}/campaigns/{campaign_id}"
        }
    return tuple(
        Statement(
            sid=f"segment-scorer-{suffix}",
            principal=f"pinpoint.{place.region}.amazonaws.com",
            source_account=place.account,
            source_arn=place.arn("mobiletargeting", resource),
        )
        for suffix, resource in resources.items()
    )


def allow_connect(place: Place, instance: str) -> tuple[Statement, ...]:
    """The statement that lets the outbound campaigns of a Connect instance (its id, or its ARN) call."""
    if instance.startswith("arn:"):
        found = INSTANCE_ARN.fullmatch(instance)
        if found is None:
            raise DeployError(
                "expected --connect-instance to be an instance's id or ARN, and it is the ARN of something else"
            )
        if (found["account"], found["region"]) != (place.account, place.region):
            raise DeployError(
                "expected a Connect instance of the function's account and region: --connect-instance is an ARN of another"
            )
        instance = found["id"]
    if not UUID.fullmatch(instance):
        raise DeployError("expected --connect-instance to be an instance's id (a UUID) or its ARN")
    sid, source = f"segment-scorer-connect-{instance}", place.arn("connect", f"instance/{instance}")
    return (
        Statement(
            sid=sid,
            principal="connect-campaigns.amazonaws.com",
            source_account=place.account,
            source_arn=source,
        ),
    )


def says_the_same(wanted: Statement, found: Mapping[str, Any], function: Function) -> bool:
    """Whether a statement of a policy gives just what is wanted, whatever its name."""
    return {**wanted.decode(function), "Sid": None} == {**found, "Sid": None}


def decode_policy(text: str) -> list[dict[str, Any]]:
    """The statements of a policy, which Lambda gives as a JSON string inside JSON."""
    statements = json.loads(text).get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)
