"""The verbs of `segment-scorer`, and which extra brings each optional package."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """Where a verb's code is, and its line in the overview.

    module   has a function `command`, or a table `COMMANDS` of sub-verbs, or a `main` of its own
    summary  one line for `segment-scorer --help`
    """

    module: str
    summary: str


VERBS: dict[str, Verb] = {
    "train": Verb(
        "segment_scorer.cli.train",
        "train a model on exported endpoints and their outcomes; write a bundle",
    ),
    "evaluate": Verb(
        "segment_scorer.cli.evaluate",
        "measure a bundle's scores on people whose outcomes are known",
    ),
    "compare": Verb(
        "segment_scorer.cli.compare",
        "compare two bundles on the same people: figures, gains, who changes sides",
    ),
    "bundle": Verb(
        "segment_scorer.cli.bundle",
        "make a bundle of your own model: ONNX, scikit-learn, LightGBM or XGBoost",
    ),
    "run": Verb(
        "segment_scorer.cli.run",
        "send a segment through the hook as a campaign host does; write who is kept",
    ),
    "lift": Verb(
        "segment_scorer.cli.lift",
        "measure what a campaign changed, against its control group",
    ),
    "outcomes": Verb(
        "segment_scorer.cli.outcomes",
        "make an outcomes file from the hosts' event records",
    ),
    "invoke": Verb(
        "segment_scorer.cli.invoke",
        "send one event to the hook; show the reply and each decision",
    ),
    "policy": Verb(
        "segment_scorer.cli.policy",
        "check a policy file, or explain its decision for an endpoint",
    ),
    "drift": Verb(
        "segment_scorer.cli.drift",
        "compare the people in the function's logs with the training data",
    ),
    "external": Verb(
        "segment_scorer.cli.external",
        "build a store of attributes from other systems: a SQLite file or a DynamoDB table",
    ),
    "serve": Verb(
        "segment_scorer.cli.serve",
        "serve a bundle over gRPC (Open Inference Protocol)",
    ),
    "grant": Verb("segment_scorer.cli.grant", "let Pinpoint or Amazon Connect call the function"),
    "revoke": Verb("segment_scorer.cli.revoke", "remove the permissions that grant added"),
    "assign": Verb(
        "segment_scorer.cli.assign",
        "make the function the hook of a campaign or a project, or list the hooks",
    ),
    "unassign": Verb("segment_scorer.cli.unassign", "clear the hook of a campaign or a project"),
}
# Package, by the name it is imported by -> the extras of pyproject.toml that bring it.
# An error names the extra that has the verb's own name, else the first.
EXTRAS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("typer", "rich", "tomlkit"), ("cli",)),
    **dict.fromkeys(("sklearn", "skl2onnx", "onnx", "matplotlib", "threadpoolctl"), ("train",)),
    **dict.fromkeys(("altair", "vl_convert"), ("run",)),
    **dict.fromkeys(("skops", "onnxmltools", "lightgbm", "xgboost"), ("foreign",)),
    "pyarrow": ("run", "train"),
    **dict.fromkeys(("grpc_health", "grpc_reflection", "prometheus_client"), ("service",)),
    "scipy": ("lift", "train", "run"),
    "boto3": ("aws",),
    "ray": ("ray",),
}
