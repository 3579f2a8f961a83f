"""Adds statements to a function's policy and takes them away. What cannot be finished is undone, or the error says what stands.

Takes a Lambda client and values of `segment_scorer.deploy.statements`; gives what changed. Never touches a statement of another name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segment_scorer.deploy.aws import open_client, translated
from segment_scorer.deploy.errors import DeployError, MissingResource
from segment_scorer.deploy.policies import Call, permits
from segment_scorer.deploy.statements import (
    Function,
    Place,
    Statement,
    decode_policy,
    parse_function_arn,
    place_function,
    says_the_same,
)

HOST_LIMIT = 15  # seconds that Pinpoint waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a grant or a revocation found and did: statements written now, those that needed nothing, and what a person should know."""

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
) -> Function:
    """Find the function's place: `offline` from its ARN alone, otherwise from the credentials in use, which must be of that account.

    Raises DeployError for an ARN of another account or region, and when there are no credentials.
    """
    given = parse_function_arn(text)
    if offline and given is not None:
        return place_function(
            text, replace(given.place, region=region or given.place.region), qualifier
        )
    region = region or (given.place.region if given else None)
    # Lambda's client knows the region: STS without one would call itself "aws-global".
    region = str(open_client("lambda", region=region, endpoint_url=endpoint_url).meta.region_name)
    client = open_client("sts", region=region, endpoint_url=endpoint_url)
    with translated("ask whose credentials these are"):
        identity = client.get_caller_identity()
        place = Place(
            partition=str(identity["Arn"]).split(":")[1],
            region=region,
            account=str(identity["Account"]),
        )
    return place_function(text, place, qualifier)


def read_policy(client: Any, function: Function) -> list[dict[str, Any]]:
    """The statements of the function's policy; none when it has no policy. Raises MissingResource when there is no such function."""
    try:
        with translated("read the function's policy"):
            return decode_policy(client.get_policy(**function.parameters())["Policy"])
    except MissingResource:
        read_timeout(
            client, function
        )  # Lambda answers the same for a function without a policy and for no function at all
        return []


def read_timeout(client: Any, function: Function) -> int:
    """The function's timeout in seconds. Raises MissingResource when there is no such function, or no such alias or version."""
    with translated(
        "read the function's configuration",
        missing="a function of this name, with this alias or version,",
    ):
        return int(client.get_function_configuration(**function.parameters())["Timeout"])


def grant(client: Any, function: Function, statements: Sequence[Statement]) -> Change:
    """Add those statements that the policy does not hold yet.

    Raises DeployError; then either nothing has changed, or the message says which statements stand.
    """
    timeout = read_timeout(client, function)
    policy = read_policy(client, function)
    unchanged = [
        wanted
        for wanted in statements
        if any(says_the_same(wanted, found, function) for found in policy)
    ]
    missing = [wanted for wanted in statements if wanted not in unchanged]
    if {wanted.sid for wanted in missing} & {found.get("Sid") for found in policy}:
        raise DeployError(
            "the policy has a statement of our name that says something else; revoke it first, then grant again"
        )
    apply_all(
        missing, lambda one: add(client, function, one), lambda one: remove(client, function, one)
    )
    warnings = (
        (f"the function's Timeout is above {HOST_LIMIT} s, at which Pinpoint gives up: lower it",)
        if timeout > HOST_LIMIT
        else ()
    )
    return Change(done=tuple(missing), unchanged=tuple(unchanged), warnings=warnings)


def revoke(client: Any, function: Function, statements: Sequence[Statement]) -> Change:
    """Take those statements away that `grant` added. Others that say the same stay, and a warning tells of them."""
    policy = read_policy(client, function)
    names = {found.get("Sid") for found in policy}
    present = [wanted for wanted in statements if wanted.sid in names]
    others = [
        found
        for found in policy
        if any(
            says_the_same(one, found, function) and found.get("Sid") != one.sid
            for one in statements
        )
    ]
    apply_all(
        present, lambda one: remove(client, function, one), lambda one: add(client, function, one)
    )
    warnings = (
        ("a statement of another name, perhaps a stack's, still allows it and was left alone",)
        if others
        else ()
    )
    return Change(
        done=tuple(present),
        unchanged=tuple(one for one in statements if one not in present),
        warnings=warnings,
    )


def require_grant(client: Any, function: Function, sources: Sequence[str]) -> None:
    """Raise DeployError unless Pinpoint may call the function for each of `sources`: the campaign would send nothing."""
    policy, place = read_policy(client, function), function.place
    principal = f"pinpoint.{place.region}.amazonaws.com"
    for source in sources:
        source_arn = place.arn("mobiletargeting", source)
        if not permits(
            policy,
            Call(
                principal=principal,
                resource=function.arn,
                source_account=place.account,
                source_arn=source_arn,
            ),
        ):
            raise DeployError(
                "Pinpoint may not call this function for it, and would send nothing; run segment-scorer grant for it first"
            )


def add(client: Any, function: Function, statement: Statement) -> None:
    """Add one statement."""
    with translated("change the function's policy"):
        client.add_permission(**statement.parameters(function))


def remove(client: Any, function: Function, statement: Statement) -> None:
    """Remove one statement."""
    with translated("change the function's policy"):
        client.remove_permission(**function.parameters(), StatementId=statement.sid)


def apply_all(
    statements: Sequence[Statement],
    do: Callable[[Statement], None],
    undo: Callable[[Statement], None],
) -> None:
    """Do every one or none: when one fails, those done are undone; the error says so, or how many stand changed."""
    done: list[Statement] = []
    try:
        for statement in statements:
            do(statement)
            done.append(statement)
    except DeployError as error:
        total = len(done)
        try:
            while done:
                undo(done[-1])
                done.pop()
        except DeployError:
            raise DeployError(
                f"{error}; undoing failed too: {len(done)} of {len(statements)} statements stand changed, the first ones"
            ) from error
        raise DeployError(
            f"{error}; {'the part that was done is undone' if total else 'nothing was changed'}"
        ) from error
