"""CodeDeploy's hook before traffic: a new version answers the golden event, or gets no call.

Runs as a Lambda function of its own, from a zip with this file, golden.py and golden.json
(`python -m tools.release.trial_code`). Imports the standard library and boto3 only, which AWS's
managed Python has. Invokes one version and tells CodeDeploy; changes nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segment_scorer.deploy.golden import Golden, read_golden, try_version

GOLDEN = Path(__file__).parents[2] / "golden.json"
NEW_VERSION = "NEW_VERSION"  # the template sets it


def handle(event: Mapping[str, Any], context: object) -> dict[str, str]:  # noqa: ARG001  # Lambda gives it
    """Judge the new version and report it to CodeDeploy. Lambda's entry point.

    event  DeploymentId and LifecycleEventHookExecutionId, as CodeDeploy documents it
    """
    import boto3  # noqa: PLC0415  # only the managed Python has it for certain

    return report_trial(
        event,
        golden=read_golden(GOLDEN.read_text("utf-8")),
        version=os.environ[NEW_VERSION],
        functions=boto3.client("lambda"),
        deployments=boto3.client("codedeploy"),
    )


def report_trial(
    event: Mapping[str, Any], *, golden: Golden, version: str, functions: Any, deployments: Any
) -> dict[str, str]:
    """Try `version` and tell CodeDeploy whether it passed. Gives what it logs.

    functions    client of Lambda
    deployments  client of CodeDeploy

    A version that cannot be called fails: without a report CodeDeploy would wait for an hour.
    """
    problem = find_problem(golden, version, functions)
    status = "Succeeded" if problem is None else "Failed"
    said = {
        "level": "INFO" if problem is None else "ERROR",
        "message": "trial",
        "function_version": version.rpartition(":")[2],
        "status": status,
        "problem": problem or "",
    }
    print(json.dumps(said), flush=True)  # Lambda's log
    deployments.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return said


def find_problem(golden: Golden, version: str, functions: Any) -> str | None:
    """What is wrong with a version, as a predicate; None if it may serve."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return try_version(functions, version, golden).problem
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no reason given")
        return f"cannot be called: AWS answered {code}"
    except BotoCoreError as error:
        return f"cannot be called: {type(error).__name__}"
