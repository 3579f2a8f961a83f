"""Deploy by digest and redeploy: the commands, in order, and the message when a step fails."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from segment_scorer.deploy.errors import DeployError
from tests.templates import TEMPLATE, load_template
from tools.release.redeploy import RedeployStep, plan_steps, run_steps
from tools.release.sam_command import derive_revision, make_command, read_parameters

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/scorer"
IMAGE = f"{REPOSITORY}@sha256:{'0' * 64}"
OTHER = f"{REPOSITORY}@sha256:{'1' * 64}"


def test_the_stack_gets_the_image_by_digest_and_a_revision_of_its_own() -> None:
    command = make_command("scorer", IMAGE, {"MemorySize": "2048"})
    overrides = command[command.index("--parameter-overrides") + 1 :]
    revision = derive_revision(TEMPLATE.read_bytes(), IMAGE, {"MemorySize": "2048"})
    assert overrides == [
        f'ParameterKey=ImageUri,ParameterValue="{IMAGE}"',
        f'ParameterKey=Revision,ParameterValue="{revision}"',
        'ParameterKey=MemorySize,ParameterValue="2048"',
    ]
    assert command[command.index("--image-repository") + 1] == REPOSITORY


def test_the_stack_goes_to_the_region_that_holds_the_image_unless_told() -> None:
    for given, region in ((None, "us-east-1"), ("eu-west-1", "eu-west-1")):
        command = make_command("scorer", IMAGE, {}, region=given)
        assert command[command.index("--region") + 1] == region


def test_the_revision_changes_with_template_image_and_parameter_where_sam_reads_it() -> None:
    sized = {"MemorySize": "2048"}
    revisions = [
        derive_revision(b"", IMAGE, {}),
        derive_revision(b" ", IMAGE, {}),
        derive_revision(b"", OTHER, {}),
    ]
    revisions.append(derive_revision(b"", IMAGE, sized))
    assert len({revision[:10] for revision in revisions}) == 4
    assert derive_revision(b"", IMAGE, {"A": "1", "B": "2"}) == derive_revision(
        b"", IMAGE, {"B": "2", "A": "1"}
    )
    assert all(revision.isalnum() for revision in revisions)


def test_every_parameter_that_is_needed_is_given() -> None:
    needed = {
        name
        for name, parameter in load_template()["Parameters"].items()
        if "Default" not in parameter
    }
    assert needed == {"ImageUri", "Revision"}


@pytest.mark.parametrize(
    ("stack", "image", "parameters", "words"),
    [
        ("1scorer", IMAGE, {}, "STACK: expected letters, digits and dashes"),
        ("", IMAGE, {}, "STACK: expected letters, digits and dashes"),
        (
            "scorer",
            f"{REPOSITORY}:latest",
            {},
            "IMAGE: expected an image in ECR with its digest",
        ),
        ("scorer", "127.0.0.1:5000/scorer@sha256:" + "0" * 64, {}, "Lambda pulls from ECR only"),
        (
            "scorer",
            IMAGE,
            {"Revision": "1"},
            "expected parameters other than ImageUri and Revision",
        ),
        (
            "scorer",
            IMAGE,
            {"PinpointCampaignId": "c" * 32, "PinpointApplicationId": "*"},
            "PinpointApplicationId: expected the application .* found a wildcard",
        ),
        (
            "scorer",
            IMAGE,
            {"PinpointCampaignId": "c" * 32, "PinpointApplicationId": ""},
            "PinpointApplicationId: expected the application .* found nothing",
        ),
    ],
)
def test_what_cannot_be_deployed_is_refused_before_sam_starts(
    stack: str, image: str, parameters: dict[str, str], words: str
) -> None:
    with pytest.raises(DeployError, match=words):
        make_command(stack, image, parameters)


@pytest.mark.parametrize("given", [["MemorySize"], ["=1"], ["A=1", "A=2"]])
def test_parameters_are_names_with_values(given: list[str]) -> None:
    with pytest.raises(DeployError, match="expected every parameter as Name=value"):
        read_parameters(given)
    assert read_parameters(["ScorerTarget=dns:///a=b", "SegmentBucket="]) == {
        "ScorerTarget": "dns:///a=b",
        "SegmentBucket": "",
    }


def steps(*, retrain: bool = True, environ: dict[str, str] | None = None) -> list[RedeployStep]:
    data = (
        {"endpoints": ["a.jsonl.gz", "b.jsonl.gz"], "outcomes": "o.csv"}
        if retrain
        else {"endpoints": [], "outcomes": None}
    )
    return plan_steps("scorer", REPOSITORY, parameters=["MemorySize=2048"], environ=environ, **data)  # type: ignore[arg-type]


class Recorder:
    """Runs nothing: records commands, gives the planned statuses, prints an image for the push."""

    def __init__(self, *statuses: int, printed: str = OTHER + "\n") -> None:
        self.commands: list[list[str]] = []
        self.statuses = iter((*statuses, *([0] * 9)))
        self.printed = printed

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.commands.append(list(command))
        return subprocess.CompletedProcess(
            command,
            next(self.statuses),
            stdout=self.printed if "tools.release.push" in command else None,
        )


def test_a_redeploy_retrains_tests_pushes_and_deploys_what_was_pushed() -> None:
    run = Recorder()
    assert run_steps(steps(), run) == OTHER
    train, image_test, push, deploy = run.commands
    assert train[2:] == [
        *(
            "segment_scorer.cli.main",
            "train",
            "--endpoints",
            "a.jsonl.gz",
            "b.jsonl.gz",
            "--outcomes",
            "o.csv",
        ),
        *("--out", "model/artifact", "--against", "model/artifact", "--reserve", "0.2"),
    ]
    assert image_test == ["make", "image-test"]
    assert push[2:] == ["tools.release.push", "--repository", REPOSITORY]
    assert deploy[2:] == [
        "tools.release.stack",
        "--stack",
        "scorer",
        "--image",
        OTHER,
        "--parameter",
        "MemorySize=2048",
    ]


def test_the_image_that_the_environment_chooses_is_tested_and_pushed_by_the_shown_commands() -> (
    None
):
    run = Recorder()
    environ = {"TARGET": "", "FUNCTION_SET": "function-dynamodb", "ARCH": "arm64", "PATH": "/bin"}
    run_steps(steps(retrain=False, environ=environ), run)
    image_test, push, _ = run.commands
    assert image_test == ["make", "image-test", "FUNCTION_SET=function-dynamodb", "ARCH=arm64"]
    assert push[:3] == ["env", "FUNCTION_SET=function-dynamodb", "ARCH=arm64"]
    assert push[4:] == ["-m", "tools.release.push", "--repository", REPOSITORY]


def test_a_stack_is_not_given_the_scoring_service() -> None:
    with pytest.raises(DeployError, match="TARGET: expected function or function-sidecar"):
        steps(environ={"TARGET": "service", "ARCH": "arm64"})


def test_without_data_the_model_in_use_stays_and_the_rest_is_done() -> None:
    assert [step.name for step in steps(retrain=False)] == [
        "image and image test",
        "push",
        "deploy by digest",
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "the new model is worse than the current one"),
        (4, "no comparison can tell whether the new model is as good as the current one"),
    ],
)
def test_a_model_that_the_gate_keeps_out_stops_everything_and_is_said_to_be_that(
    status: int, words: str
) -> None:
    run = Recorder(status)
    with pytest.raises(DeployError) as caught:
        run_steps(steps(), run)
    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith("the current model stays, nothing was built")
    assert len(run.commands) == 1


@pytest.mark.parametrize(
    ("failing", "name", "result"),
    [
        (1, "retrain and gate", "the current model stays, nothing was built"),
        (2, "image and image test", "nothing was pushed or deployed"),
        (3, "push", "nothing was pushed or deployed"),
        (4, "deploy by digest", "the image is in the registry"),
    ],
)
def test_a_failing_step_stops_the_rest_and_says_what_was_done(
    failing: int, name: str, result: str
) -> None:
    run = Recorder(*([0] * (failing - 1)), 1)
    with pytest.raises(DeployError) as caught:
        run_steps(steps(), run)
    assert f"step {failing} of 4 failed ({name}; its message is above): {result}" in str(
        caught.value
    )
    assert len(run.commands) == failing


def test_a_push_that_prints_no_digest_deploys_nothing() -> None:
    run = Recorder(printed="done\n")
    with pytest.raises(DeployError, match="IMAGE: expected an image in ECR with its digest"):
        run_steps(steps(), run)
    assert len(run.commands) == 3


def test_a_campaign_without_its_application_is_refused_before_anything_is_trained() -> None:
    parameters = [f"PinpointCampaignId={'c' * 32}", "PinpointApplicationId=*"]
    with pytest.raises(
        DeployError,
        match="PinpointApplicationId: expected the application of PinpointCampaignId",
    ):
        plan_steps("scorer", REPOSITORY, endpoints=[], outcomes=None, parameters=parameters)


@pytest.mark.parametrize(
    ("stack", "repository", "endpoints", "outcomes", "words"),
    [
        ("", REPOSITORY, [], None, "STACK: expected"),
        ("scorer", "", [], None, "REPOSITORY: expected"),
        ("scorer", f"{REPOSITORY}:tag", [], None, "without a tag"),
        ("scorer", REPOSITORY, ["a.gz"], None, "expected ENDPOINTS and OUTCOMES together"),
        ("scorer", REPOSITORY, [], "o.csv", "expected ENDPOINTS and OUTCOMES together"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(
    stack: str, repository: str, endpoints: list[str], outcomes: str | None, words: str
) -> None:
    with pytest.raises(DeployError, match=words):
        plan_steps(stack, repository, endpoints=endpoints, outcomes=outcomes, parameters=[])
