"""`segment-scorer policy`: checks a policy file, or explains its decision for an endpoint."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from function.bootstrap import choose_score_kind, load_policy_for
from function.records import Campaign
from function.settings import read_settings
from model.bundle import SHIPPED, load_bundle
from model.document import is_typed
from model.errors import DataError, name_failure, name_kind
from model.people.columns import RecordError
from model.people.files import open_people
from model.people.records import make_decoder
from model.profile_names import Naming
from segment_scorer.cli.policy_text import show_id, write_policy
from segment_scorer.monitoring.explain import Explanation, explain_event, wrap_endpoint

MOST_REASONS = 10  # features that an explanation names
MOST_PEOPLE = 10_000  # of a file that are read, to draw those to compare with


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy (TOML).")],
    *,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The bundle whose threshold and score quantiles apply. Default: SCORER_BUNDLE, "
            "else the shipped bundle.",
        ),
    ] = None,
) -> None:
    """List every problem of a policy, or print its rules with every default filled in.

    What it prints is a policy file with the same rules, and the threshold as a number.

    Exit status: 0 a valid policy; 1 an error; 2 wrong usage.

    Example: segment-scorer policy check function/policy.toml
    """
    loaded = load_bundle(bundle or Path(os.environ.get("SCORER_BUNDLE") or SHIPPED))
    score = choose_score_kind(read_settings(choose_environ(os.environ)), loaded)
    policy = load_policy_for(file, loaded, score)
    for warning in policy.warnings:
        print(f"segment-scorer policy check: warning: {file}: {warning}", file=sys.stderr)
    print(f"# {show_id(str(file))} is a valid policy. Its rules with {loaded.label}:")
    print(f"# A score is {score.meaning} ({score.kind}), {score.span}.")
    for part in write_policy(policy, loaded.quantiles):
        print(part, end="")


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
        typer.Option(
            metavar="FILE", help="The policy. Default: SCORER_POLICY, else the shipped policy."
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The bundle. Default: SCORER_BUNDLE, else the shipped bundle."
        ),
    ] = None,
    campaign_id: Annotated[
        str, typer.Option(metavar="ID", help="Explain as if this campaign sent the event.")
    ] = "",
    application_id: Annotated[
        str, typer.Option(metavar="ID", help="Explain as if this application sent the event.")
    ] = "",
    treatment_id: Annotated[
        str, typer.Option(metavar="ID", help="Explain as if this treatment sent the event.")
    ] = "0",
    scheduled_time: Annotated[
        str, typer.Option(metavar="TIME", help="Measure ages against this time (ISO 8601).")
    ] = "",
    among: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="People to compare with, such as a segment: the reasons are then more accurate. "
            "Default: people made of the bundle's golden rows.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of sentences.")
    ] = False,
) -> None:
    """Explain the policy's decision for an endpoint, with the numbers that it used.

    The handler that Lambda runs makes the decision, under the settings of this shell (SCORER_*).

    Then come the values that the model saw, the one that moved the score most first (+ raised it,
    - lowered it), and the score with other people's value instead. These reasons are an
    approximation: features that go together share what they move.

    Exit status: 0 an explanation; 1 an error; 2 wrong usage.

    Example: segment-scorer policy explain --endpoint examples/cdnow/endpoint.json
    """
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
        read_people(among, read_settings(os.environ).naming) if among is not None else (),
    )
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(explanations)).decode() + "\n")
        return
    for index, explanation in enumerate(explanations):
        print(describe(explanation, f"endpoint {index + 1}: " if len(explanations) > 1 else ""))


def choose_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that say what the scores mean: another service's may be of another kind."""
    names = ("SCORER_TARGET", "SCORER_SCORE_KIND")
    return {name: environ[name] for name in names if environ.get(name)}


COMMANDS = {"check": check, "explain": explain}


def read_object(path: Path) -> dict[str, Any]:
    """Read the JSON object in a file. Raises DataError."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a JSON object, found no file") from error
    except OSError as error:
        raise DataError(f"{path}: expected a JSON object, found: {name_failure(error)}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: expected one readable JSON object in UTF-8, found other text"
        ) from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object, found {name_kind(value)}")
    return value


def read_people(path: Path, naming: Naming | None = None) -> list[dict[str, Any]]:
    """The documents of the first people in a file. Raises DataError if it holds none."""
    found: list[dict[str, Any]] = []
    with open_people(path) as file:
        decode = make_decoder(file.header, id_needed=False, naming=naming)
        for _, raw in file:
            with contextlib.suppress(RecordError):
                document = decode(raw).document
                if is_typed(document):
                    found.append(document)
            if len(found) == MOST_PEOPLE:
                break
    if not found:
        raise DataError(f"{path}: expected people to compare with, found no readable one")
    return found


def describe(explanation: Explanation, heading: str) -> str:
    """One explanation, a sentence per line."""
    outcome = "kept" if explanation.sent else "left out"
    return "\n".join(
        [
            f"{heading}{outcome}: {explanation.reason}: {explanation.because}",
            *(f"  {note}" for note in explanation.notes),
            *describe_reasons(explanation),
        ]
    )


def describe_reasons(explanation: Explanation) -> Iterator[str]:
    """What moved the score: a line for each of the features that moved it most."""
    if explanation.usual is None:
        return
    yield f"  what moved it, beside other people's mean score of {explanation.usual:z.4f}:"
    for each in explanation.moved[:MOST_REASONS]:
        sign = "+" if each.moved > 0 else "-" if each.moved < 0 else " "
        yield f"  {sign} {each.feature} = {each.value} ({each.without:z.4f} with theirs)"
    more = len(explanation.moved) - MOST_REASONS
    if more > 0:
        yield f"    and {more} more, which moved it less (--json has them)"
