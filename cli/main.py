"""The command `segment-scorer`: finds the verb, imports only its module, turns our errors into one sentence and a status.

Exit status: 0 done; 1 an error, said in one sentence; 2 wrong usage; 130 interrupted. A verb's own statuses are in its `--help`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from model.errors import SegmentScorerError

# verb -> (module with a function `command`, one line for the overview). Typer reads options from the function's signature.
VERBS: dict[str, tuple[str, str]] = {
    "run": ("cli.run", "walk a segment file through the hook, as Pinpoint did, and keep the books"),
    "train": ("cli.train", "make a bundle from exported endpoints and a list of who responded"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Gives the exit status; never a traceback for an error raised on purpose."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0 if given else 2
    verb = given[0]
    if verb not in VERBS:
        print(f"segment-scorer: expected a verb, one of {', '.join(VERBS)}; see segment-scorer --help", file=sys.stderr)
        return 2
    return run_verb(verb, given[1:])


def run_verb(verb: str, arguments: list[str]) -> int:
    """Import the verb's module, let Typer parse `arguments`, and give the exit status."""
    import typer  # noqa: PLC0415  # the overview needs none of it

    module = importlib.import_module(VERBS[verb][0])
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(module.command)
    try:
        status = app(arguments, prog_name=f"segment-scorer {verb}", standalone_mode=True)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except SegmentScorerError as error:
        print(f"segment-scorer {verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"segment-scorer {verb}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has left; nothing more to say at exit either
        return 0
    return status if isinstance(status, int) else 0


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
