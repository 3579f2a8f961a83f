"""Public names that were renamed. An error about an old name says the new one.

The CHANGELOG's "Renamed" section is made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping

# kind -> old name -> new name. An option is named with its verb.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "setting": {
        "SCORER_PROFILES": "SCORER_EXTERNAL",
        "SCORER_PROFILES_KEY": "SCORER_EXTERNAL_KEY",
        "SCORER_PROFILES_PARTITION_KEY": "SCORER_EXTERNAL_PARTITION_KEY",
        "SCORER_PROFILES_TIMEOUT_MS": "SCORER_EXTERNAL_TIMEOUT_MS",
    },
    "policy key": {"on_missing_profiles": "on_missing_external"},
    "verb": {"profiles": "external"},
    "option": {
        "train --profiles": "train --external",
        "train --profiles-key": "train --external-key",
        "evaluate --profiles": "evaluate --external",
        "evaluate --profiles-key": "evaluate --external-key",
    },
    "field of policy explain --json": {"keep": "selected", "stays": "sent"},
    "log field": {
        "profiles_error": "external_error",
        "profiles_failed": "external_failed",
        "profiles_found": "external_found",
        "profiles_missing": "external_missing",
        "profiles_ms": "external_ms",
        "profiles_unreadable": "external_unreadable",
    },
    "error": {
        "ProfilesRejected": "ExternalRejected",
        "ProfilesTimeout": "ExternalTimeout",
        "ProfilesUnavailable": "ExternalUnavailable",
    },
    "column": {},
    "make variable": {},
    "template parameter": {"ProfilesTable": "ExternalTable"},
}


def explain_rename(kind: str, name: str) -> str | None:
    """A sentence such as `SCORER_PROFILES is now SCORER_EXTERNAL`; None if nothing was renamed."""
    new = RENAMED[kind].get(name)
    return None if new is None else f"{name} is now {new}"
