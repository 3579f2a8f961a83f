"""Law: no address, id or attribute value of an event is logged or raised, at any level."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.errors import ScorerRejected, ScorerTimeout, ScorerUnavailable, SegmentScorerError
from tests.fakes import FakeScorer, make_event
from tests.rooms import make_handler
from tests.strategies import CHANNELS, POLICIES, TEXT, make_connect_event, make_web_event

# Every text of a person carries this mark, so that finding it anywhere is finding a person.
MARK = "zQ7x"
MARKED = TEXT.map(lambda text: f"{MARK}{text}")
NUMBER = 738_261.5  # a metric no count can be
VALUES = st.recursive(
    st.one_of(MARKED, st.just(NUMBER), st.none()),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(MARKED, below, max_size=3)
    ),
    max_leaves=6,
)
ATTRIBUTES = st.one_of(
    st.dictionaries(MARKED, st.one_of(MARKED, st.lists(MARKED, max_size=2), VALUES), max_size=3),
    VALUES,
)
PEOPLE = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "Id": VALUES,
            "Address": st.one_of(MARKED, VALUES),
            "ChannelType": st.one_of(CHANNELS, MARKED),
            "Attributes": ATTRIBUTES,
            "Metrics": st.one_of(
                st.dictionaries(
                    st.sampled_from(["score", f"{MARK}m"]),
                    st.sampled_from([NUMBER, 0.5, f"{MARK}v"]),
                ),
                VALUES,
            ),
            "User": st.one_of(
                st.fixed_dictionaries({"UserId": MARKED, "UserAttributes": ATTRIBUTES}), VALUES
            ),
            "Location": st.one_of(
                st.dictionaries(st.sampled_from(["City", "Latitude"]), VALUES), VALUES
            ),
            f"{MARK}Unknown": VALUES,
        },
    ),
)
PINPOINT = st.dictionaries(MARKED, PEOPLE, max_size=4).map(make_event)
PROFILE = st.one_of(
    st.builds(
        lambda flat, email: json.dumps({"attributes": flat, "emailAddress": email, MARK: 1}),
        ATTRIBUTES,
        VALUES,
    ),
    MARKED,
    VALUES,
)
CONNECT = st.lists(
    st.one_of(
        st.builds(
            lambda id_, data: {"ProfileId": id_, "CustomerData": data},
            st.one_of(MARKED, VALUES),
            PROFILE,
        ),
        VALUES,
    ),
    max_size=4,
).map(make_connect_event)
WEB = st.builds(
    make_web_event,
    st.one_of(
        st.builds(
            lambda people, more: {"people": people, **more},
            st.lists(PEOPLE, max_size=4),
            st.one_of(st.just({}), st.dictionaries(MARKED, VALUES, max_size=2)),
        ),
        PEOPLE,
        VALUES,
        MARKED,
        st.builds(lambda campaign: {"people": [], "campaign": {MARK: campaign}}, VALUES),
    ),
    st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["authorization", "content-type", "scorer-budget-ms", "cookie"]), MARKED
        ),
    ),
)
NO_EVENTS = st.one_of(VALUES, st.dictionaries(st.sampled_from(["Endpoints", "Items"]), VALUES))
ERRORS = st.sampled_from([None, ScorerUnavailable, ScorerTimeout, ScorerRejected])


def tell(error: BaseException | None) -> Iterator[str]:
    """All that a runtime might show of an error: class, message, notes, and those behind it."""
    while error is not None:
        yield "".join(traceback.format_exception_only(error))
        error = error.__cause__


@given(
    event=st.one_of(PINPOINT, CONNECT, WEB, NO_EVENTS),
    policy=POLICIES,
    on_error=st.sampled_from(["keep", "drop", "raise"]),
    failure=ERRORS,
    level=st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR"]),
)
def test_nothing_of_a_person_is_logged_or_raised(
    *,
    event: Any,
    policy: dict[str, Any],
    on_error: str,
    failure: type[Exception] | None,
    level: str,
) -> None:
    log, scorer = io.StringIO(), None
    if failure is not None:
        scorer = FakeScorer(error=failure("expected a service, found none"))  # type: ignore[arg-type]  # each is a ScorerError
    told: list[str] = []
    try:
        make_handler({**policy, "on_error": on_error}, asked=scorer, stream=log, level=level)(event)
    except SegmentScorerError as error:
        told += tell(error)
    written = log.getvalue() + "".join(told)
    assert MARK not in written
    assert "738261" not in written


@given(event=WEB)
def test_nothing_of_a_request_is_in_the_problem_that_refuses_it(event: dict[str, Any]) -> None:
    log = io.StringIO()
    reply = make_handler({}, stream=log, level="DEBUG")(event)
    told = log.getvalue() + ("" if reply["statusCode"] == 200 else str(reply))
    assert MARK not in told
    assert "738261" not in told
