"""A policy as the text of a policy file, with every default filled in.

Input: a policy that was read. Output: TOML that reads as the same policy, with comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tomlkit

from function.policy import Policy, Rules
from function.policy_file import describe_rules
from function.policy_values import EXTERNAL
from function.reach import find_reached


def write_policy(policy: Policy, quantiles: Sequence[float]) -> Iterator[str]:
    """The text in parts: the rules, then those of each override. `quantiles` are the bundle's."""
    yield describe_reach(policy.rules, quantiles) + tomlkit.dumps(list_keys(policy.rules))
    for override in policy.overrides:
        ids = ", ".join(f"{key} = {show_id(value)}" for key, value in override.ids.items())
        # An override without these tables would inherit those of the policy.
        table = {**override.ids, "band": [], "exclude": [], **list_keys(override.rules)}
        yield f"\n# Its rules for {ids}:\n"
        yield describe_reach(override.rules, quantiles) + tomlkit.dumps({"override": [table]})


def list_keys(rules: Rules) -> dict[str, Any]:
    """Rules as the keys and values of a policy file; tables last, as TOML needs them."""
    keys = describe_rules(rules)
    holdout, external = keys.pop("holdout"), keys.pop("external")
    repeated = {"band": keys.pop("bands"), "exclude": keys.pop("excludes")}
    return {
        **keys,
        "holdout": holdout,
        "external": {name: f"{EXTERNAL}{source}" for name, source in external.items()},
        **{name: rows for name, rows in repeated.items() if rows},
    }


def describe_reach(rules: Rules, quantiles: Sequence[float]) -> str:
    """A comment on what the policy's reach comes to; "" if it names a threshold."""
    if rules.reach is None:
        return ""
    reached = find_reached(rules.threshold, quantiles, rules.keep, rules.decimals)
    return (
        f"# threshold = {{ reach = {rules.reach:g} }} comes to {rules.threshold:g}, which keeps "
        f"{100 * reached:.1f} % of the people the model was evaluated on.\n"
    )


def show_id(text: str) -> str:
    """An id as a comment can hold it: on one line."""
    return text if text.isprintable() else ascii(text)
