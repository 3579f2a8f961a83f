"""Law: the reply survives strict JSON, UTF-8, and both marshallers of Lambda's runtime client."""

from __future__ import annotations

import json
from typing import Any

from awslambdaric.lambda_runtime_marshaller import to_json
from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import MARSHALLER, make_handler
from tests.strategies import HOOK_EVENTS, POLICIES


@given(event=HOOK_EVENTS, policy=POLICIES, working=st.booleans())
def test_the_reply_survives_json_without_nan(
    event: dict[str, Any], policy: dict[str, Any], working: bool
) -> None:
    reply = make_handler(policy, working=working)(event)
    assert json.loads(json.dumps(reply, allow_nan=False)) == reply
    assert json.loads(json.dumps(reply, allow_nan=False, ensure_ascii=False).encode()) == reply
    assert json.loads(to_json(reply)) == reply
    assert json.loads(MARSHALLER.marshal_response(reply)[0]) == reply
