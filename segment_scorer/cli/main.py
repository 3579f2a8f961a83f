"""The command `segment-scorer`: finds the verb, imports only its module, turns our errors into one sentence and a status.

Exit status: 0 done; 1 an error, said in one sentence; 2 wrong usage; 130 interrupted. A verb's own statuses are in its `--help`.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from model.errors import SegmentScorerError

# What an extra of pyproject.toml brings: package as it is imported -> the extras that have it. One that a verb is named after goes first.
EXTRAS = {
    **dict.fromkeys(("typer", "rich", "tomlkit"), ("cli",)),
    **dict.fromkeys(("sklearn", "skl2onnx", "onnx", "matplotlib"), ("train",)),
    **dict.fromkeys(("altair", "vl_convert"), ("run",)),
    "pyarrow": ("run", "train"),
    **dict.fromkeys(("grpc_health", "grpc_reflection"), ("service",)),
    "scipy": ("lift", "train"),
    "boto3": ("aws",),
    "ray": ("ray",),
}
# verb -> (module with a function `command`, or a table `COMMANDS` of them by name, and one line for the overview). Typer reads options
# from the function's signature.
VERBS: dict[str, tuple[str, str]] = {
    "train": (
        "segment_scorer.cli.train",
        "make a bundle from exported endpoints and a list of who responded",
    ),
    "evaluate": (
        "segment_scorer.cli.evaluate",
        "say how good a bundle's scores are on people whose outcomes are known",
    ),
    "run": (
        "segment_scorer.cli.run",
        "walk a segment through the hook as a campaign's host does, and keep the books",
    ),
    "lift": (
        "segment_scorer.cli.lift",
        "measure what a campaign changed: the people messaged against the control group",
    ),
    "outcomes": (
        "segment_scorer.cli.outcomes",
        "make an outcomes file of Pinpoint's or Amazon Connect's event records",
    ),
    "invoke": (
        "segment_scorer.cli.invoke",
        "send one event to the hook; show the reply and each decision with its reason",
    ),
    "policy": (
        "segment_scorer.cli.policy",
        "check a policy file, or explain what it decides for an endpoint",
    ),
    "drift": (
        "segment_scorer.cli.drift",
        "compare the people in the logs with those the model learnt from",
    ),
    "profiles": (
        "segment_scorer.cli.external",
        "make a store of what is known about people elsewhere: a SQLite file, a DynamoDB table",
    ),
    "serve": (
        "segment_scorer.cli.serve",
        "serve a bundle over gRPC, for a function or any client of the Open Inference Protocol",
    ),
    "grant": ("segment_scorer.cli.grant", "let Pinpoint or Amazon Connect call the function"),
    "revoke": ("segment_scorer.cli.revoke", "take back what grant gave"),
    "assign": (
        "segment_scorer.cli.assign",
        "make the function the hook of a campaign or a project, or list where it is",
    ),
    "unassign": ("segment_scorer.cli.unassign", "clear the hook of a campaign or a project"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Gives the exit status; never a traceback for an error raised on purpose."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0 if given else 2
    verb = given[0]
    if verb not in VERBS:
        print(
            f"segment-scorer: expected a verb, one of {', '.join(VERBS)}; see segment-scorer --help",
            file=sys.stderr,
        )
        return 2
    try:
        return run_verb(verb, given[1:])
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise  # ours, or what every installation has: nobody chose to leave it out
        extra = verb if verb in EXTRAS[package] else EXTRAS[package][0]
        sentence = f"expected {package}, of the extra `{extra}`: pip install '.[{extra}]' in a clone of the project"
        print(f"segment-scorer {verb}: {sentence}", file=sys.stderr)
        return 1


def run_verb(verb: str, arguments: list[str]) -> int:
    """Import the verb's module, let Typer parse `arguments`, and give the exit status."""
    empty = find_empty([verb, *arguments])
    if empty:
        print(f"segment-scorer {verb}: expected text after {empty}, found nothing", file=sys.stderr)
        return 2
    module = importlib.import_module(VERBS[verb][0])
    if hasattr(module, "main"):  # a verb with a parser of its own
        return int(module.main(arguments))
    import typer  # noqa: PLC0415  # the overview needs none of it

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    if hasattr(module, "COMMANDS"):
        for name, command in module.COMMANDS.items():
            app.command(name)(end_in_a_sentence(f"{verb} {name}", command))
    else:
        app.command()(end_in_a_sentence(verb, module.command))
    try:
        app(arguments, prog_name=f"segment-scorer {verb}")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def find_empty(words: Sequence[str]) -> str | None:
    """The word that an empty one follows, as of a variable that is not set: an empty path would be the folder one happens to be in."""
    for before, word in itertools.pairwise(words):
        option, equals, value = word.partition("=")
        if not word or (option.startswith("--") and equals and not value):
            return option or before
    return None


def end_in_a_sentence(verb: str, command: Callable[..., None]) -> Callable[..., None]:
    """`command`, but an error raised on purpose, an interrupt or a reader that left ends in one sentence at most, and a status."""

    @functools.wraps(command)  # Typer reads the options from the signature behind this
    def run(*given: Any, **options: Any) -> None:
        try:
            command(*given, **options)
        except SegmentScorerError as error:
            print(f"segment-scorer {verb}: {error}", file=sys.stderr)
            raise SystemExit(1) from error
        except KeyboardInterrupt as error:
            print(f"segment-scorer {verb}: interrupted", file=sys.stderr)
            raise SystemExit(130) from error
        except BrokenPipeError as error:
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # nothing more to say at exit either
            raise SystemExit(0) from error

    return run


def overview() -> str:
    """The text of `segment-scorer --help`."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {line}" for verb, (_, line) in VERBS.items())
    return (
        "Usage: segment-scorer VERB [OPTIONS]\n\n"
        "Scores the people a campaign is about to message, and keeps, drops or annotates them.\n\n"
        f"Verbs (each explains itself with --help):\n{verbs}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
