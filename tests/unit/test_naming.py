"""model/people/naming.py: names in a sentence."""

from __future__ import annotations

import pytest

from model.people.naming import name_some


@pytest.mark.parametrize(
    ("count", "named"), [(5, "f0, f1, f2, f3, f4"), (7, "f0, f1, f2, f3, f4 and 2 more")]
)
def test_a_verdict_on_many_columns_names_the_first_five(count: int, named: str) -> None:
    assert name_some([f"f{index}" for index in range(count)]) == named


def test_names_as_many_as_asked_for() -> None:
    assert name_some(["a", "b", "c"], 2) == "a, b and 1 more"
