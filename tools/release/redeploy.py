"""`make redeploy`: retrain behind the gate, build and test the image, push it, deploy it by its digest. Stops at the first step that fails.

Each step is a command that can also be typed; `--dry-run` shows them. Nothing is deployed that has not passed every step before.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import SegmentScorerError
from segment_scorer.deploy.errors import DeployError
from tools.image.build import VARIANTS, name_variant
from tools.release.stack import IMAGE, STACK, check_parameters, make_command, read_parameters

ROOT = Path(__file__).parents[2]
BUNDLE = "model/artifact"
WORSE = 3  # status of `train --against` when the new model is worse than the one in use
RESERVE = "0.2"
PUSHED = "REPOSITORY@sha256:DIGEST"  # stands for what the push will print
Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it is called, its command, and what stands when it fails."""

    name: str
    command: tuple[str, ...]
    stands: str


def plan_steps(
    stack: str,
    repository: str,
    *,
    endpoints: Sequence[str],
    outcomes: str | None,
    parameters: Sequence[str],
    environ: Mapping[str, str] | None = None,
) -> list[Step]:
    """The steps in order. Without endpoints and outcomes there is nothing to retrain on and the model in use stays.

    What of `environ` chooses the image (TARGET, FUNCTION_SET, ARCH) stands in the commands that test and push it.
    """
    chosen = [f"{name}={value}" for name in VARIANTS if (value := (environ or {}).get(name))]
    if name_variant(environ or {}).startswith("service"):
        raise DeployError(
            "expected TARGET to be function or function-sidecar: the stack runs a function, not the scoring service"
        )
    if not STACK.fullmatch(stack):
        raise DeployError(
            "expected STACK to be a stack's name: letters, digits and dashes, a letter first"
        )
    if not IMAGE.fullmatch(f"{repository}@sha256:{'0' * 64}"):
        raise DeployError(
            "expected REPOSITORY to be ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME without a tag; Lambda pulls from ECR only"
        )
    if bool(endpoints) != bool(outcomes):
        raise DeployError(
            "expected ENDPOINTS and OUTCOMES together, to retrain; or neither, to keep the model in use"
        )
    check_parameters(read_parameters(parameters))
    prefix, python = ("env", *chosen) if chosen else (), sys.executable
    train = (
        python,
        "-m",
        "segment_scorer.cli.main",
        "train",
        "--endpoints",
        *endpoints,
        "--outcomes",
        str(outcomes),
        "--out",
        BUNDLE,
        "--against",
        BUNDLE,
        "--reserve",  # people whom neither model has learnt from: on any others the one in use would flatter itself
        RESERVE,
    )
    deploy = (
        python,
        "-m",
        "tools.release.stack",
        "--stack",
        stack,
        "--image",
        PUSHED,
        *(word for each in parameters for word in ("--parameter", each)),
    )
    kept = f"nothing was pushed or deployed; a new model, if there is one, is in {BUNDLE} (git restore {BUNDLE} brings the former back)"
    return [
        *(
            [
                Step(
                    name="retrain and gate",
                    command=train,
                    stands="the model in use stays, and nothing was built",
                )
            ]
            if endpoints
            else []
        ),
        Step(name="image and image test", command=("make", "image-test", *chosen), stands=kept),
        Step(
            name="push",
            command=(*prefix, python, "-m", "tools.release.push", "--repository", repository),
            stands=kept,
        ),
        Step(
            name="deploy by digest",
            command=deploy,
            stands="the image is in the registry; what the stack serves is said above",
        ),
    ]


def run_steps(steps: Sequence[Step], run: Run) -> str:
    """Run every step, and give the image that was deployed. Raises DeployError naming the step that failed and what stands."""
    image = ""
    for number, step in enumerate(steps, 1):
        command = [image if word == PUSHED else word for word in step.command]
        print(
            f"redeploy: step {number} of {len(steps)}, {step.name}: {shlex.join(command)}",
            file=sys.stderr,
        )
        done = run(command)
        if done.returncode == WORSE and "--against" in command:
            raise DeployError(
                f"the new model is worse than the one in use, as said above: {step.stands}"
            )
        if done.returncode:
            raise DeployError(
                f"step {number} of {len(steps)} failed ({step.name}), and says why above: {step.stands}"
            )
        if step.name == "push":
            image = done.stdout.strip()
            make_command("check", image, {})  # what was printed is an image by its digest
    return image


def run_command(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run one step in the project's folder. Of a Python step, standard output is kept; the rest is shown as it comes."""
    keep = subprocess.PIPE if "tools.release.push" in command else 2
    return subprocess.run(command, cwd=ROOT, stdout=keep, text=True, check=False)


def main() -> int:
    """Run the command; one sentence and status 1 for an error raised on purpose."""
    parser = argparse.ArgumentParser(
        description="Retrain behind the gate, build, test, push, and deploy by digest."
    )
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--repository", required=True, help="ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME"
    )
    parser.add_argument(
        "--endpoints",
        nargs="*",
        default=[],
        help="endpoints to retrain on; without them the model in use stays",
    )
    parser.add_argument("--outcomes", help="who responded")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of segment_scorer/deploy/template.yaml",
    )
    parser.add_argument("--dry-run", action="store_true", help="show each step and run none")
    options = parser.parse_args()
    try:
        steps = plan_steps(
            options.stack,
            options.repository,
            endpoints=options.endpoints,
            outcomes=options.outcomes,
            parameters=options.parameter,
            environ=os.environ,
        )
        if options.dry_run:
            for number, step in enumerate(steps, 1):
                print(f"{number}. {step.name}: {shlex.join(step.command)}")
            return 0
        print(run_steps(steps, run_command))
    except SegmentScorerError as error:
        print(f"redeploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
