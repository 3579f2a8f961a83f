"""`make deploy`: deploy the stack of template.yaml with an image named by its digest, with SAM.

A rollback is the same command with an earlier digest. Parameters that are not given keep their
values. The deployed function is judged by the golden answers of this tree; if it fails, the
previous image and parameters are deployed again. Never builds or pushes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model.errors import SegmentScorerError
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.golden import Golden
from segment_scorer.deploy.trial import (
    TrialClients,
    open_clients,
    plan_rollback,
    read_stack,
    try_hook,
)
from tools.release.golden import EVENT, make_tree_golden

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "segment_scorer" / "deploy" / "template.yaml"
SAM = ROOT / ".cache" / "sam" / "bin" / "sam"
IMAGE = re.compile(
    r"(?P<repository>\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+)"
    r"@sha256:[0-9a-f]{64}"
)
STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
PARAMETER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*)=(?P<value>.*)")
DERIVED = {"ImageUri", "Revision"}  # parameters that follow from the image
Run = Callable[[Sequence[str]], None]


def make_command(
    stack: str,
    image: str,
    parameters: Mapping[str, str],
    *,
    region: str | None = None,
    plan: bool = False,
) -> list[str]:
    """SAM's command for this stack, image and parameters.

    region  default: the image's, since Lambda pulls only from its own region
    plan    whether to stop at the change set

    Raises DeployError for a stack, image or parameter that cannot be deployed.
    """
    check_stack(stack)
    found = IMAGE.fullmatch(image)
    if found is None:
        raise DeployError(
            "IMAGE: expected an image in ECR with its digest, as `make push` prints it; "
            "Lambda pulls from ECR only"
        )
    if DERIVED & set(parameters):
        raise DeployError(
            f"expected parameters other than {' and '.join(sorted(DERIVED))}, "
            "which follow from the image"
        )
    check_parameters(parameters)
    overrides = {
        "ImageUri": image,
        "Revision": derive_revision(TEMPLATE.read_bytes(), image, parameters),
        **parameters,
    }
    return [
        *(str(SAM), "deploy", "--template-file", str(TEMPLATE), "--stack-name", stack),
        *("--image-repository", found["repository"], "--capabilities", "CAPABILITY_IAM"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        *(["--no-execute-changeset"] if plan else []),
        *("--region", region or found["region"]),
        *(
            "--parameter-overrides",
            *(
                f"ParameterKey={name},ParameterValue={quote(value)}"
                for name, value in overrides.items()
            ),
        ),
    ]


def quote(value: str) -> str:
    """A parameter's value, quoted for SAM's command line."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def derive_revision(template: bytes, image: str, parameters: Mapping[str, str]) -> str:
    """A text that changes with the template, the image or a parameter.

    SAM then publishes a new version for each change. It uses the first ten characters.
    """
    content = "\n".join(
        [
            hashlib.sha256(template).hexdigest(),
            image,
            *(f"{name}={value}" for name, value in sorted(parameters.items())),
        ]
    )
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def check_parameters(parameters: Mapping[str, str]) -> None:
    """Raise DeployError for a campaign with an empty or wildcard application.

    A parameter that is not given keeps its value, so it is not checked here. The template has the
    same rule, but CloudFormation applies it only after everything was trained, built and pushed.
    """
    application = parameters.get("PinpointApplicationId")
    if parameters.get("PinpointCampaignId") and application in {"", "*"}:
        raise DeployError(
            "PinpointApplicationId: expected the application of PinpointCampaignId, "
            f"found {'nothing' if not application else 'a wildcard'}"
        )


def check_stack(stack: str) -> None:
    """Raise DeployError unless CloudFormation accepts this as the name of a stack."""
    if not STACK.fullmatch(stack):
        raise DeployError("STACK: expected letters, digits and dashes, beginning with a letter")


def read_parameters(given: Sequence[str]) -> dict[str, str]:
    """Read `Name=value` texts. Raises DeployError for another form and for a repeated name."""
    found = [PARAMETER.fullmatch(text) for text in given]
    parameters = {each["name"]: each["value"] for each in found if each}
    if len(parameters) != len(given):
        raise DeployError(
            "expected every parameter as Name=value, each name once; "
            "segment_scorer/deploy/template.yaml describes them"
        )
    return parameters


