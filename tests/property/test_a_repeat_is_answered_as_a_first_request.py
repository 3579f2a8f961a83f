"""Whatever bytes are taken for a repeat are answered as the parser's way answers them."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from segment_scorer.service.errors import Refusal
from segment_scorer.service.servicer import InferenceServicer
from tests.repeats import ID, MATRIX, answer_first, answer_repeat, ask, make_servicer

MESSAGE = ask().SerializeToString()
# Where a byte is put in place of another, and which; mostly within id and numbers.
CHANGES = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, len(MESSAGE) - 1),
            st.integers(MESSAGE.index(ID.encode()), MESSAGE.index(ID.encode()) + len(ID) - 1),
            st.integers(len(MESSAGE) - MATRIX.nbytes, len(MESSAGE) - 1),
        ),
        st.integers(0, 255),
    ),
    max_size=6,
)


def answer(servicer: InferenceServicer, message: bytes, *, as_repeat: bool) -> bytes | str:
    try:
        if not as_repeat:
            return answer_first(servicer, message)
        repeat = servicer.forms.recognise(message)
        assert repeat is not None
        return answer_repeat(servicer, repeat)
    except Refusal as refusal:
        return refusal.message


@given(changes=CHANGES)
def test_a_changed_message_is_answered_alike(changes: list[tuple[int, int]]) -> None:
    servicer = make_servicer()
    servicer.score(ask())
    message = bytearray(MESSAGE)
    for place, byte in changes:
        message[place] = byte
    assume(servicer.forms.recognise(bytes(message)) is not None)
    with np.errstate(all="ignore"):
        found = answer(servicer, bytes(message), as_repeat=True)
        assert found == answer(make_servicer(), bytes(message), as_repeat=False)
