"""`make deploy`: deploy the stack of template.yaml with an image named by its digest, with SAM.

A rollback is the same command with an earlier digest. Parameters that are not given keep their
values. CodeDeploy asks the new version for the golden answers of this tree before it gets a call;
the deployed function is judged again by the same answers, and if it fails, the previous image and
parameters are deployed. Old versions are deleted. Never builds or pushes.
"""

from __future__ import annotations

import argparse
import os
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
from segment_scorer.deploy.versions import prune_versions
from tools.release.golden import EVENT, make_tree_golden
from tools.release.sam_command import SAM, make_command, read_parameters
from tools.release.trial_code import write_trial

Run = Callable[[Sequence[str]], None]
Prepare = Callable[[Golden], object]


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
            "back, so the previous version still serves. If the trial or an alarm stopped the new "
            "version, docs/operations.md says where to look (A version that is rolled back)"
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
    bucket: str | None = None,
    prepare: Prepare = write_trial,
) -> None:
    """Deploy, try the new version, and if it fails deploy the previous image and parameters again.

    prepare  writes the trial's code, which SAM uploads

    Raises DeployError, which reports the version that is live, when the deployment or the new
    version fails.
    """
    previous = read_stack(clients.cloudformation, stack)
    prepare(golden)
    run(make_command(stack, image, parameters, region=region, bucket=bucket))
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
    # The previous image may have another model, so any answer of the right form does.
    lenient = replace(golden, expected=None)
    try:
        prepare(lenient)
        run(make_command(stack, *rollback, region=region, bucket=bucket))
    except DeployError as error:
        raise DeployError(
            f"the new version is live and {problem}; rolling back failed too (the message is "
            "above): deploy the previous image"
        ) from error
    again = try_hook(clients.functions, previous.hook, lenient)
    if again:
        raise DeployError(
            f"the new version {problem}; the previous image and parameters are deployed again, but "
            f"with this template the function {again} too: check out the previous commit and deploy"
        )
    raise DeployError(
        f"the new version {problem}; the previous image and parameters are deployed again and work"
    )


def tidy_up(clients: TrialClients, stack: str) -> None:
    """Delete old versions of the deployed function. A refusal is only reported."""
    try:
        present = read_stack(clients.cloudformation, stack)
        if present is not None:
            number = prune_versions(clients.functions, present.hook.rpartition(":")[0])
            print(f"deploy: deleted {number} old versions of the function", file=sys.stderr)
    except DeployError as error:
        print(f"deploy: old versions of the function stay: {error}", file=sys.stderr)


def main() -> int:
    """Run the command; give the exit status (1 and one sentence for an expected error)."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.stack",
        description="Deploy the stack with an image named by its digest: a new or an earlier one.",
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
        "--bucket",
        help="S3 bucket for the template and the trial's code (default: the one that SAM makes)",
    )
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
            options.stack,
            options.image,
            parameters,
            region=options.region,
            plan=options.plan,
            bucket=options.bucket,
        )
        if options.dry_run:
            print(shlex.join(command))
            return 0
        golden = make_tree_golden(os.environ, options.event)
        golden = replace(golden, expected=None) if options.any_answer else golden
        if options.plan:
            write_trial(golden)
            deploy_stack(command)
        else:
            clients = open_clients(command[command.index("--region") + 1])
            deploy_and_try(
                options.stack,
                options.image,
                parameters,
                region=options.region,
                run=deploy_stack,
                clients=clients,
                golden=golden,
                bucket=options.bucket,
            )
            tidy_up(clients, options.stack)
    except SegmentScorerError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
