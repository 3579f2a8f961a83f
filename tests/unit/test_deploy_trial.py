"""A deployed version is tried, and rolled back if it fails. AWS is a Stubber, SAM a list."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from function.bootstrap import build_handler
from segment_scorer.deploy import golden as golden_module
from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.golden import Golden, judge_reply, make_golden
from segment_scorer.deploy.trial import StackState, TrialClients, plan_rollback, read_stack
from tools.release.golden import EVENT, make_tree_golden
from tools.release.sam_command import make_command
from tools.release.stack import deploy_and_try, main

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scorer"
FORMER, NEW = (f"{REPOSITORY}@sha256:{digit * 64}" for digit in "01")
HOOK = "arn:aws:lambda:us-east-1:123456789012:function:scorer:live"
GOLDEN = make_tree_golden({})
ENDPOINTS = GOLDEN.event["Endpoints"]
GIVEN = {"ScorerTarget": "localhost:1"}
FAILS = "the new version fails on the golden event; its log says why"


class Account:
    """AWS with one stack, and SAM, which remembers its commands and fails when told to."""

    def __init__(self, cloudformation: Stubber, functions: Stubber) -> None:
        self.cloudformation, self.functions = cloudformation, functions
        self.clients = TrialClients(
            cloudformation=cloudformation.client, functions=functions.client
        )
        self.commands: list[Sequence[str]] = []
        self.prepared: list[Golden] = []
        self.refuses = 0  # the number of the command that fails

    def holds(self, image: str = FORMER, **parameters: str) -> None:
        given = [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {"ImageUri": image, **parameters}.items()
        ]
        stack = {
            "StackName": "scorer",
            "CreationTime": 0,
            "StackStatus": "UPDATE_COMPLETE",
            "Parameters": given,
        }
        outputs = [{"OutputKey": "HookArn", "OutputValue": HOOK}]
        self.cloudformation.add_response(
            "describe_stacks", {"Stacks": [{**stack, "Outputs": outputs}]}, {"StackName": "scorer"}
        )

    def has_no_stack(self) -> None:
        said = "Stack with id scorer does not exist"
        self.cloudformation.add_client_error(
            "describe_stacks", "ValidationError", said, http_status_code=400
        )

    def answers(self, payload: bytes, *, failed: bool = False, times: int = 1) -> None:
        for _ in range(times):
            answer = {
                "Payload": StreamingBody(io.BytesIO(payload), len(payload)),
                **({"FunctionError": "Unhandled"} if failed else {}),
            }
            self.functions.add_response(
                "invoke",
                answer,
                {"FunctionName": HOOK, "Payload": json.dumps(GOLDEN.event).encode()},
            )

    def run(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        if self.refuses and len(self.commands) == self.refuses:
            raise DeployError("sam could not deploy")

    def deploy(self) -> None:
        deploy_and_try(
            "scorer",
            NEW,
            GIVEN,
            region=None,
            run=self.run,
            clients=self.clients,
            golden=GOLDEN,
            prepare=self.prepared.append,
        )


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    clients = [
        open_client(name, region="us-east-1", endpoint_url=None)
        for name in ("cloudformation", "lambda")
    ]
    with Stubber(clients[0]) as cloudformation, Stubber(clients[1]) as functions:
        yield Account(cloudformation, functions)
        cloudformation.assert_no_pending_responses()
        functions.assert_no_pending_responses()


RIGHT = build_handler({}, stream=io.StringIO())(json.loads(EVENT.read_bytes()), None)


def change_scores(by: float) -> dict[str, Any]:
    """The right reply with other scores."""
    reply: dict[str, Any] = json.loads(json.dumps(RIGHT))
    for endpoint in reply.values():
        endpoint["Attributes"]["Score"] = [f"{float(endpoint['Attributes']['Score'][0]) + by:.4f}"]
    return reply


@pytest.mark.parametrize("by", [0.0, 0.0001])  # another processor may round the last decimal up
def test_a_version_with_the_golden_answers_stays(account: Account, by: float) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(json.dumps(change_scores(by)).encode())
    account.deploy()
    assert account.commands == [make_command("scorer", NEW, GIVEN)]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({}, "expected 3 endpoints, 3 of them missing, found 0 others"),
        (ENDPOINTS, "expected 3 endpoints, 0 of them missing, found 2 others"),
        ({name: RIGHT[name] for name in list(RIGHT)[:2]}, "1 of them missing, found 0 others"),
        ({name: ENDPOINTS[name] for name in RIGHT}, "3 of 3 endpoints differ"),
        (change_scores(0.0003), "3 of 3 endpoints differ"),
        ({**RIGHT, next(iter(RIGHT)): "no object"}, "1 of 3 endpoints differ"),
    ],
)
def test_a_subset_of_the_event_is_not_enough_to_stay(
    account: Account, reply: object, said: str
) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(json.dumps(reply).encode(), times=3)
    account.answers(b"{}")  # the previous version may have another model
    with pytest.raises(DeployError) as caught:
        account.deploy()
    assert said in str(caught.value)
    assert not any(name in str(caught.value) for name in ENDPOINTS)
    assert len(account.commands) == 2


def test_the_golden_event_has_people_to_keep_and_people_to_drop() -> None:
    assert GOLDEN.expected is not None
    assert 0 < len(GOLDEN.expected) < len(ENDPOINTS)
    assert all(set(each) == {"Score"} for each in GOLDEN.expected.values())


def test_the_golden_answers_follow_the_policy_and_the_event_that_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('mode = "annotate"\nscore_attribute = "Rank"\n')
    golden = make_tree_golden({"SCORER_POLICY": str(policy), "SCORER_TARGET": "elsewhere:1"})
    assert golden.expected is not None
    assert set(golden.expected) == set(ENDPOINTS)
    assert all(set(each) == {"Rank"} for each in golden.expected.values())
    event = tmp_path / "event.json"
    event.write_text('{"Endpoints": {}}')
    assert make_tree_golden({}, event).expected == {}
    assert "a function that keeps no one would pass" in capsys.readouterr().err
    for text in ("[]", "no JSON", '{"Endpoints": []}'):
        event.write_text(text)
        with pytest.raises(DeployError, match="golden event"):
            make_tree_golden({}, event)


def test_a_pre_traffic_hook_can_judge_with_its_file_and_the_standard_library_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "golden.json").write_text(GOLDEN.dump())
    shutil.copy(golden_module.__file__, tmp_path)
    program = """
