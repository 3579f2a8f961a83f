"""`make redeploy`: retrain behind the gate, build and test the image, push it, deploy it.

Stops at the first step that fails. Each step is a command that can also be typed; `--dry-run`
shows them.
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
from tools.release.sam_command import (
    IMAGE,
    check_parameters,
    check_stack,
    make_command,
    read_parameters,
)

ROOT = Path(__file__).parents[2]
BUNDLE = "model/artifact"
# Exit status of `train --against` when the gate keeps the current model -> why
KEPT = {
    3: "the new model is worse than the current one",
    4: "no comparison can tell whether the new model is as good as the current one",
}
RESERVE = "0.2"
PUSHED = "REPOSITORY@sha256:DIGEST"  # placeholder for the image that the push prints
Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeployStep:
    """One step. `if_failed` says what was and was not done when it fails."""

    name: str
    command: tuple[str, ...]
    if_failed: str


def plan_steps(
    stack: str,
    repository: str,
    *,
    endpoints: Sequence[str],
    outcomes: str | None,
    parameters: Sequence[str],
    environ: Mapping[str, str] | None = None,
) -> list[RedeployStep]:
    """The steps in order. Without endpoints and outcomes the current model stays.

    TARGET, FUNCTION_SET and ARCH of `environ` are written into the commands that test and push the
    image. Raises DeployError for arguments that a later step would refuse.
    """
    chosen = [f"{name}={value}" for name in VARIANTS if (value := (environ or {}).get(name))]
    if name_variant(environ or {}).startswith("service"):
        raise DeployError(
            "TARGET: expected function or function-sidecar, found the scoring service; "
            "the stack runs a function"
        )
    check_stack(stack)
    if not IMAGE.fullmatch(f"{repository}@sha256:{'0' * 64}"):
        raise DeployError(
            "REPOSITORY: expected ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME without a tag; "
            "Lambda pulls from ECR only"
        )
    if bool(endpoints) != bool(outcomes):
        raise DeployError(
            "expected ENDPOINTS and OUTCOMES together, to retrain, or neither, to keep the "
            "current model; found one of them"
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
        # Compare on people unknown to both models; on its own people the current one looks better.
        "--reserve",
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
    not_pushed = (
        f"nothing was pushed or deployed; a retrained model is in {BUNDLE} "
        f"(git restore {BUNDLE} brings the previous one back)"
    )
    retrain = RedeployStep(
        name="retrain and gate",
        command=train,
        if_failed="the current model stays, nothing was built",
    )
    return [
        *([retrain] if endpoints else []),
        RedeployStep(
            name="image and image test",
            command=("make", "image-test", *chosen),
            if_failed=not_pushed,
        ),
        RedeployStep(
            name="push",
            command=(*prefix, python, "-m", "tools.release.push", "--repository", repository),
            if_failed=not_pushed,
        ),
        RedeployStep(
            name="deploy by digest",
            command=deploy,
            if_failed="the image is in the registry; the message above says which version is live",
        ),
    ]


def run_steps(steps: Sequence[RedeployStep], run: Run) -> str:
    """Run every step; give the image that was deployed.

    Raises DeployError that names the step that failed and what was done before it.
    """
    image = ""
    for number, step in enumerate(steps, 1):
        command = [image if word == PUSHED else word for word in step.command]
        print(
            f"redeploy: step {number} of {len(steps)}, {step.name}: {shlex.join(command)}",
            file=sys.stderr,
        )
        done = run(command)
        if done.returncode in KEPT and "--against" in command:
            raise DeployError(f"{KEPT[done.returncode]} (the figures are above): {step.if_failed}")
        if done.returncode:
            raise DeployError(
                f"step {number} of {len(steps)} failed ({step.name}; its message is above): "
                f"{step.if_failed}"
            )
        if step.name == "push":
            image = done.stdout.strip()
            make_command("check", image, {})  # refuses output that is no image with a digest
    return image


def run_command(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run one step in the project's folder. Only the push's stdout is kept; the rest is shown."""
    keep = subprocess.PIPE if "tools.release.push" in command else 2
    return subprocess.run(command, cwd=ROOT, stdout=keep, text=True, check=False)


def main() -> int:
    """Run the command; give the exit status (1 and one sentence for an expected error)."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.redeploy",
        description="Retrain behind the gate, build, test, push, and deploy by digest.",
    )
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--repository", required=True, help="ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME"
    )
    parser.add_argument(
        "--endpoints",
        nargs="*",
        default=[],
        help="endpoints to retrain on (default: the current model stays)",
    )
    parser.add_argument("--outcomes", help="outcomes to retrain on: who responded")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of segment_scorer/deploy/template.yaml",
    )
    parser.add_argument("--dry-run", action="store_true", help="show each step, run none")
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
