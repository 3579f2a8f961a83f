"""A deployed version is tried, and rolled back if it fails. AWS is a Stubber, SAM a list."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from function.bootstrap import build_handler
from segment_scorer.deploy.aws import open_client
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.trial import EVENT, StackState, TrialClients, plan_rollback, read_stack
from tools.release.stack import deploy_and_try, main, make_command

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scorer"
FORMER, NEW = (f"{REPOSITORY}@sha256:{digit * 64}" for digit in "01")
HOOK = "arn:aws:lambda:us-east-1:123456789012:function:scorer:live"
ENDPOINTS = json.loads(EVENT.read_bytes())["Endpoints"]
GIVEN = {"ScorerTarget": "localhost:1"}
FAILS = "the new version fails on the example event; its log says why"


class Account:
    """AWS with one stack, and SAM, which remembers its commands and fails when told to."""

    def __init__(self, cloudformation: Stubber, functions: Stubber) -> None:
        self.cloudformation, self.functions = cloudformation, functions
        self.clients = TrialClients(
            cloudformation=cloudformation.client, functions=functions.client
        )
        self.commands: list[Sequence[str]] = []
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
                "invoke", answer, {"FunctionName": HOOK, "Payload": EVENT.read_bytes()}
            )

    def run(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        if self.refuses and len(self.commands) == self.refuses:
            raise DeployError("sam could not deploy")

    def deploy(self) -> None:
        deploy_and_try("scorer", NEW, GIVEN, region=None, run=self.run, clients=self.clients)


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


@pytest.mark.parametrize("reply", [{}, ENDPOINTS])
def test_a_version_that_answers_stays(account: Account, reply: object) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(json.dumps(reply).encode())
    account.deploy()
    assert account.commands == [make_command("scorer", NEW, GIVEN)]


def test_the_function_itself_answers_the_example_as_it_is_asked_to(account: Account) -> None:
    account.has_no_stack()
    account.holds(NEW, **GIVEN)
    account.answers(
        json.dumps(
            build_handler({}, stream=io.StringIO())(json.loads(EVENT.read_bytes()), None)
        ).encode()
    )
    account.deploy()


@pytest.mark.parametrize(
    ("payload", "failed", "said"),
    [
        (b'{"errorType": "SettingsError"}', True, FAILS),
        (
            b'{"somebody": {}}',
            False,
            "the new version answers the example event with endpoints that are not in it",
        ),
        (
            b"null",
            False,
            "answers the example event with something other than an object of endpoints",
        ),
        (
            b"not JSON",
            False,
            "the new version answers the example event with something other than JSON",
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
    assert str(caught.value).startswith("the new version is live and fails on the example event")
    assert len(account.commands) == 1


def test_a_version_that_answers_at_the_third_attempt_stays_since_a_host_makes_as_many(
    account: Account,
) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(b"{}", failed=True, times=2)
    account.answers(b"{}")
    account.deploy()
    assert len(account.commands) == 1


def test_when_going_back_fails_too_the_new_version_is_said_to_be_live(account: Account) -> None:
    account.holds(ScorerTarget="bundled")
    account.holds(NEW, **GIVEN)
    account.answers(b"{}", failed=True, times=3)
    account.refuses = 2
    with pytest.raises(DeployError) as caught:
        account.deploy()
    assert "the new version is live and fails on the example event" in str(caught.value)
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
