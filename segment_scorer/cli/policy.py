"""`segment-scorer policy check` and `policy explain`: a policy file in, what it says out. No logic of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tomlkit
import typer

from function.policy import Rules
from function.policy_file import describe_rules, load_policy
from function.records import Campaign
from model.bundle import SHIPPED, load_bundle
from model.errors import DataError
from segment_scorer.monitoring.explain import Explanation, explain_event, wrap_endpoint


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, TOML.")],
    *,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Whose threshold and score quantiles the policy may name. Default: SCORER_BUNDLE, else the shipped one.",
        ),
    ] = None,
) -> None:
    """Say everything that is wrong with a policy, or print the rules it comes to, every default filled in (TOML)."""
    loaded = load_bundle(bundle or Path(os.environ.get("SCORER_BUNDLE") or SHIPPED))
    policy = load_policy(file, threshold=loaded.threshold, quantiles=loaded.quantiles)
    for warning in policy.warnings:
        print(f"segment-scorer policy check: warning: {file}: {warning}", file=sys.stderr)
    print(f"# {file} is a valid policy. With {loaded.label} it comes to:")
    print(write_rules(policy.rules), end="")
    for override in policy.overrides:
        print(
            "\n# For "
            + ", ".join(f"{key} = {value}" for key, value in override.ids.items())
            + " it comes to:"
        )
        print(write_rules(override.rules), end="")


def explain(
    *,
    endpoint: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="One endpoint or customer profile as exported, or a whole hook event (JSON).",
        ),
    ],
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: SCORER_POLICY, else the shipped one."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: SCORER_BUNDLE, else the shipped one."),
    ] = None,
    campaign_id: Annotated[
        str, typer.Option(metavar="ID", help="As if this campaign had asked.")
    ] = "",
    application_id: Annotated[
        str, typer.Option(metavar="ID", help="As if this application had asked.")
    ] = "",
    treatment_id: Annotated[
        str, typer.Option(metavar="ID", help="As if this treatment had asked.")
    ] = "0",
    scheduled_time: Annotated[
        str, typer.Option(metavar="TIME", help="Time that ages are measured against (ISO 8601).")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on stdout instead of sentences.")
    ] = False,
) -> None:
    """Say which rule of the policy decides for an endpoint, and with which numbers. The very handler that Lambda runs is asked."""
    event = wrap_endpoint(
        read_object(endpoint),
        Campaign(
            application_id=application_id,
            campaign_id=campaign_id,
            treatment_id=treatment_id,
            activity_id="",
            scheduled_time=scheduled_time,
        ),
    )
    chosen = {"SCORER_POLICY": policy, "SCORER_BUNDLE": bundle}
    explanations = explain_event(
        event,
        {**os.environ, **{name: str(path) for name, path in chosen.items() if path is not None}},
    )
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(explanations)).decode() + "\n")
        return
    for index, explanation in enumerate(explanations):
        print(describe(explanation, f"endpoint {index + 1}: " if len(explanations) > 1 else ""))


COMMANDS = {"check": check, "explain": explain}


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises DataError."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a JSON object, found no file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected one readable JSON object in UTF-8") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object")
    return value


def write_rules(rules: Rules) -> str:
    """Rules as the policy file would say them."""
    described = describe_rules(rules)
    bands = described.pop("bands")
    return tomlkit.dumps({**described, **({"band": bands} if bands else {})})


def describe(explanation: Explanation, place: str) -> str:
    """One explanation, a sentence a line."""
    outcome = "kept" if explanation.stays else "left out"
    return "\n".join(
        [
            f"{place}{outcome}: {explanation.reason}: {explanation.because}",
            *(f"  {note}" for note in explanation.notes),
        ]
    )
