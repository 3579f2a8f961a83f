"""DynamoDB as an external store: two real servers, and one that fails in every way we know."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import (
    ExternalError,
    ExternalRejected,
    ExternalTimeout,
    ExternalUnavailable,
    SettingsError,
)
from function.external.dynamodb import DynamoStore
from segment_scorer.cli.main import main
from tests.dynamo_servers import (
    CREDENTIALS,
    SERVERS,
    Act,
    Handler,
    Server,
    create_table,
    open_admin,
    run_faulty,
    run_server,
)
from tests.fake_external import make_external_bundle
from tests.fakes import make_endpoint, make_event, read_log

PEOPLE = {
    f"u{index}": {
        "score": 0.75 if index % 2 else 0.25,
        "tier": ["gold", "ü"],
        "a.b": index,
        "size": "x" * 50,
    }
    for index in range(130)
}


LONG = 30.0  # seconds for a look-up that ends by itself
# Seconds for look-ups that end with their time, tried one after the other until the machine was
# fast enough for the store to fail in its own way. The settings allow up to 10.
SHORT = (0.5, 1.0, 2.0, 4.0, 8.0)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", params=list(SERVERS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with run_server(request.param) as running:
        create_table(running.url, "people")
        file = tmp_path_factory.mktemp("people") / "people.jsonl"
        file.write_text(
            "".join(
                json.dumps({"id": key, **attributes}) + "\n" for key, attributes in PEOPLE.items()
            ),
            "utf-8",
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in CREDENTIALS.items():
                patch.setenv(name, value)
            assert (
                main(
                    [
                        "external",
                        "build",
                        str(file),
                        "--dynamodb",
                        "people",
                        "--endpoint-url",
                        running.url,
                    ]
                )
                == 0
            )
        yield running


def open_store(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    *attributes: str,
    patience: float = LONG,
    table: str = "people",
) -> DynamoStore:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
    return DynamoStore(table, "id", attributes or ("score",), patience)


def fail_to_fetch(store: DynamoStore) -> ExternalError:
    """The error of a look-up that never works: the first that is not just a timeout."""
    for seconds in SHORT:
        with pytest.raises(ExternalError) as raised:
            store.fetch(["u"], seconds)
        if type(raised.value) is not ExternalTimeout:
            break
    return raised.value


def test_asks_for_more_than_600_attributes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"attribute{index}" for index in range(1000)]
    store = open_store(monkeypatch, server.url, "score", *names)
    assert store.fetch(["u1"], LONG) == {"u1": {"score": 0.75}}


def test_gives_only_the_attributes_asked_for_of_everybody_who_is_there(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(monkeypatch, server.url, "score", "tier", "a.b", "absent")
    found = store.fetch(["u1", "nobody", "u2"], LONG)
    assert found == {
        key: {name: PEOPLE[key][name] for name in ("score", "tier", "a.b")} for key in ("u1", "u2")
    }


def test_more_keys_than_one_call_takes_are_all_looked_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_store(monkeypatch, server.url).fetch(list(PEOPLE), LONG)
    assert found == {key: {"score": attributes["score"]} for key, attributes in PEOPLE.items()}


def test_a_key_that_no_table_can_hold_costs_the_others_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_store(monkeypatch, server.url).fetch(["x" * 2_049, "", "u1"], LONG) == {
        "u1": {"score": 0.75}
    }
    assert open_store(monkeypatch, server.url).fetch([""], LONG) == {}


def test_a_table_that_is_not_there_is_a_rejection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExternalRejected, match="check table, partition key and permission"):
        open_store(monkeypatch, server.url, table="nobody").fetch(["u1"], LONG)


def test_another_partition_key_is_a_rejection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    with pytest.raises(ExternalRejected, match="check table, partition key and permission"):
        DynamoStore("people", "user", ["score"], LONG).fetch(["u1"], LONG)


def test_loading_refuses_a_table_with_another_key_and_says_what_it_should_be(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_table(server.url, "sorted", "id", "day")
    (tmp_path / "p.csv").write_text("id,n\nu,1\n")
    build = [
        "external",
        "build",
        str(tmp_path / "p.csv"),
        "--endpoint-url",
        server.url,
        "--dynamodb",
    ]
    assert main([*build, "sorted"]) == 1
    assert (
        "--dynamodb: expected a table whose whole key is id of type S (text), "
        "found id of type S and day of type S; name another key with --partition-key"
    ) in capsys.readouterr().err
    assert main([*build, "people", "--partition-key", "user"]) == 1
    assert "whole key is user of type S (text), found id of type S;" in capsys.readouterr().err
    assert main([*build, "nobody"]) == 1
    assert "expected a DynamoDB table of this name" in capsys.readouterr().err


def test_loading_again_replaces_people_and_leaves_others(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_table(server.url, "again")
    build = [
        "external",
        "build",
        str(tmp_path / "p.csv"),
        "--endpoint-url",
        server.url,
        "--dynamodb",
        "again",
    ]
    (tmp_path / "p.csv").write_text("id,n,m\nu,1,2\nv,1,2\n")
    assert main(build) == 0
    (tmp_path / "p.csv").write_text("id,n\nu,3\n")
    assert main(build) == 0
    store = open_store(monkeypatch, server.url, "n", "m", table="again")
    assert store.fetch(["u", "v"], LONG) == {"u": {"n": "3"}, "v": {"n": "1", "m": "2"}}


def test_wrong_types_in_the_table_are_missing_values(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_table(server.url, "odd")
    admin = open_admin(server.url)
    admin.put_item(TableName="odd", Item={"id": {"S": "u"}, "score": {"B": b"\x00"}})
    admin.put_item(TableName="odd", Item={"id": {"S": "v"}, "score": {"M": {"score": {"N": "1"}}}})
    admin.put_item(TableName="odd", Item={"id": {"S": "w"}, "score": {"S": "0.75"}})
    admin.close()
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    scored_anyway = tmp_path / "policy.toml"
    scored_anyway.write_text("min_present = 0.0\n", "utf-8")
    environ = {
        "SCORER_POLICY": str(scored_anyway),
        "SCORER_BUNDLE": str(make_external_bundle(tmp_path / "b")),
        "SCORER_EXTERNAL": "dynamodb:odd",
    }
    handle = build_handler(environ, stream=io.StringIO())
    assert list(
        handle(make_event({key: make_endpoint(User={"UserId": key}) for key in "uvw"}), None)
    ) == ["w"]


def test_a_server_that_is_killed_is_unavailable_and_found_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with run_server("moto") as server:
        create_table(server.url, "people")
        open_admin(server.url).put_item(
            TableName="people", Item={"id": {"S": "u"}, "score": {"N": "1"}}
        )
        store = open_store(monkeypatch, server.url)
        assert store.fetch(["u"], LONG) == {"u": {"score": 1}}
        server.kill()
        with pytest.raises(ExternalUnavailable, match="expected DynamoDB to be reachable"):
            raise fail_to_fetch(store)
        server.start()
        create_table(server.url, "people")
        assert store.fetch(["u"], LONG) == {}


def answer(items: Any = (), left: Any = None, **more: Any) -> Act:
    body = {
        "Responses": {"people": list(items)},
        "UnprocessedKeys": {"people": {"Keys": left}} if left else {},
        **more,
    }
    return lambda handler, call: handler.send(200, json.dumps(body).encode())


def fail(status: int, code: str) -> Act:
    return lambda handler, call: handler.send(
        status, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode()
    )


def item(key: str, score: str = "0.75") -> dict[str, Any]:
    return {"id": {"S": key}, "score": {"N": score}}


def hang(handler: Handler, call: dict[str, Any]) -> None:
    handler.server.over.wait(LONG)
    hang_up(handler, call)


def drip(handler: Handler, call: dict[str, Any]) -> None:
    handler.send(200, b"{", 10_000)
    for _ in range(int(LONG / 0.05)):
        handler.wfile.write(b" ")
        if handler.server.over.wait(0.05):
            break
    hang_up(handler, call)


def hang_up(handler: Handler, call: dict[str, Any]) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half(handler: Handler, call: dict[str, Any]) -> None:
    handler.send(200, b'{"Responses": {"people": [', 10_000)
    hang_up(handler, call)


def say(body: bytes) -> Act:
    return lambda handler, call: handler.send(200, body)


def test_keys_left_unprocessed_are_asked_for_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_faulty(
        answer([item("a")], [{"id": {"S": "b"}}]),
        answer([], [{"id": {"S": "b"}}]),
        answer([item("b", "0.5")]),
    ) as faulty:
        found = open_store(monkeypatch, faulty.url).fetch(["a", "b"], LONG)
    assert found == {"a": {"score": 0.75}, "b": {"score": 0.5}}
    assert [
        [key["id"]["S"] for key in call["RequestItems"]["people"]["Keys"]] for call in faulty.calls
    ] == [["a", "b"], ["b"], ["b"]]
    assert faulty.calls[1]["RequestItems"]["people"]["ProjectionExpression"] == "#n0, #n1"


PASSING: dict[str, Act] = {
    "throttled": fail(400, "ProvisionedThroughputExceededException"),
    "slowed down": fail(400, "ThrottlingException"),
    "broken": fail(500, "InternalServerError"),
    "busy": fail(503, "ServiceUnavailable"),
    "broken in a way unheard of": fail(502, "SomethingNew"),
    "hung up": hang_up,
    "half an answer": half,
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_asked_again_within_the_time(
    monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    with run_faulty(PASSING[fault], PASSING[fault], answer([item("a")])) as faulty:
        assert open_store(monkeypatch, faulty.url).fetch(["a"], LONG) == {"a": {"score": 0.75}}
    assert len(faulty.calls) == 3


FOR_EVER: dict[str, tuple[Act, type[ExternalError]]] = {
    **{fault: (act, ExternalUnavailable) for fault, act in PASSING.items()},
    "half the keys": (answer([item("a")], [{"id": {"S": "b"}}]), ExternalTimeout),
    "silent": (hang, ExternalTimeout),
    "dripping": (drip, ExternalTimeout),
    "denied": (fail(400, "AccessDeniedException"), ExternalRejected),
    "invalid": (fail(400, "ValidationException"), ExternalRejected),
    "expired": (fail(400, "ExpiredTokenException"), ExternalRejected),
    "no JSON": (say(b"<html>It works</html>"), ExternalUnavailable),
    "nothing": (say(b""), ExternalUnavailable),
    "no object": (say(b"[1, 2]"), ExternalUnavailable),
    "no responses": (say(b"{}"), ExternalUnavailable),
    "responses of another type": (
        say(b'{"Responses": [1], "UnprocessedKeys": {}}'),
        ExternalUnavailable,
    ),
    "items of another type": (
        say(b'{"Responses": {"people": [1]}, "UnprocessedKeys": {}}'),
        ExternalUnavailable,
    ),
    "items without a key": (answer([{"score": {"N": "1"}}]), ExternalUnavailable),
}


@pytest.mark.parametrize("fault", FOR_EVER)
def test_whatever_the_store_does_an_answer_comes_with_nobody_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    act, kind = FOR_EVER[fault]
    event = {key: make_endpoint(User={"UserId": key}) for key in "ab"}
    bundle = make_external_bundle(tmp_path / "b")
    for seconds in SHORT:
        log = io.StringIO()
        with run_faulty(act) as faulty:
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", faulty.url)
            environ = {
                "SCORER_BUNDLE": str(bundle),
                "SCORER_EXTERNAL": "dynamodb:people",
                "SCORER_EXTERNAL_TIMEOUT_MS": f"{seconds * 1000:.0f}",
            }
            assert build_handler(environ, stream=log)(make_event(event), None) == event
        (line,) = [line for line in read_log(log.getvalue()) if line.get("message") == "batch"]
        assert (line["external_failed"], line["unscored"]) == (1, 2)
        assert "127.0.0.1" not in log.getvalue()
        if line["external_error"] != "ExternalTimeout":
            break
        if kind is ExternalTimeout:
            return
    assert line["external_error"] == kind.__name__


def test_an_attempt_cut_short_does_not_hide_why_the_one_before_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seconds in SHORT:
        with run_faulty(PASSING["busy"], hang) as faulty, pytest.raises(ExternalError) as raised:
            open_store(monkeypatch, faulty.url).fetch(["a"], seconds)
        if len(faulty.calls) == 2:
            break
    assert len(faulty.calls) == 2
    with pytest.raises(ExternalUnavailable, match="to have room"):
        raise raised.value


def test_look_ups_left_behind_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_faulty(drip) as faulty:
        store = open_store(monkeypatch, faulty.url)
        for _ in range(7):
            with pytest.raises(ExternalTimeout):
                store.fetch(["a"], 0.05)
        assert len(faulty.calls) <= 4


def test_a_port_where_nobody_listens_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(ExternalUnavailable, match="expected DynamoDB to be reachable"):
            raise fail_to_fetch(
                open_store(monkeypatch, f"http://127.0.0.1:{probe.getsockname()[1]}")
            )


def test_without_credentials_the_look_up_is_rejected_and_without_a_region_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ExternalRejected, match="expected credentials for DynamoDB"):
        open_store(monkeypatch, "http://127.0.0.1:9").fetch(["a"], 5.0)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SettingsError, match="expected a region for DynamoDB"):
        open_store(monkeypatch, "http://127.0.0.1:9")
