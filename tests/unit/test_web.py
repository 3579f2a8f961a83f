"""function/hosts/web.py and web_request.py: requests over HTTP, answers and refusals."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import ReplyError, ScorerTimeout, SettingsError
from function.hosts.reading import LARGEST_REPLY
from function.hosts.web import WEB
from function.hosts.web_request import LARGEST_BODY, MOST_PEOPLE
from function.marshaller import measure_reply
from function.policy import Rules
from function.records import Decision, Reason
from function.settings import read_settings
from tests.fakes import (
    FakeContext,
    FakeScorer,
    make_bundle,
    make_uplift_bundle,
    read_log,
    write_policy,
)
from tests.strategies import make_web_event

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text("utf-8")
SECRET, NEXT = "invented-secret-0123456789", "invented-secret-9876543210"
PERSON = {"Id": "a", "Metrics": {"score": 0.75}}


def build(folder: Path, log: io.StringIO | None = None, **changes: Any) -> Any:
    """The function with the tiny model; `changes`: settings, or `policy`, `scorer`, `clock`."""
    own = {name: changes.pop(name) for name in ("scorer", "clock") if name in changes}
    policy = write_policy(folder / "policy.toml", changes.pop("policy", "threshold = 0.5\n"))
    environ = {"SCORER_BUNDLE": str(folder / "bundle"), "SCORER_POLICY": str(policy), **changes}
    if not (folder / "bundle").exists():
        make_bundle(folder / "bundle")
    return build_handler(environ, stream=log or io.StringIO(), **own)


def ask(handler: Any, event: Mapping[str, Any], context: Any = None) -> tuple[int, Any]:
    """The status and the body of the answer."""
    reply = handler(event, context)
    return reply["statusCode"], json.loads(reply["body"])


def test_one_document_is_answered_with_its_decision(tmp_path: Path) -> None:
    reply = build(tmp_path)(make_web_event(PERSON), None)
    assert reply["headers"]["content-type"] == "application/json"
    assert json.loads(reply["body"]) == {
        "people": [
            {
                "id": "a",
                "decision": "keep",
                "selected": True,
                "holdout": False,
                "score": 0.75,
                "band": None,
                "reason": "score",
                "attributes": {"Score": ["0.7500"]},
            }
        ]
    }


def test_every_person_is_answered_in_order_with_an_id_or_without(tmp_path: Path) -> None:
    people = [PERSON, {"Metrics": {"score": 0.1}}, 7, {"Id": 7, "Metrics": {"score": 1}}, PERSON]
    status, answer = ask(build(tmp_path), make_web_event({"people": people}))
    assert status == 200
    assert [(each["id"], each["decision"], each["reason"]) for each in answer["people"]] == [
        ("a", "keep", "score"),
        (None, "drop", "score"),
        (None, "drop", "unreadable"),
        (None, "keep", "unreadable"),
        ("a", "keep", "score"),
    ]


def test_an_uplift_score_may_be_negative(tmp_path: Path) -> None:
    make_uplift_bundle(tmp_path / "bundle")
    handler = build(tmp_path, policy="threshold = 0.0\n")
    _, answer = ask(handler, make_web_event({"Id": "a", "Metrics": {"score": 0.0}}))
    (person,) = answer["people"]
    assert (person["decision"], person["score"] < 0) == ("drop", True)


def test_a_shadow_answer_tells_no_score(tmp_path: Path) -> None:
    handler = build(tmp_path, policy='mode = "shadow"\nthreshold = 0.9\n')
    _, answer = ask(handler, make_web_event(PERSON))
    (person,) = answer["people"]
    assert (person["decision"], person["reason"], person["score"]) == ("keep", "shadow", None)
    assert (person["selected"], person["attributes"]) == (None, {})


def test_the_campaign_of_a_request_chooses_the_policys_override(tmp_path: Path) -> None:
    handler = build(
        tmp_path,
        policy='threshold = 0.5\n[[override]]\ncampaign_id = "spring"\nthreshold = 0.9\n',
    )
    for campaign, decision in ((None, "keep"), ({"campaign_id": "spring"}, "drop")):
        _, answer = ask(handler, make_web_event({"people": [PERSON], "campaign": campaign}))
        assert answer["people"][0]["decision"] == decision


def test_a_body_in_base64_is_read(tmp_path: Path) -> None:
    body = base64.b64encode(json.dumps(PERSON).encode()).decode()
    event = {**make_web_event(body), "isBase64Encoded": True}
    assert ask(build(tmp_path), event)[0] == 200


def test_what_utf_8_cannot_carry_costs_nobody_else(tmp_path: Path) -> None:
    body = '{"people": [{"Id": "\\ud800"}, {"Id": "b", "Metrics": {"score": 1e400}}, {"Id": "c"}]}'
    status, answer = ask(build(tmp_path), make_web_event(body))
    assert (status, [each["id"] for each in answer["people"]]) == (200, [None, "b", "c"])


def test_an_integer_of_any_length_costs_nobody_else(tmp_path: Path) -> None:
    for digits in (400, 401, 4_300, 5_000):
        long = f'{{"Id": "a", "Metrics": {{"score": {"1" * digits}}}}}'
        body = f'{{"people": [{long}, {{"Id": "b", "Metrics": {{"score": 0.75}}}}]}}'
        status, answer = ask(build(tmp_path), make_web_event(body))
        assert (status, answer["people"][1]["score"]) == (200, 0.75), digits


def test_a_name_of_a_header_may_have_capitals(tmp_path: Path) -> None:
    event = make_web_event(PERSON)
    event["headers"] = {"Content-Type": "application/json", "AUTHORIZATION": f"Bearer {SECRET}"}
    assert ask(build(tmp_path, SCORER_WEB_SECRETS=SECRET), event)[0] == 200
    event["headers"]["Content-Encoding"] = "gzip"
    assert ask(build(tmp_path, SCORER_WEB_SECRETS=SECRET), event)[0] == 415


def test_a_secret_anywhere_else_than_in_its_header_opens_nothing(tmp_path: Path) -> None:
    event = {
        **make_web_event({**PERSON, "Attributes": {"authorization": [f"Bearer {SECRET}"]}}),
        "rawQueryString": f"authorization=Bearer%20{SECRET}",
        "queryStringParameters": {"authorization": f"Bearer {SECRET}"},
        "cookies": [f"authorization=Bearer {SECRET}"],
    }
    log = io.StringIO()
    assert ask(build(tmp_path, log, SCORER_WEB_SECRETS=SECRET), event)[0] == 401
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"iam": None},
        {"iam": {}},
        {"iam": "AIDA"},
        {"jwt": {"claims": {"iam": "AIDA"}, "scopes": ["iam"]}},
        {"lambda": {"iam": {"userId": "AIDA"}}},
        [{"iam": {"userId": "AIDA"}}],
    ],
)
@pytest.mark.parametrize("secrets", [{}, {"SCORER_WEB_SECRETS": ""}])
def test_only_iam_itself_opens_the_door_if_there_is_no_secret(
    authorizer: Any, secrets: dict[str, str], tmp_path: Path
) -> None:
    event = make_web_event(PERSON, {"authorization": "Bearer "})
    event["requestContext"]["authorizer"] = authorizer
    assert ask(build(tmp_path, **secrets), event)[0] == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "post", None, 7])
def test_no_other_method_is_answered_and_no_browser_is_let_in(method: Any, tmp_path: Path) -> None:
    event = make_web_event(PERSON, {"origin": "https://example.com"})
    event["requestContext"]["http"]["method"] = method
    reply = build(tmp_path)(event, None)
    assert (reply["statusCode"], reply["headers"]["allow"]) == (405, "POST")
    assert not any(name.startswith("access-control") for name in reply["headers"])


REFUSED: dict[str, tuple[int, dict[str, Any], str]] = {
    "no JSON": (400, make_web_event("{'Id'"), "JSON in UTF-8"),
    "no body": (400, {**make_web_event(PERSON), "body": None}, "JSON in UTF-8"),
    "no base64": (400, {**make_web_event("!"), "isBase64Encoded": True}, "JSON in UTF-8"),
    "UTF-16": (
        400,
        {
            **make_web_event(base64.b64encode(json.dumps(PERSON).encode("utf-16")).decode()),
            "isBase64Encoded": True,
        },
        "UTF-8",
    ),
    "JSON in 100,000 lists": (400, make_web_event("[" * 100_000 + "]" * 100_000), "nested"),
    **{
        f"a budget of {text!r}": (400, make_web_event(PERSON, {"scorer-budget-ms": text}), "budget")
        for text in ("soon", "0", "-1", "NaN", "1e3", "30001", "9" * 40, "900,800", "٣", "", 900)
    },
    "not from IAM": (
        403,
        {**make_web_event(PERSON), "requestContext": {"http": {"method": "POST"}}},
        "IAM",
    ),
    "GET": (
        405,
        {
            **make_web_event(PERSON),
            "requestContext": {"authorizer": {"iam": {"userId": "u"}}, "http": {"method": "GET"}},
        },
        "POST",
    ),
    "a large body": (413, make_web_event(" " * LARGEST_BODY + "{}"), "at most"),
    "many people": (413, make_web_event({"people": [{}] * (MOST_PEOPLE + 1)}), "at most"),
    "a form": (
        415,
        make_web_event(PERSON, {"content-type": "application/x-www-form-urlencoded"}),
        "Content-Type",
    ),
    "no type": (415, {**make_web_event(PERSON), "headers": {}}, "Content-Type"),
    "a compressed body": (
        415,
        make_web_event(PERSON, {"content-encoding": "gzip"}),
        "Content-Encoding",
    ),
    "a list": (422, make_web_event([PERSON]), "people"),
    "no field of a document": (422, make_web_event({"person": PERSON}), "people"),
    "people that are no list": (422, make_web_event({"people": PERSON}), "$.people"),
    "a field beside people": (422, make_web_event({"people": [], "campaing": {}}), "$: "),
    "no campaign": (422, make_web_event({"people": [], "campaign": "spring"}), "$.campaign"),
    "an unknown field of the campaign": (
        422,
        make_web_event({"people": [], "campaign": {"CampaignId": "spring"}}),
        "campaign_id",
    ),
    "a campaign's id that is no text": (
        422,
        make_web_event({"people": [], "campaign": {"campaign_id": 7}}),
        "$.campaign.campaign_id",
    ),
    "a time that is none": (
        422,
        make_web_event({"people": [], "campaign": {"scheduled_time": "soon"}}),
        "$.campaign.scheduled_time",
    ),
}


def is_documented(status: int, detail: str) -> bool:
    """Whether the table of docs/web.md has the sentence, or its beginning and three dots."""
    (row,) = re.findall(rf"^\| {status} \|(.*)$", PAGE, re.MULTILINE)
    return any(
        detail.startswith(found.split("...")[0].rstrip()) for found in re.findall(r"`([^`]+)`", row)
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_request_gets_a_problem_and_a_record(name: str, tmp_path: Path) -> None:
    status, event, words = REFUSED[name]
    log = io.StringIO()
    reply = build(tmp_path, log)(event, None)
    problem = json.loads(reply["body"])
    assert reply["headers"]["content-type"] == "application/problem+json"
    assert (reply["statusCode"], problem["status"]) == (status, status)
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert words in problem["detail"]
    assert is_documented(status, problem["detail"])
    record = read_log(log.getvalue())[-1]
    assert (record["host"], record["status"], record["received"]) == ("web", status, 0)
    assert record["refusal"] == problem["detail"]


def test_a_refused_request_is_not_looked_up_or_scored_whatever_the_policy_says(
    tmp_path: Path,
) -> None:
    scorer = FakeScorer(error=ScorerTimeout("expected scores in time, found none"))
    handler = build(tmp_path, scorer=scorer, policy='on_error = "raise"\nthreshold = 0.5\n')
    assert ask(handler, make_web_event("{"))[0] == 400


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {SECRET}", 200),
        (f"bearer {NEXT}", 200),
        (SECRET, 401),
        (f"Basic {SECRET}", 401),
        (f"Bearer {SECRET},{NEXT}", 401),
        (f"Bearer {SECRET[:-1]}", 401),
        ("Bearer ", 401),
        ("Bearer \ud800é", 401),
        (None, 401),
    ],
)
def test_with_secrets_each_of_them_is_valid_and_nothing_else(
    header: str | None, status: int, tmp_path: Path
) -> None:
    log = io.StringIO()
    handler = build(tmp_path, log, SCORER_WEB_SECRETS=f"{SECRET},{NEXT}", SCORER_LOG_LEVEL="DEBUG")
    event = make_web_event(PERSON, {} if header is None else {"authorization": header})
    reply = handler(event, None)
    assert reply["statusCode"] == status
    assert (reply["headers"].get("www-authenticate") == "Bearer") == (status == 401)
    assert SECRET not in log.getvalue() + repr(handler.settings) + json.dumps(reply)


def test_with_secrets_iam_alone_does_not_open_the_door(tmp_path: Path) -> None:
    assert ask(build(tmp_path, SCORER_WEB_SECRETS=SECRET), make_web_event(PERSON))[0] == 401


def test_every_secret_is_compared_whichever_is_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    handler = build(tmp_path, SCORER_WEB_SECRETS=f"{SECRET},{NEXT}")
    for token in (SECRET, NEXT, "none"):
        compared.clear()
        handler(make_web_event(PERSON, {"authorization": f"Bearer {token}"}), None)
        assert len(compared) == 2


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"SCORER_WEB_AUTH": "secret"}, "SCORER_WEB_SECRETS"),
        ({"SCORER_WEB_AUTH": "none"}, "SCORER_WEB_AUTH: expected one of iam, secret"),
        ({"SCORER_WEB_AUTH": "iam", "SCORER_WEB_SECRETS": SECRET}, "no secrets with iam"),
        ({"SCORER_WEB_SECRETS": "short"}, "20 to 200"),
        ({"SCORER_WEB_SECRETS": f"{SECRET}, {NEXT}"}, "20 to 200"),
        ({"SCORER_WEB_SECRETS": f"{SECRET},"}, "20 to 200"),
    ],
)
def test_settings_that_would_let_nobody_or_anybody_in_are_refused(
    environ: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        read_settings(environ)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "remaining", "budget"),
    [
        (None, 10.0, 9.5),
        ("2000", 10.0, 1.5),
        ("600", 10.0, 0.3),
        ("30000", 4.0, 3.5),
        ("600", 0.7, 0.2),  # without a header 0.2 s, too
    ],
)
def test_a_caller_may_ask_for_less_time_and_never_for_more(
    header: str | None, remaining: float, budget: float, tmp_path: Path
) -> None:
    scorer = FakeScorer()
    handler = build(tmp_path, scorer=scorer, clock=lambda: 0.0)
    event = make_web_event(PERSON, {} if header is None else {"scorer-budget-ms": header})
    handler(event, FakeContext(remaining, lambda: 0.0))
    assert scorer.timeouts == pytest.approx([budget])


def test_an_answer_that_is_too_large_loses_its_attributes_and_nobody() -> None:
    people = [{**PERSON, "Id": "\x7f" * 250 + f"{index:03}"} for index in range(MOST_PEOPLE)]
    batch = WEB.parse_event(make_web_event({"people": people}))
    copied = {"FromTheStore": ["😀" * 9_000]}
    decision = Decision(selected=True, sent=True, reason=Reason.SCORE, external=copied)
    reply = WEB.build_reply(batch, [decision] * MOST_PEOPLE, Rules(threshold=0.5), "m@1")
    assert reply.annotations_dropped
    assert measure_reply(reply.body) <= LARGEST_REPLY
    answered = json.loads(reply.body["body"])["people"]
    assert [each["id"] for each in answered] == [each["Id"] for each in people]
    assert answered[0]["attributes"] == {}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ([], r"^\$: expected an answer"),
        ({"statusCode": 401, "body": "{}"}, "expected 200, found 401"),
        ({"statusCode": "a@b.c"}, "found another"),
        ({"statusCode": ["a@b.c"]}, "found another"),
        ({"statusCode": 200, "body": "<html>"}, r"\$\.body: expected JSON"),
        ({"statusCode": 200, "body": "{}"}, r"\$\.people: expected a list"),
        ({"statusCode": 200, "body": '{"people": [{"id": "b"}]}'}, r"\$\.people\[0\]\.id"),
    ],
)
def test_an_answer_of_another_form_is_refused(reply: Any, words: str) -> None:
    with pytest.raises(ReplyError, match=words) as caught:
        WEB.read_reply(reply, ["a"])
    assert "a@b.c" not in str(caught.value)