import io, json, sys
sys.path = [name for name in sys.path if "site-packages" not in name]
from golden import read_golden, try_version
class Client:
    def invoke(self, FunctionName, Payload):
        assert FunctionName == "scorer:8"
        return {"Payload": io.BytesIO(sys.argv[1].encode())}
golden = read_golden(open("golden.json").read())
verdict = try_version(Client(), "scorer:8", golden)
print(verdict.passed, verdict.problem)
"""
    said = [
        subprocess.run(
            [sys.executable, "-S", "-c", program, json.dumps(reply)],
            cwd=tmp_path,
            env={},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for reply in (RIGHT, {})
    ]
    assert said[0] == "True None"
    assert said[1].startswith("False decides differently from the golden answers")
    with pytest.raises(ValueError, match="an object with event and expected"):
        golden_module.read_golden("[]")
    assert golden_module.read_golden(GOLDEN.dump()) == GOLDEN


def test_the_function_itself_gives_the_golden_answers(account: Account) -> None:
    account.has_no_stack()
    account.holds(NEW, **GIVEN)
    account.answers(json.dumps(RIGHT).encode())
    account.deploy()


@pytest.mark.parametrize(
    ("payload", "failed", "said"),
    [
        (b'{"errorType": "SettingsError"}', True, FAILS),
        (
            b'{"somebody": {}}',
            False,
            "the new version answers the golden event with endpoints that are not in it",
        ),
        (
            b"null",
            False,
            "answers the golden event with something other than an object of endpoints",
        ),
        (
            b"not JSON",
            False,
            "the new version answers the golden event with something other than JSON",
        ),
    ],
)
def test_a_version_that_does_not_answer_is_replaced_by_what_was_there(
    account: Account, payload: bytes, failed: bool, said: str
) -> None:
    account.holds(ScorerTarget="bundled", MemorySize="2048")
    account.holds(NEW, **GIVEN)
    account.answers(payload, failed=failed, times=3)
    account.answers(b"{}")
    with pytest.raises(DeployError) as caught:
        account.deploy()
    assert said in str(caught.value)
    assert str(caught.value).endswith(
        "; the previous image and parameters are deployed again and work"
    )
    assert account.commands == [
        make_command("scorer", NEW, GIVEN),
        make_command("scorer", FORMER, {"ScorerTarget": "bundled"}),
    ]
    # The former image may have another model, so its trial takes any answer of the right form.
    assert account.prepared == [GOLDEN, replace(GOLDEN, expected=None)]


def test_when_the_former_image_does_not_answer_either_the_template_is_to_blame(
    account: Account,
) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(b"{}", failed=True, times=6)
    with pytest.raises(DeployError, match="too: check out the previous commit"):
        account.deploy()


def test_a_first_version_that_does_not_answer_is_said_to_be_live(account: Account) -> None:
    account.has_no_stack()
    account.holds(NEW, **GIVEN)
    account.answers(b"{}", failed=True, times=3)
    with pytest.raises(DeployError) as caught:
        account.deploy()
    assert str(caught.value).startswith("the new version is live and fails on the golden event")
    assert len(account.commands) == 1


def test_a_version_that_answers_at_the_third_attempt_stays_since_a_host_makes_as_many(
    account: Account,
) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(b"{}", failed=True, times=2)
    account.answers(json.dumps(RIGHT).encode())
    account.deploy()
    assert len(account.commands) == 1


def test_when_going_back_fails_too_the_new_version_is_said_to_be_live(account: Account) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(b"{}", failed=True, times=3)
    account.refuses = 2
    with pytest.raises(DeployError) as caught:
        account.deploy()
    assert "the new version is live and fails on the golden event" in str(caught.value)
    assert "rolling back failed too" in str(caught.value)
    assert str(caught.value).endswith("deploy the previous image")


def test_who_may_not_invoke_is_told_that_it_was_deployed_and_not_tried(account: Account) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.functions.add_client_error("invoke", "AccessDeniedException")
    with pytest.raises(DeployError) as caught:
        account.deploy()
    assert str(caught.value).startswith(
        "deployed, but not tried: these credentials may not invoke the new version"
    )
    assert len(account.commands) == 1


def test_what_sam_refuses_is_not_asked(account: Account) -> None:
    account.holds(ScorerTarget="bundled")
    account.refuses = 1
    with pytest.raises(DeployError, match="sam could not deploy"):
        account.deploy()


def test_the_command_reads_the_stack_before_it_starts_sam(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setattr("sys.argv", ["deploy", "--stack", "scorer", "--image", NEW])
    assert main() == 1
    assert capsys.readouterr().err.startswith("deploy: expected valid AWS credentials")


def test_a_stack_without_a_hook_holds_nothing_and_an_error_is_one_sentence(
    account: Account,
) -> None:
    stack = {"StackName": "scorer", "CreationTime": 0, "StackStatus": "ROLLBACK_COMPLETE"}
    account.cloudformation.add_response("describe_stacks", {"Stacks": [stack]})
    assert read_stack(account.clients.cloudformation, "scorer") is None
    account.cloudformation.add_client_error("describe_stacks", "AccessDenied")
    with pytest.raises(DeployError, match="these credentials may not read the stack"):
        read_stack(account.clients.cloudformation, "scorer")


@pytest.mark.parametrize(
    ("former", "given", "back"),
    [
        ({"ImageUri": FORMER}, {}, (FORMER, {})),
        ({"ImageUri": NEW, "ScorerTarget": ""}, GIVEN, (NEW, {"ScorerTarget": ""})),
        ({"ImageUri": NEW, **GIVEN}, GIVEN, None),  # the template alone changed
        ({"ImageUri": FORMER}, GIVEN, None),  # a parameter that the former template did not have
        ({}, {}, None),
    ],
)
def test_the_way_back_is_the_former_image_and_the_former_values_of_what_was_given(
    former: dict[str, str], given: dict[str, str], back: tuple[str, dict[str, str]] | None
) -> None:
    assert plan_rollback(StackState(hook=HOOK, parameters=former), NEW, given) == back


@pytest.mark.parametrize(
    ("score", "is_right"), [("-0.0213", True), ("-0.0214", True), ("0.0213", False), ("x", False)]
)
def test_golden_answers_of_effects_are_judged_with_their_sign(
    score: str, *, is_right: bool
) -> None:
    event = {"Endpoints": {"a": {"Attributes": {}}}}
    golden = make_golden(event, {"a": {"Attributes": {"Score": ["-0.0213"]}}})
    reply = json.dumps({"a": {"Attributes": {"Score": [score]}}}).encode()
    assert (judge_reply(reply, golden) is None) == is_right
