"""Whether a function's policy lets a caller call, as IAM would decide, and no where it cannot be told. Pure.

A part of a statement holds (True), does not (False), or cannot be told from here (None). An Allow counts only when all of it holds; a
Deny counts unless a part of it does not. After the IAM user guide, "Policy evaluation logic" and "JSON policy elements".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACTION = "lambda:InvokeFunction"
ARN_PARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the function `resource` by the AWS service `principal`, on behalf of `source_arn` in `source_account`."""

    principal: str
    resource: str
    source_account: str
    source_arn: str

    @property
    def facts(self) -> dict[str, str]:
        """What conditions may ask about. Names are in lower case: IAM's condition keys do not tell case apart."""
        return {"aws:sourceaccount": self.source_account, "aws:sourcearn": self.source_arn}


def permits(policy: Iterable[Any], call: Call) -> bool:
    """Whether a statement allows the call and none denies it."""
    statements = [statement for statement in policy if isinstance(statement, Mapping)]
    verdicts = [
        (statement.get("Effect"), match_statement(statement, call)) for statement in statements
    ]
    return ("Allow", True) in verdicts and not any(
        effect == "Deny" and holds is not False for effect, holds in verdicts
    )


def match_statement(statement: Mapping[str, Any], call: Call) -> bool | None:
    """Whether a statement is about the call."""
    parts = [
        match_principal(statement.get("Principal"), call.principal),
        match_any(
            statement.get("Action"),
            ACTION.lower(),
            lambda pattern, text: match_text(pattern.lower(), text),
        ),
        match_any(statement.get("Resource"), call.resource, match_arn),
        match_condition(statement.get("Condition", {}), call.facts),
    ]
    return all_of(parts)


def match_principal(found: Any, principal: str) -> bool | None:
    """Whether a Principal names the service. Whether everybody (`*`) includes services cannot be told."""
    if not isinstance(found, Mapping):
        return None
    service = match_any(
        found.get("Service", []),
        principal,
        lambda pattern, text: None if pattern == "*" else pattern == text,
    )
    everybody = match_any(
        found.get("AWS", []), principal, lambda pattern, _text: None if pattern == "*" else False
    )
    return service if everybody is False else service or None


def match_condition(found: Any, facts: Mapping[str, str]) -> bool | None:
    """Whether every operator of a Condition holds for every key. Unknown operators and keys cannot be told."""
    if not isinstance(found, Mapping):
        return None
    parts: list[bool | None] = []
    for operator, keys in found.items():
        # every key we know has a value, so that the suffix changes nothing
        match, wanted = OPERATORS.get(
            operator.removesuffix("IfExists"), (lambda _pattern, _text: None, True)
        )
        for key, values in keys.items() if isinstance(keys, Mapping) else [("", None)]:
            fact = facts.get(key.lower())
            holds = None if fact is None else match_any(values, fact, match)
            parts.append(holds if holds is None else holds is wanted)
    return all_of(parts)


def match_any(found: Any, text: str, match: Callable[[str, str], bool | None]) -> bool | None:
    """Whether one of the patterns, given as one text or a list of them, matches. What is no text cannot be told."""
    patterns: Sequence[Any] = found if isinstance(found, list) else [found]
    verdicts = [
        match(pattern, text) if isinstance(pattern, str) and "${" not in pattern else None
        for pattern in patterns
    ]
    return True if True in verdicts else None if None in verdicts else False


def match_text(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` (any characters) and `?` (one) is of this text. Nothing else is special, unlike in a shell."""
    return (
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL)
        is not None
    )


def match_arn(pattern: str, text: str) -> bool | None:
    """Whether a pattern is of this ARN: part by part, so that no wildcard reaches over a colon of the first five."""
    if pattern == "*":
        return True
    patterns, parts = pattern.split(":", ARN_PARTS - 1), text.split(":", ARN_PARTS - 1)
    if len(patterns) != ARN_PARTS:
        return None
    return all(match_text(*pair) for pair in zip(patterns, parts, strict=True))


def all_of(parts: Sequence[bool | None]) -> bool | None:
    """True when every part holds, False when one does not, None when it cannot be told."""
    return False if False in parts else None if None in parts else True


# operator -> how one value is compared, and what the comparison has to give. IAM evaluates ArnEquals as it does ArnLike.
OPERATORS: dict[str, tuple[Callable[[str, str], bool | None], bool]] = {
    "StringEquals": (str.__eq__, True),
    "StringNotEquals": (str.__eq__, False),
    "StringEqualsIgnoreCase": (lambda pattern, text: pattern.lower() == text.lower(), True),
    "StringNotEqualsIgnoreCase": (lambda pattern, text: pattern.lower() == text.lower(), False),
    "StringLike": (match_text, True),
    "StringNotLike": (match_text, False),
    "ArnEquals": (match_arn, True),
    "ArnLike": (match_arn, True),
    "ArnNotEquals": (match_arn, False),
    "ArnNotLike": (match_arn, False),
}