def deploy_stack(command: Sequence[str]) -> None:
    """Run SAM, with its output on stderr. Raises DeployError when it fails."""
    if not SAM.exists():
        raise DeployError(
            "expected SAM's command line in .cache/sam, found none; use `make deploy`, or run "
            "`make .cache/sam/ready` first"
        )
    environ = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, env=environ, stdout=2, check=False)  # 2: stderr
    if done.returncode:
        raise DeployError(
            "sam could not deploy (its message is above); CloudFormation rolls a failed update "
            "back, so the previous version still serves"
        )


def deploy_and_try(
    stack: str,
    image: str,
    parameters: Mapping[str, str],
    *,
    region: str | None,
    run: Run,
    clients: TrialClients,
    golden: Golden,
) -> None:
    """Deploy, try the new version, and if it fails deploy the previous image and parameters again.

    Raises DeployError, which reports the version that is live, when the deployment or the new
    version fails.
    """
    previous = read_stack(clients.cloudformation, stack)
    run(make_command(stack, image, parameters, region=region))
    present = read_stack(clients.cloudformation, stack)
    problem = (
        "has no hook in the stack's outputs"
        if present is None
        else try_hook(clients.functions, present.hook, golden)
    )
    if problem is None:
        return
    rollback = plan_rollback(previous, image, parameters)
    if previous is None or rollback is None:
        raise DeployError(
            f"the new version is live and {problem}; there is no known previous image and "
            "parameters to return to: fix it now"
        )
    print(f"deploy: the new version {problem}; rolling back", file=sys.stderr)
    try:
        run(make_command(stack, *rollback, region=region))
    except DeployError as error:
        raise DeployError(
            f"the new version is live and {problem}; rolling back failed too (the message is "
            "above): deploy the previous image"
        ) from error
    # The previous image may have another model, so any answer of the right form does.
    again = try_hook(clients.functions, previous.hook, replace(golden, expected=None))
    if again:
        raise DeployError(
            f"the new version {problem}; the previous image and parameters are deployed again, but "
            f"with this template the function {again} too: check out the previous commit and deploy"
        )
    raise DeployError(
        f"the new version {problem}; the previous image and parameters are deployed again and work"
    )


def main() -> int:
    """Run the command; give the exit status (1 and one sentence for an expected error)."""
    parser = argparse.ArgumentParser(
        description="Deploy the stack with an image named by its digest: a new or an earlier one."
    )
    parser.add_argument("--stack", required=True, help="the stack's name; created if missing")
    parser.add_argument(
        "--image", required=True, help="REPOSITORY@sha256:DIGEST, as `make push` prints it"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of segment_scorer/deploy/template.yaml",
    )
    parser.add_argument("--region", help="AWS region (default: the image's)")
    parser.add_argument(
        "--plan", action="store_true", help="create the change set, show it, and stop"
    )
    parser.add_argument("--dry-run", action="store_true", help="show SAM's command, run nothing")
    parser.add_argument(
        "--event",
        type=Path,
        default=EVENT,
        help="the golden event, which this tree's function and the deployed one answer alike",
    )
    parser.add_argument(
        "--any-answer",
        action="store_true",
        help="accept any reply of the right form: for an image of another commit",
    )
    options = parser.parse_args()
    try:
        parameters = read_parameters(options.parameter)
        command = make_command(
            options.stack, options.image, parameters, region=options.region, plan=options.plan
        )
        if options.dry_run:
            print(shlex.join(command))
        elif options.plan:
            deploy_stack(command)
        else:
            golden = make_tree_golden(os.environ, options.event)
            clients = open_clients(command[command.index("--region") + 1])
            deploy_and_try(
                options.stack,
                options.image,
                parameters,
                region=options.region,
                run=deploy_stack,
                clients=clients,
                golden=replace(golden, expected=None) if options.any_answer else golden,
            )
    except SegmentScorerError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
