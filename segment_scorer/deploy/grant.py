"""Add statements to a function's policy, and remove them again.

A change that fails half-way is undone; if that fails too, the error says which statements changed.
Takes a Lambda client and values of `statements`. Never touches a statement with another Sid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segment_scorer.deploy.aws import open_client, translate_errors
from segment_scorer.deploy.errors import DeployError, MissingResource
from segment_scorer.deploy.statements import (
    AwsAccount,
    LambdaFunction,
    Statement,
    decode_policy,
    list_sufficient,
    locate_function,
    parse_function_arn,
    says_the_same,
)

# Seconds that each host waits, by the first word of its principal.
HOST_LIMITS = {"pinpoint": ("Pinpoint", 15), "connect": ("Amazon Connect", 30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """The result of a grant or a revocation.

    done       statements that were added or removed
    unchanged  statements that needed no change
    warnings   sentences for the user
    """

    done: tuple[Statement, ...]
    unchanged: tuple[Statement, ...]
    warnings: tuple[str, ...] = ()


def find_function(
    text: str,
    qualifier: str | None,
    *,
    region: str | None,
    endpoint_url: str | None,
    offline: bool = False,
) -> LambdaFunction:
    """Find the account and region of a function given by its name or ARN.

    `offline` takes them from the ARN alone. Otherwise AWS is asked whose credentials are in use,
    and the function must be of that account. Raises DeployError for an ARN of another account or
    region, and without credentials.
    """
    given = parse_function_arn(text)
    if offline and given is not None:
        account = replace(given.account, region=region or given.account.region)
        return locate_function(text, account, qualifier)
    region = region or (given.account.region if given else None)
    # Resolved by a Lambda client: without a region an STS client reports "aws-global".
    region = str(open_client("lambda", region=region, endpoint_url=endpoint_url).meta.region_name)
    client = open_client("sts", region=region, endpoint_url=endpoint_url)
    with translate_errors("find out whose credentials are in use"):
        identity = client.get_caller_identity()
        account = AwsAccount(
            partition=str(identity["Arn"]).split(":")[1],
            region=region,
            number=str(identity["Account"]),
        )
    return locate_function(text, account, qualifier)


def read_policy(client: Any, function: LambdaFunction) -> list[dict[str, Any]]:
    """The statements of the function's policy. Raises MissingResource if there is no function."""
    try:
        with translate_errors("read the function's policy"):
            return decode_policy(client.get_policy(**function.parameters())["Policy"])
    except MissingResource:
        # Lambda gives the same error for a function without a policy; this call tells them apart.
        read_timeout(client, function)
        return []


def read_timeout(client: Any, function: LambdaFunction) -> int:
    """The function's timeout in seconds.

    Raises MissingResource if there is no such function, alias or version.
    """
    with translate_errors(
        "read the function's configuration", missing="a function of this name, alias or version"
    ):
        return int(client.get_function_configuration(**function.parameters())["Timeout"])


def grant(client: Any, function: LambdaFunction, statements: Sequence[Statement]) -> PolicyChange:
    """Add the statements that the policy does not hold yet.

    Raises DeployError. Then nothing has changed, or the message says which statements did.
    """
    timeout = read_timeout(client, function)
    policy = read_policy(client, function)
    missing = find_missing(statements, policy, function)
    if {wanted.sid for wanted in missing} & {found.get("Sid") for found in policy}:
        raise DeployError(
            "the policy already has a statement with this name but other content; "
            "run segment-scorer revoke first, then grant again"
        )
    apply_all(
        missing, lambda one: add(client, function, one), lambda one: remove(client, function, one)
    )
    return PolicyChange(
        done=tuple(missing),
        unchanged=tuple(one for one in statements if one not in missing),
        warnings=warn_of_timeout(timeout, statements[0].principal),
    )


def warn_of_timeout(timeout: int, principal: str) -> tuple[str, ...]:
    """A warning if the function may run for longer than its host waits; `timeout` in seconds."""
    host, limit = HOST_LIMITS[re.split(r"[.-]", principal)[0]]
    if timeout <= limit:
        return ()
    return (f"the function's Timeout exceeds {limit} s, after which {host} gives up: lower it",)


def revoke(client: Any, function: LambdaFunction, statements: Sequence[Statement]) -> PolicyChange:
    """Remove the statements that `grant` added.

    Statements with the same content and another Sid stay, with a warning.
    """
    policy = read_policy(client, function)
    names = {found.get("Sid") for found in policy}
    present = [wanted for wanted in statements if wanted.sid in names]
    others = [found for found in policy if found.get("Sid") not in {one.sid for one in statements}]
    still_allowed = any(
        says_the_same(one, found, function) for one in statements for found in others
    )
    apply_all(
        present, lambda one: remove(client, function, one), lambda one: add(client, function, one)
    )
    warning = "the host may still call: a statement with another name, perhaps a stack's, allows it"
    return PolicyChange(
        done=tuple(present),
        unchanged=tuple(one for one in statements if one not in present),
        warnings=(warning,) if still_allowed else (),
    )


def require_grant(
    client: Any, function: LambdaFunction, application_id: str, campaign_id: str | None
) -> None:
    """Raise DeployError unless the policy holds a grant for this campaign or project.

    Statements are compared with those that `grant` and the stack write; see
    docs/decisions on judging a function's policy.
    """
    policy = read_policy(client, function)
    sufficient = list_sufficient(function.account, application_id, campaign_id)
    if all(find_missing(statements, policy, function) for statements in sufficient):
        raise DeployError(
            "the function's policy has no grant for this campaign or project, so Pinpoint would "
            "send nothing; run segment-scorer grant first"
        )


def find_missing(
    statements: Sequence[Statement], policy: Sequence[Any], function: LambdaFunction
) -> list[Statement]:
    """The statements whose content is not in the policy."""
    return [
        wanted
        for wanted in statements
        if not any(says_the_same(wanted, found, function) for found in policy)
    ]


def add(client: Any, function: LambdaFunction, statement: Statement) -> None:
    """Add one statement."""
    with translate_errors("change the function's policy"):
        client.add_permission(**statement.parameters(function))


def remove(client: Any, function: LambdaFunction, statement: Statement) -> None:
    """Remove one statement."""
    with translate_errors("change the function's policy"):
        client.remove_permission(**function.parameters(), StatementId=statement.sid)


def apply_all(
    statements: Sequence[Statement],
    do: Callable[[Statement], None],
    undo: Callable[[Statement], None],
) -> None:
    """Apply every statement or none.

    Raises DeployError when one fails: those done before it are undone, or the message counts
    those that stay changed because undoing failed too.
    """
    done: list[Statement] = []
    try:
        for statement in statements:
            do(statement)
            done.append(statement)
    except DeployError as error:
        result = "the statements changed before it were restored" if done else "nothing was changed"
        try:
            while done:
                undo(done[-1])
                done.pop()
        except DeployError:
            result = (
                "restoring failed too: "
                f"the first {len(done)} of {len(statements)} statements stay changed"
            )
        raise DeployError(f"{error}; {result}") from error
