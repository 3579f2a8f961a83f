"""The command `segment-scorer`: finds the verb, imports only its module, and gives an exit status.

Exit status: 0 done; 1 an error, in one sentence; 2 wrong usage; 130 interrupted.
A verb's own statuses are in its `--help`.
"""

from __future__ import annotations

import codecs
import importlib
import io
import itertools
import sys
from collections.abc import Sequence
from importlib import metadata

from segment_scorer.cli.packages import find_foreign_package
from segment_scorer.cli.verbs import VERBS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    escape_what_cannot_be_written()
    foreign = find_foreign_package()
    if foreign:
        print(f"segment-scorer: {foreign}", file=sys.stderr)
        return 1
    # Imports our own packages, which are known to be ours only now.
    from segment_scorer.cli.endings import end_in_a_sentence  # noqa: PLC0415

    try:
        with end_in_a_sentence(given[0] if given[:1] and given[0] in VERBS else "--help"):
            return dispatch(given)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)


def escape_what_cannot_be_written() -> None:
    """Let the output's encoding, such as ASCII, decide only how a text looks, not whether it fits.

    Python does so for stderr, with escapes that TOML does not know.
    """
    codecs.register_error("segment-scorer", escape_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="segment-scorer")


def escape_characters(error: UnicodeError) -> tuple[str, int]:
    """Write characters as TOML's escapes, which JSON and Python read, too. A codec error handler.

    A byte of a file name that is not UTF-8 is a lone surrogate: it becomes `\\udcff`, for instance.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    texts = (
        f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}" for sign in signs
    )
    return "".join(texts), error.end


def dispatch(given: list[str]) -> int:
    """Run the verb, or answer what can be answered without one. Gives the exit status."""
    match given:
        case []:
            print(overview())
            return 2
        case ["-h" | "--help" | "help", *_]:
            print(overview())
            return 0
        case ["--version", *_]:
            print(f"segment-scorer {read_version()}")
            return 0
        case [verb, *rest] if verb in VERBS:
            return run_verb(verb, rest)
        case _:
            print(f"segment-scorer: {explain_unknown(given[0])}", file=sys.stderr)
            return 2


def run_verb(verb: str, arguments: list[str]) -> int:
    """Import the verb's module, let Typer parse `arguments`, and give the exit status."""
    empty = find_empty([verb, *arguments])
    if empty:
        print(f"segment-scorer {verb}: expected text after {empty}, found nothing", file=sys.stderr)
        return 2
    renamed = find_renamed(verb, arguments)
    if renamed:
        print(f"segment-scorer {verb}: {renamed}", file=sys.stderr)
        return 2
    module = importlib.import_module(VERBS[verb].module)
    if hasattr(module, "main"):  # has a parser of its own
        return int(module.main(arguments))
    from segment_scorer.cli.parsing import make_parser  # noqa: PLC0415  # --help needs no package

    make_parser(verb, module)(arguments, prog_name=f"segment-scorer {verb}")
    return 0


def find_empty(words: Sequence[str]) -> str | None:
    """The word that an empty one follows: a shell variable that is not set, most of the time.

    An empty path would otherwise mean the current folder.
    """
    for before, word in itertools.pairwise(words):
        option, equals, value = word.partition("=")
        if not word or (option.startswith("--") and equals and not value):
            return option or before
    return None


def explain_unknown(word: str) -> str:
    """The sentence for a first word that is no verb."""
    from function.renamed import explain_rename  # noqa: PLC0415

    renamed = explain_rename("verb", word)
    sentence = renamed or f"expected a verb, one of {', '.join(VERBS)}"
    return f"{sentence}; see segment-scorer --help"


def find_renamed(verb: str, arguments: Sequence[str]) -> str | None:
    """A sentence about the first option that has a new name, or None."""
    from function.renamed import explain_rename  # noqa: PLC0415

    options = (word.partition("=")[0] for word in arguments if word.startswith("--"))
    return next(
        filter(None, (explain_rename("option", f"{verb} {name}") for name in options)), None
    )


def read_version() -> str:
    """The installed version."""
    try:
        return metadata.version("segment-scorer")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def overview() -> str:
    """The text of `segment-scorer --help`."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items())
    return (
        "Usage: segment-scorer VERB [OPTIONS]\n"
        "       segment-scorer --version\n\n"
        "Scores the people a campaign is about to message, and keeps, drops or annotates them.\n\n"
        f"Verbs (each explains itself with --help):\n{verbs}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
