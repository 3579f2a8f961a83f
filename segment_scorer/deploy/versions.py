"""Old versions of the deployed function: which may go, and their deletion.

A version that an alias names, in full or for a share of the calls, is never deleted, nor are the
newest ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from segment_scorer.deploy.aws import translate_errors

KEPT = 5  # the newest versions, for a quick return of the alias by hand


def prune_versions(client: Any, function: str, kept: int = KEPT) -> int:
    """Delete the old versions of a function; give their number.

    client    of Lambda
    function  name or ARN without an alias
    Raises DeployError.
    """
    with translate_errors("delete old versions of the function"):
        numbers = [
            int(each["Version"])
            for page in client.get_paginator("list_versions_by_function").paginate(
                FunctionName=function
            )
            for each in page["Versions"]
            if each["Version"].isdigit()  # the other one is $LATEST
        ]
        aliases = [
            alias
            for page in client.get_paginator("list_aliases").paginate(FunctionName=function)
            for alias in page["Aliases"]
        ]
        old = choose_old(numbers, aliases, kept)
        for number in old:
            client.delete_function(FunctionName=function, Qualifier=str(number))
    return len(old)


def choose_old(
    numbers: Iterable[int], aliases: Iterable[dict[str, Any]], kept: int = KEPT
) -> list[int]:
    """The versions that may go, the oldest first."""
    used = {
        version
        for alias in aliases
        for version in (
            alias["FunctionVersion"],
            *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
        )
    }
    ordered = sorted(numbers)
    return [each for each in ordered[: max(0, len(ordered) - kept)] if str(each) not in used]
