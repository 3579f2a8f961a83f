"""SAM's command line for a stack of template.yaml. Runs nothing, writes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from segment_scorer.deploy.errors import DeployError

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


def make_command(
    stack: str,
    image: str,
    parameters: Mapping[str, str],
    *,
    region: str | None = None,
    plan: bool = False,
    bucket: str | None = None,
) -> list[str]:
    """SAM's command for this stack, image and parameters.

    region  default: the image's, since Lambda pulls only from its own region
    plan    whether to stop at the change set
    bucket  where SAM puts the template and the trial's code; default: the bucket that SAM makes

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
        *(["--s3-bucket", bucket, "--s3-prefix", stack] if bucket else ["--resolve-s3"]),
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
