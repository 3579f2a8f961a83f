"""function/renamed.py: an old name is no name any more, and its error says the new one."""

from __future__ import annotations

import pytest

from function.errors import SettingsError
from function.policy_file import read_policy
from function.policy_values import KEYS
from function.renamed import RENAMED, explain_rename
from function.settings import READERS, read_settings
from segment_scorer.cli.verbs import VERBS

VALID = {"setting": set(READERS), "policy key": set(KEYS), "verb": set(VERBS)}
PAIRS = [(kind, old, new) for kind, names in RENAMED.items() for old, new in names.items()]


@pytest.mark.parametrize(("kind", "old", "new"), PAIRS)
def test_a_new_name_has_not_been_renamed_itself(kind: str, old: str, new: str) -> None:
    assert new != old
    assert new not in RENAMED[kind]


@pytest.mark.parametrize(
    ("kind", "old", "new"), [pair for pair in PAIRS if pair[0] in VALID], ids=" ".join
)
def test_the_new_name_is_valid_and_the_old_one_is_not(kind: str, old: str, new: str) -> None:
    assert new in VALID[kind]
    assert old not in VALID[kind]


@pytest.mark.parametrize(("old", "new"), RENAMED["setting"].items())
def test_the_error_of_an_old_setting_says_the_new_one(old: str, new: str) -> None:
    with pytest.raises(SettingsError, match=f"^{old} is now {new}$"):
        read_settings({old: "x"})


@pytest.mark.parametrize(("old", "new"), RENAMED["policy key"].items())
def test_the_error_of_an_old_policy_key_says_the_new_one(old: str, new: str) -> None:
    with pytest.raises(SettingsError, match=f"{old} is now {new}$"):
        read_policy({old: "x"}, threshold=0.5, quantiles=(0.0, 1.0))


def test_a_name_that_was_not_renamed_is_not_explained() -> None:
    assert explain_rename("setting", "SCORER_BUNDLE") is None
