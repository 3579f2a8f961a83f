"""template.yaml for tests: intrinsic functions as mappings, and its state machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "segment_scorer" / "deploy" / "template.yaml"
SUBSTITUTIONS = {
    "HookArn": "arn:aws:lambda:us-east-1:123456789012:function:scorer:live",
    "SegmentBucket": "segments",
    "SegmentPrefix": "exports/",
    "FunctionName": "scorer",
    "ResultPrefix": "scored",
    "MaxConcurrency": "10",
    "MaxBatchBytes": "200000",
    "ToleratedFailurePercentage": "5",
    "Partition": "aws",
}


class _Loader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": "x"} and `!Sub x` as {"Fn::Sub": "x"}, as CloudFormation does."""


def _construct(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _construct)


@cache
def _read_template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(TEMPLATE.read_text("utf-8"), _Loader)  # noqa: S506  # a subclass of SafeLoader
    return loaded


def load_template() -> dict[str, Any]:
    """The template as CloudFormation's JSON form."""
    return deepcopy(_read_template())


def load_definition() -> dict[str, Any]:
    """The state machine's definition, with its `${...}` substituted as by CloudFormation."""
    properties = load_template()["Resources"]["SegmentWalk"]["Properties"]
    assert set(properties["DefinitionSubstitutions"]) == set(SUBSTITUTIONS)
    text = json.dumps(properties["Definition"])
    for name, value in SUBSTITUTIONS.items():
        text = text.replace(f"${{{name}}}", value)
    definition: dict[str, Any] = json.loads(text)
    return definition


NO_VALUE = {"Ref": "AWS::NoValue"}


def resolve(value: Any, parameters: dict[str, str]) -> Any:
    """Evaluate Ref, conditions, Fn::If, Equals, Not, And, Sub and Split; unknown names stay."""
    conditions = _read_template()["Conditions"]

    def substitute(text: str) -> str:
        for name, replacement in parameters.items():
            text = text.replace(f"${{{name}}}", str(replacement))
        return text

    functions: dict[str, Callable[[Any], Any]] = {
        "Ref": lambda of: parameters.get(of, {"Ref": of}),
        "Condition": lambda of: (
            walk(conditions[of]) if isinstance(of, str) else {"Condition": walk(of)}
        ),
        "Fn::Equals": lambda of: str(walk(of[0])) == str(walk(of[1])),
        "Fn::Not": lambda of: not walk(of[0]),
        "Fn::And": lambda of: all(map(walk, of)),
        "Fn::If": lambda of: walk(of[1] if walk(conditions[of[0]]) else of[2]),
        "Fn::Sub": substitute,
        "Fn::Split": lambda of: walk(of[1]).split(of[0]),
    }

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [kept for kept in map(walk, node) if kept != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1 and (name := next(iter(node))) in functions:
            return functions[name](node[name])
        return {key: kept for key, each in node.items() if (kept := walk(each)) != NO_VALUE}

    return walk(value)


def program(name: str, set_name: str | None = None) -> str:
    """The path of a program in its own environment under .cache/, which make creates if missing."""
    folder = f".cache/{set_name or name}"
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", f"{folder}/ready"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(ROOT / folder / "bin" / name)
