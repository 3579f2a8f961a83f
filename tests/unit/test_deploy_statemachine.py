"""The state machine's expressions under a JSONata engine, and a segment through them.

The engine is jsonata-python, a port of the reference implementation; test_deploy_asl.py compares
the two. Step Functions' own engine is not public.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from jsonata import Jsonata
from jsonata.utils import Utils

from function.bootstrap import build_handler
from tests.templates import ROOT, load_definition, load_template

DEFINITION = load_definition()
WALK = DEFINITION["States"]["WalkSegment"]
SCORE = WALK["ItemProcessor"]["States"]["ScoreBatch"]
STATE_LIMIT = 256 * 1024
# The metrics of a person who is kept.
LAPSED = {
    "RecencyDays": 260,
    "TenureDays": 270,
    "Purchases": 1,
    "PurchaseDays": 1,
    "PurchasesLast90Days": 0,
}
FREQUENT = {
    "RecencyDays": 3,
    "TenureDays": 270,
    "Purchases": 12,
    "PurchaseDays": 12,
    "PurchasesLast90Days": 6,
}
ADDED = 300  # bytes that the function may add to an endpoint: score, band, reason, model
CONTEXT = {"Execution": {"Name": "walk-1", "StartTime": "2026-11-02T19:00:16.843Z"}}


def with_nulls(value: Any) -> Any:
    """`value` with JSON's null as jsonata-python has it, for which None is what is missing."""
    if isinstance(value, dict):
        return {key: with_nulls(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_nulls(each) for each in value]
    return Utils.NULL_VALUE if value is None else value


def evaluate(value: Any, states: dict[str, Any]) -> Any:
    """Evaluate every `{% ... %}` in `value`. No result is an error, as in Step Functions."""
    if isinstance(value, dict):
        return {key: evaluate(each, states) for key, each in value.items()}
    if isinstance(value, list):
        return [evaluate(each, states) for each in value]
    if not (isinstance(value, str) and value.startswith("{%")):
        return value
    assert value.endswith("%}")
    expression = Jsonata(value[2:-2].strip())
    frame = expression.create_frame()
    frame.bind("states", with_nulls(states))
    result = json.loads(json.dumps(expression.evaluate(None, frame)))
    assert result is not None, f"States.QueryEvaluationError: {value}"
    return result


def make_event(items: list[dict[str, Any]], **given: str) -> dict[str, Any]:
    """The event that the function gets for these items, execution input as given."""
    batch_input = evaluate(
        WALK["ItemBatcher"]["BatchInput"], {"input": {"key": "k", **given}, "context": CONTEXT}
    )
    event: dict[str, Any] = evaluate(
        SCORE["Arguments"],
        {"input": {"Items": items, "BatchInput": batch_input}, "context": CONTEXT},
    )["Payload"]
    return event


def full_endpoint(number: int) -> dict[str, Any]:
    return {
        "Id": f"endpoint/{number}",
        "ChannelType": "EMAIL",
        "Address": f"{number}@example.com",
        "EndpointStatus": "ACTIVE",
        "OptOut": "NONE",
        "Attributes": {"plan": ["gold", "silver"], "none": [], "text": "scalar"},
        "Metrics": {"sessions": number, "spend": 1.5},
        "Location": {"Country": "DE", "Latitude": 52.5},
        "User": {"UserId": f"u{number}", "UserAttributes": {"since": ["2020-01-01T00:00:00Z"]}},
    }


def test_one_item_becomes_a_map_of_one_whole_endpoint() -> None:
    assert make_event([full_endpoint(1)])["Endpoints"] == {"endpoint/1": full_endpoint(1)}


def test_a_line_with_only_an_id_is_not_lost() -> None:
    assert make_event([{"Id": "a"}])["Endpoints"] == {"a": {"Id": "a"}}
    assert list(make_event([{"Id": "a"}, full_endpoint(1), {"Id": "b"}])["Endpoints"]) == [
        "a",
        "endpoint/1",
        "b",
    ]


def test_duplicates_become_one_endpoint_the_last_one_and_stay_an_object() -> None:
    found = make_event(
        [{"Id": "a", "Metrics": {"x": 1}}, {"Id": "b"}, {"Id": "a", "Metrics": {"x": 2}}]
    )["Endpoints"]
    assert found == {"a": {"Id": "a", "Metrics": {"x": 2}}, "b": {"Id": "b"}}


def test_fifty_full_endpoints_arrive_whole_and_in_order() -> None:
    items = [full_endpoint(number) for number in range(50)]
    found = make_event(items)["Endpoints"]
    assert list(found) == [item["Id"] for item in items]
    assert list(found.values()) == items


def test_people_who_opted_out_and_inactive_endpoints_are_not_sent() -> None:
    items = [
        {"Id": "a", "OptOut": "ALL"},
        {"Id": "b", "OptOut": "NONE"},
        {"Id": "c", "EndpointStatus": "INACTIVE"},
        {"Id": "d"},
    ]
    assert list(make_event(items)["Endpoints"]) == ["b", "d"]


@pytest.mark.parametrize(
    "items", [[], [{"Id": "a", "OptOut": "ALL"}], [{"Id": "a", "EndpointStatus": "INACTIVE"}] * 3]
)
def test_a_batch_of_nobody_is_an_empty_map_and_not_an_error(items: list[dict[str, Any]]) -> None:
    assert make_event(items)["Endpoints"] == {}


NO_ENDPOINTS: list[tuple[Any, str]] = [
    ([{"Id": "x"}], "array"),
    ([{"Id": "x"}, {"Id": "y"}], "array"),
    ([], "array"),
    ([[]], "array"),
    ("x", "string"),
    (7, "number"),
    (False, "boolean"),
    (None, "null"),
    ({}, "no Id"),
    ({"Address": "x"}, "no Id"),
    ({"Id": ""}, "no Id"),
    ({"Id": 7.5}, "no Id"),
    ({"Id": True}, "no Id"),
    ({"Id": 9007199254740993}, "no Id"),
    ({"Id": ["x"]}, "no Id"),
    ({"Id": None, "OptOut": "ALL"}, "no Id"),
]


@pytest.mark.parametrize("id_", [7, 7.0, 0, -3, 9007199254740991])
def test_a_whole_number_is_an_id_as_in_the_runner(id_: float) -> None:
    assert make_event([{"Id": id_}])["Endpoints"] == {str(int(id_)): {"Id": id_}}


@pytest.mark.parametrize(("line", "word"), NO_ENDPOINTS)
def test_a_line_that_is_no_endpoint_is_sent_as_a_word_and_costs_nobody_else(
    line: Any, word: str
) -> None:
    assert make_event([line])["Endpoints"] == {"line 0 of the batch": word}
    assert make_event([{"Id": "a"}, line, {"Id": "b"}])["Endpoints"] == {
        "a": {"Id": "a"},
        "line 1 of the batch": word,
        "b": {"Id": "b"},
    }


def test_lines_that_are_no_endpoints_are_counted_by_the_function_and_never_come_back() -> None:
    stream = io.StringIO()
    handle = build_handler({}, stream=stream)
    items = [line for line, _ in NO_ENDPOINTS]
    reply = handle(make_event([{"Id": "a"}, *items]), None)
    (batch,) = [
        found
        for found in map(json.loads, stream.getvalue().splitlines())
        if found.get("message") == "batch"
    ]
    assert (batch["received"], batch["unreadable"]) == (len(items) + 1, len(items))
    assert set(reply) <= {"a"}


def test_the_event_has_every_field_of_the_hosts_event() -> None:
    event = make_event([{"Id": "a"}])
    assert {key: value for key, value in event.items() if key != "Endpoints"} == {
        "MessageConfiguration": {},
        "ApplicationId": "segment-walk",
        "CampaignId": "segment-walk",
        "TreatmentId": "0",
        "ActivityId": "walk-1",
        "ScheduledTime": "2026-11-02T19:00:16.843Z",
    }


def test_the_execution_input_says_what_campaign_it_is_and_when() -> None:
    given = {
        "applicationId": "app",
        "campaignId": "camp",
        "treatmentId": "1",
        "scheduledTime": "2026-01-31T19:00:16.843Z",
    }
    event = make_event([{"Id": "a"}], **given)
    assert [
        event[key] for key in ("ApplicationId", "CampaignId", "TreatmentId", "ScheduledTime")
    ] == list(given.values())


@pytest.mark.parametrize(
    ("payload", "lines"),
    [
        ({}, []),
        ({"a": {}}, [{"Id": "a"}]),
        (
            {"a": {"Metrics": {"x": 1}}, "b": {"Id": "b", "Attributes": {"Score": ["0.5"]}}},
            [{"Metrics": {"x": 1}, "Id": "a"}, {"Id": "b", "Attributes": {"Score": ["0.5"]}}],
        ),
        (
            {"a": {"Attributes": {"Score": ["-0.0213"], "Band": ["put off"]}}},  # an uplift score
            [{"Attributes": {"Score": ["-0.0213"], "Band": ["put off"]}, "Id": "a"}],
        ),
    ],
)
def test_the_output_is_always_a_list_of_kept_endpoints_each_with_its_id(
    payload: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    assert evaluate(SCORE["Output"], {"result": {"Payload": payload}}) == lines


def test_a_batch_keeps_the_hosts_limits_and_a_states_own() -> None:
    assert WALK["ItemBatcher"]["MaxItemsPerBatch"] == 50
    assert evaluate(WALK["ItemBatcher"]["MaxInputBytesPerBatch"], {}) == 200_000 < STATE_LIMIT
    assert SCORE["TimeoutSeconds"] == 15
    (retry,) = SCORE["Retry"]
    assert (retry["ErrorEquals"], retry["MaxAttempts"]) == (["States.ALL"], 2)


def test_the_map_is_distributed_reads_json_lines_and_writes_json_lines() -> None:
    assert WALK["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert WALK["ItemReader"]["ReaderConfig"] == {"InputType": "JSONL"}
    assert WALK["ResultWriter"]["WriterConfig"] == {
        "Transformation": "FLATTEN",
        "OutputType": "JSONL",
    }
    assert evaluate(WALK["ItemReader"]["Arguments"], {"input": {"key": "a.jsonl"}}) == {
        "Bucket": "segments",
        "Key": "a.jsonl",
    }


def test_the_shares_that_parameters_give_are_numbers() -> None:
    assert evaluate(WALK["MaxConcurrency"], {}) == 10
    assert evaluate(WALK["ToleratedFailurePercentage"], {}) == 5


def test_a_batch_of_the_advised_size_fits_a_state_even_when_escaped_to_ascii() -> None:
    (advised,) = map(
        int,
        re.findall(
            r"lower it to (\d+)", load_template()["Parameters"]["MaxBatchBytes"]["Description"]
        ),
    )
    for letter in "\u00e9", "\u20ac", "\U0001f600":  # two, three and four bytes in UTF-8
        assert len(json.dumps(letter)) - 2 <= 3 * len(letter.encode())
    texts = [f"{number:02}" + "\u00e9" * 788 for number in range(50)]
    items = [{"Id": text} for text in texts]
    size = len(json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode())
    assert 0.97 * advised < size <= advised
    assert 2.9 * advised < len(json.dumps(items)) < STATE_LIMIT - 50 * ADDED


def test_the_function_adds_less_to_an_endpoint_than_the_advised_size_leaves_room_for() -> None:
    event = make_event([{**full_endpoint(number), "Metrics": FREQUENT} for number in range(50)])
    reply = build_handler({}, stream=io.StringIO())(event, None)
    assert len(reply) == 50
    assert all(
        len(json.dumps(kept)) - len(json.dumps(event["Endpoints"][id_])) < ADDED
        for id_, kept in reply.items()
    )


CHECK = DEFINITION["States"]["CheckKey"]
REFUSE = DEFINITION["States"]["RefuseKey"]
DESCRIBED = {"Failed": 2, "TimedOut": 1, "Aborted": 0, "Succeeded": 40}


@pytest.mark.parametrize(
    ("given", "walked"),
    [
        ({"key": "exports/segment.jsonl"}, True),
        ({"key": "exports/2026/part-0"}, True),
        ({"key": "exports/segment.jsonl.gz"}, False),
        ({"key": "exports/segment.JSON.GZ"}, False),
        ({"key": "exports/people.csv"}, False),
        ({"key": "exports/people.parquet"}, False),
        ({"key": "exports/"}, False),
        ({"key": "exports/parts/"}, False),
        ({"key": "other/segment.jsonl"}, False),
        ({"key": ["exports/a.jsonl"]}, False),
        ({"prefix": "exports/"}, False),
        ({}, False),
    ],
)
def test_only_one_unpacked_file_below_the_prefix_is_walked(
    given: dict[str, Any], walked: bool
) -> None:
    (choice,) = CHECK["Choices"]
    assert evaluate(choice["Condition"], {"input": given}) is walked
    assert (choice["Next"], CHECK["Default"]) == ("WalkSegment", "RefuseKey")
    assert DEFINITION["StartAt"] == "CheckKey"


def test_what_is_refused_is_sent_to_the_runner_with_the_words_of_the_documents() -> None:
    command = re.search(r"segment-scorer run (.+)", REFUSE["Cause"])
    assert command is not None
    assert command[1] == (
        '"s3://segments/exports/*" --hook lambda:scorer:live --out s3://segments/scored/run'
    )
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert (
        'segment-scorer run "s3://$BUCKET/exports/*" --hook lambda:$HOOK '
        "--out s3://$BUCKET/scored/run" in page
    )
    assert REFUSE["Error"] in page


def test_failed_batches_are_counted_where_the_walk_succeeds() -> None:
    count, report = (DEFINITION["States"][name] for name in ("CountFailures", "ReportFailures"))
    assert (WALK["Next"], count["Next"]) == ("CountFailures", "ReportFailures")
    walked = {"MapRunArn": "arn:run", "ResultWriterDetails": {"Bucket": "b", "Key": "k"}}
    assert evaluate(count["Arguments"], {"input": walked}) == {"MapRunArn": "arn:run"}
    counted = evaluate(count["Output"], {"input": walked, "result": {"ExecutionCounts": DESCRIBED}})
    assert counted == {**walked, "failedBatches": 3}
    (metric,) = evaluate(report["Arguments"], {"input": counted})["MetricData"]
    assert metric == {
        "MetricName": "failed_batches",
        "Dimensions": [{"Name": "function_name", "Value": "scorer"}],
        "Value": 3,
    }
    assert evaluate(report["Output"], {"input": counted}) == counted


@pytest.mark.parametrize(
    ("state", "service", "operation"),
    [
        ("CountFailures", "stepfunctions", "DescribeMapRun"),
        ("ReportFailures", "cloudwatch", "PutMetricData"),
    ],
)
def test_the_calls_to_aws_have_the_operations_own_arguments(
    state: str, service: str, operation: str
) -> None:
    # Step Functions writes every name with a capital letter.
    task = DEFINITION["States"][state]
    assert task["Resource"].rpartition(":")[2] == operation[0].lower() + operation[1:]
    shape = (
        botocore.session.get_session().get_service_model(service).operation_model(operation)
    ).input_shape
    assert set(task["Arguments"]) <= {name[0].upper() + name[1:] for name in shape.members}


def test_only_the_alias_is_called() -> None:
    assert (
        evaluate(SCORE["Arguments"]["FunctionName"], {})
        == "arn:aws:lambda:us-east-1:123456789012:function:scorer:live"
    )


def walk(items: list[dict[str, Any]], handle: Any) -> Iterator[dict[str, Any]]:
    """Walk a segment as Step Functions does: batches, events, the function, its output."""
    size = WALK["ItemBatcher"]["MaxItemsPerBatch"]
    for start in range(0, len(items), size):
        payload = json.loads(json.dumps(handle(make_event(items[start : start + size]), None)))
        yield from evaluate(SCORE["Output"], {"result": {"Payload": payload}})


def test_a_walked_segment_keeps_whom_the_function_keeps() -> None:
    handle = build_handler({}, stream=io.StringIO())
    items = [
        {"Id": f"{number}", "Metrics": FREQUENT if number % 2 else LAPSED} for number in range(120)
    ]
    kept = list(walk(items, handle))
    expected = handle(
        {
            "Endpoints": {item["Id"]: item for item in items},
            "ScheduledTime": CONTEXT["Execution"]["StartTime"],
        },
        None,
    )
    assert {line["Id"]: line for line in kept} == expected
    assert [line["Id"] for line in kept] == list(expected)
    assert 0 < len(kept) < len(items)
