"""Events and replies between Lambda's runtime client and the handler."""

from __future__ import annotations

import json
import math
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
import pytest
from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from function.hosts import decode_event
from function.marshaller import CLIENT_MODULE, MEDIA_TYPE, Marshaller, measure_reply, use_marshaller
from model.document_types import ExactDocument

AWS = LambdaMarshaller()
OURS = Marshaller(decode_event, AWS)
MEDIA_OF_BYTES = "application/unknown"


def kinds(value: Any) -> Any:
    """A value with the type of each part, so that 1 differs from 1.0 and from True."""
    if isinstance(value, ExactDocument):
        return kinds(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    if isinstance(value, list):
        return [kinds(part) for part in value]
    return type(value).__name__, repr(value)


@pytest.mark.parametrize(
    "request_body",
    [
        b'{"Endpoints": {"a": {"Metrics": {"m": 1, "n": 1.0, "o": 1e5, "p": -0, "q": -0.0}}}}',
        b'{"whole": 9007199254740993, "beyond": 123456789012345678901234567890}',
        b'{"digits": 0.1000000000000000055511151231257827, "least": 5e-324, "none": 1e-400}',
        b'{"text": "\\u00e9\\ud83d\\ude00\\u0000\\/", "utf8": "\xc3\xa9"}',
        b'{"same": 1, "same": 2}',
        b'{"infinite": 1e400, "lone": "\\ud800"}',  # what msgspec refuses
        b'\xef\xbb\xbf{"marked": true}',
        b" [null, true, false, []] ",
    ],
)
def test_an_event_is_decoded_as_awss_own_marshaller_decodes_it(request_body: bytes) -> None:
    assert kinds(OURS.unmarshal_request(request_body)) == kinds(AWS.unmarshal_request(request_body))


@pytest.mark.parametrize("request_body", [b"", b"{", b"NaN", b'"\xff"', b"[1,]", b"1" * 5_000])
def test_what_is_no_json_is_awss_own_error(request_body: bytes) -> None:
    with pytest.raises(FaultException) as ours:
        OURS.unmarshal_request(request_body)
    with pytest.raises(FaultException) as theirs:
        AWS.unmarshal_request(request_body)
    assert (ours.value.exception_type, ours.value.msg) == (
        theirs.value.exception_type,
        theirs.value.msg,
    )


def test_a_body_of_another_media_type_is_passed_as_it_is() -> None:
    assert OURS.unmarshal_request(b"{}", "text/plain") == b"{}"


def test_a_reply_is_compact_utf8() -> None:
    body, media = OURS.marshal_response({"é/😀": {"Attributes": {"Ort": ["東京"]}, "n": [1, 1.5]}})
    assert body == '{"é/😀":{"Attributes":{"Ort":["東京"]},"n":[1,1.5]}}'.encode()
    assert media == MEDIA_TYPE


@pytest.mark.parametrize("reply", [{"lone": "\ud800"}, [{"deep": "\udfff"}], b"bytes"])
def test_what_msgspec_cannot_write_is_written_by_awss_own_marshaller(reply: Any) -> None:
    assert OURS.marshal_response(reply) == AWS.marshal_response(reply)


def test_what_nobody_can_write_is_awss_own_error() -> None:
    with pytest.raises(FaultException) as error:
        OURS.marshal_response({"a": object()})
    assert error.value.exception_type == FaultException.MARSHAL_ERROR


@pytest.mark.parametrize("reply", [{}, {"é": "\x7f\x01😀", "n": [1e5, 1e-5, 1e16, 2**70]}])
def test_a_reply_is_measured_in_the_bytes_that_lambda_gets(reply: Any) -> None:
    assert measure_reply(reply) == len(OURS.marshal_response(reply)[0])


def test_a_reply_that_msgspec_refuses_is_measured_as_ascii() -> None:
    body, _ = OURS.marshal_response({"lone": "\ud800"})
    assert measure_reply({"lone": "\ud800"}) == len(body) == len(json.dumps({"lone": "\ud800"}))


def make_client(*names: str) -> tuple[ModuleType, dict[str, Any]]:
    """A module like the runtime client's, with these classes."""
    module = ModuleType(CLIENT_MODULE)
    classes = {name: type(name, (), {"marshaller": AWS}) for name in names}
    vars(module).update(classes)
    return module, classes


@pytest.mark.parametrize(
    "names",
    [
        ("BaseLambdaRuntimeClient",),
        ("LambdaRuntimeClient",),
        ("BaseLambdaRuntimeClient", "LambdaRuntimeClient"),
    ],
)
def test_the_runtime_client_that_runs_this_process_gets_our_marshaller(
    names: tuple[str, ...],
) -> None:
    module, classes = make_client(*names)
    use_marshaller({CLIENT_MODULE: module}, decode_event)
    use_marshaller({CLIENT_MODULE: module}, decode_event)  # a second handler in one process
    for kind in classes.values():
        assert isinstance(kind.marshaller, Marshaller)
        assert kind.marshaller.marshal_response(b"asked once") == (b"asked once", MEDIA_OF_BYTES)


def test_without_a_runtime_client_nothing_is_imported_and_nothing_changes() -> None:
    modules: dict[str, ModuleType] = {}
    use_marshaller(modules, decode_event)
    assert modules == {}
    use_marshaller(
        {CLIENT_MODULE: ModuleType(CLIENT_MODULE)}, decode_event
    )  # one without such a class


def test_the_pinned_runtime_client_still_has_the_attribute_that_we_replace() -> None:
    from awslambdaric import lambda_runtime_client  # noqa: PLC0415

    client = lambda_runtime_client.BaseLambdaRuntimeClient
    before = vars(client)["marshaller"]
    try:
        client.marshaller = LambdaMarshaller()
        use_marshaller({CLIENT_MODULE: lambda_runtime_client}, decode_event)
        assert isinstance(lambda_runtime_client.LambdaRuntimeClient.marshaller, Marshaller)
    finally:
        client.marshaller = before


def test_numbers_that_are_not_finite_reach_no_reply_as_invalid_json() -> None:
    body, _ = OURS.marshal_response(SimpleNamespace(n=math.nan).__dict__)
    assert json.loads(body) == {"n": None}
