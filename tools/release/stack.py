"""`make deploy`: the stack of segment_scorer/deploy/template.yaml with an image named by its digest, through SAM's own command line.

Also the way back: the same command with an earlier digest. Parameters not given keep the values they have. What was deployed is asked
an example, and taken back when it does not answer. Never builds or pushes.
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
from pathlib import Path

from model.errors import SegmentScorerError
from segment_scorer.deploy.errors import DeployError
from segment_scorer.deploy.trial import (
    TrialClients,
    open_clients,
    plan_rollback,
    read_stack,
    try_hook,
)

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "segment_scorer" / "deploy" / "template.yaml"
SAM = ROOT / ".cache" / "sam" / "bin" / "sam"
IMAGE = re.compile(
    r"(?P<repository>\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+)@sha256:[0-9a-f]{64}"
)
STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
PARAMETER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*)=(?P<value>.*)")
OURS = {"ImageUri", "Revision"}
Run = Callable[[Sequence[str]], None]


def make_command(
    stack: str,
    image: str,
    parameters: Mapping[str, str],
    *,
    region: str | None = None,
    plan: bool = False,
) -> list[str]:
    """SAM's command for this stack, image and parameters; with `plan` it stops at the change set.

    Without a region it is the image's, from which alone Lambda pulls.
    """
    if not STACK.fullmatch(stack):
        raise DeployError(
            "expected STACK to be a stack's name: letters, digits and dashes, a letter first"
        )
    found = IMAGE.fullmatch(image)
    if found is None:
        raise DeployError(
            "expected IMAGE to be an image in ECR by its digest, as `make push` prints it; Lambda pulls from ECR only"
        )
    if OURS & set(parameters):
        raise DeployError(
            f"expected parameters other than {' and '.join(sorted(OURS))}, which follow from the image"
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
    """A parameter's value as SAM's command line reads it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def derive_revision(template: bytes, image: str, parameters: Mapping[str, str]) -> str:
    """A text that changes when the template, the image or a parameter does, so that SAM publishes a new version for each.

    SAM makes the version's name of its first ten characters.
    """
    said = "\n".join(
        [
            hashlib.sha256(template).hexdigest(),
            image,
            *(f"{name}={value}" for name, value in sorted(parameters.items())),
        ]
    )
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def check_parameters(parameters: Mapping[str, str]) -> None:
    """Raise DeployError for a campaign without its application, as far as can be seen here: one not given keeps its value.

    The template's rules say it to CloudFormation too; here it is said before anything is trained, built or pushed.
    """
    if parameters.get("PinpointCampaignId") and parameters.get("PinpointApplicationId") in {
        "",
        "*",
    }:
        raise DeployError(
            "expected PinpointApplicationId to be the application of PinpointCampaignId, and neither empty nor *"
        )


def read_parameters(given: Sequence[str]) -> dict[str, str]:
    """Read `Name=value` texts."""
    found = [PARAMETER.fullmatch(text) for text in given]
    parameters = {each["name"]: each["value"] for each in found if each}
    if len(parameters) != len(given):
        raise DeployError(
            "expected every parameter as Name=value, each name once; segment_scorer/deploy/template.yaml describes them"
        )
    return parameters


def deploy_stack(command: Sequence[str]) -> None:
    """Run SAM; what it says goes to standard error. Raises DeployError when it fails."""
    if not SAM.exists():
        raise DeployError(
            "expected SAM's command line; run `make .cache/sam/ready`, or use `make deploy`"
        )
    done = subprocess.run(
        command, env={**os.environ, "SAM_CLI_TELEMETRY": "0"}, stdout=2, check=False
    )  # 2: standard error
    if done.returncode:
        raise DeployError(
            "sam could not deploy, and says why above; CloudFormation rolls a failed update back, so the former version still serves"
        )


def deploy_and_ask(
    stack: str,
    image: str,
    parameters: Mapping[str, str],
    *,
    region: str | None,
    run: Run,
    clients: TrialClients,
) -> None:
    """Deploy, ask the new version once, and when it does not answer deploy again what was there before.

    Raises DeployError, saying what stands, when the deployment or the new version fails.
    """
    former = read_stack(clients.cloudformation, stack)
    run(make_command(stack, image, parameters, region=region))
    present = read_stack(clients.cloudformation, stack)
    problem = "is not to be found" if present is None else try_hook(clients.functions, present.hook)
    if problem is None:
        return
    back = plan_rollback(former, image, parameters)
    if back is None:
        raise DeployError(
            f"the new version is live and {problem}; no former image and parameters are known to go back to, so mend it now"
        )
    print(
        f"deploy: the new version {problem}; going back to the former image and parameters",
        file=sys.stderr,
    )
    try:
        run(make_command(stack, *back, region=region))
    except DeployError as error:
        raise DeployError(
            f"the new version is live and {problem}; going back failed too, as said above: deploy the former image"
        ) from error
    again = None if former is None else try_hook(clients.functions, former.hook)
    outcome = "the former image and parameters are deployed again and answer"
    if again:
        outcome = f"the former image and parameters, deployed again under this template, {again} too: go back to the former commit"
    raise DeployError(f"the new version {problem}; {outcome}")


def main() -> int:
    """Run the command; one sentence and status 1 for an error raised on purpose."""
    parser = argparse.ArgumentParser(
        description="Deploy the stack with an image named by its digest, or go back to an earlier one."
    )
    parser.add_argument("--stack", required=True, help="the stack's name; made when there is none")
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
    parser.add_argument(
        "--region", help="AWS region; default: the image's, from which alone Lambda pulls"
    )
    parser.add_argument(
        "--plan", action="store_true", help="make the change set, show it, and stop"
    )
    parser.add_argument("--dry-run", action="store_true", help="show SAM's command and run nothing")
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
            clients = open_clients(command[command.index("--region") + 1])
            deploy_and_ask(
                options.stack,
                options.image,
                parameters,
                region=options.region,
                run=deploy_stack,
                clients=clients,
            )
    except SegmentScorerError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
