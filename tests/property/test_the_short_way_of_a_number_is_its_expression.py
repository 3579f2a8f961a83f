"""Law: a text without sign, exponent and space is a number just where the expression matches it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.values import _NUMBER, LONGEST_NUMBER, parse_number


@given(st.text(alphabet="0123456789..+-eE \u0663\u00b2x", max_size=LONGEST_NUMBER + 2))
def test_a_text_is_a_number_where_the_expression_matches(text: str) -> None:
    matches = len(text) <= LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None
    assert parse_number(text) == (float(text) if matches else None)
