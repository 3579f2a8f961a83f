"""How a command ends: an expected failure is one sentence on stderr and an exit status.

SEGMENT_SCORER_DEBUG=1 prints the traceback before it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator

from model.errors import SegmentScorerError
from segment_scorer.cli.verbs import EXTRAS

DEBUG = "SEGMENT_SCORER_DEBUG"
HINT = f"{DEBUG}=1 shows where"
# The system or a library raises these for causes outside our code.
# Any other exception is a bug and keeps its traceback.
CAUGHT = (OSError, UnicodeError, OverflowError, MemoryError, RuntimeError)


@contextlib.contextmanager
def end_in_a_sentence(verb: str) -> Iterator[None]:
    """Turn an error into a sentence and SystemExit. Also a decorator for a command.

    Exit status: 1 an error; 130 interrupted; 0 when the reader of our output is gone (`| head`).
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        drop_output()
        raise SystemExit(0) from error
    except KeyboardInterrupt as error:
        print(f"segment-scorer {verb}: interrupted", file=sys.stderr)
        raise SystemExit(130) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise  # one of ours, or of the function's own set: a bug or a broken installation
        raise _fail(verb, describe_missing(verb, package)) from error
    except SegmentScorerError as error:
        raise _fail(verb, str(error)) from error
    except CAUGHT as error:
        if _is_typers_own(error):
            raise
        raise _fail(verb, describe(error)) from error


def describe_missing(verb: str, package: str) -> str:
    """The sentence for a package whose extra is not installed."""
    name = verb.partition(" ")[0]
    extra = name if name in EXTRAS[package] else EXTRAS[package][0]
    return (
        f"expected {package}, of the extra `{extra}`: pip install '.[{extra}]' in a source checkout"
    )


def describe(error: BaseException) -> str:
    """One sentence about an error of `CAUGHT`: the system's reason, never a person's data."""
    match error:
        case UnicodeDecodeError():
            return f"expected text in {error.encoding}, found bytes that are not; {HINT}"
        case UnicodeError():
            return f"found text that cannot be written in the encoding of the output; {HINT}"
        case OSError(strerror=str(reason)):
            where = f"{error.filename}: " if error.filename is not None else ""
            return f"{where}{reason[:1].lower()}{reason[1:]}"
        case OverflowError():
            return f"found a number that is too large; {HINT}"
        case MemoryError():
            return "expected more memory than this machine has free"
        case _:
            return f"stopped by an unexpected {type(error).__name__}; {HINT}"


def drop_output() -> None:
    """Discard unwritten output: Python flushes stdout again at exit, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_typers_own(error: Exception) -> bool:
    """Whether it is Typer's way to end a command with a status: a RuntimeError, too."""
    typer = sys.modules.get("typer")
    return typer is not None and isinstance(error, (typer.Exit, typer.Abort))


def _fail(verb: str, sentence: str) -> SystemExit:
    """Print the sentence, after the traceback of the error being handled if that is asked for."""
    if os.environ.get(DEBUG) == "1":
        traceback.print_exc()
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()
    print(f"segment-scorer {verb}: {sentence}", file=sys.stderr)
    return SystemExit(1)
