"""Finds ids that no override of a policy names: often a slip, such as `--campaign-id sprnig`.

Takes a policy and a campaign's ids. Gives sentences. Decides nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection

from function.policy import Policy
from function.records import Context
from model.people.naming import name_some

# Treatments are left out: the arms of a test that have no rules of their own are no slip.
NAMED = ("campaign_id", "application_id")
MOST_NAMED = 3
LONGEST = 100  # characters of an id that are compared


def find_unmatched(policy: Policy, context: Context, keys: Collection[str] = NAMED) -> list[str]:
    """A sentence for each id of the campaign, of `keys`, that the policy's overrides do not name.

    Only if no override applies. A campaign without an override of its own is no error, so the
    sentence names those that have one.
    """
    if not policy.overrides or policy.override_for(context) is not None:
        return []
    sentences = []
    for key in keys:
        own = getattr(context, key)
        known = sorted({each.ids[key] for each in policy.overrides if key in each.ids})
        if not own or not known or own in known:
            continue
        near = difflib.get_close_matches(own[:LONGEST], [id_[:LONGEST] for id_ in known], 1)
        meant = f" Meant: {near[0]}?" if near else ""
        sentences.append(
            f"{key}: no [[override]] of the policy names this one, so the rules for all campaigns "
            f"apply. Overrides name {name_some(known, MOST_NAMED)}.{meant}"
        )
    return sentences


def find_unused(policy: Policy, context: Context, names: Collection[str]) -> list[str]:
    """The treatments of this campaign that an override names, but not `names`."""
    return sorted(
        {
            each.ids["treatment_id"]
            for each in policy.overrides
            if "treatment_id" in each.ids
            and all(getattr(context, key) == each.ids[key] for key in NAMED if key in each.ids)
        }
        - set(names)
    )
