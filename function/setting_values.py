"""Reads the value of one setting, from the text that the environment holds.

Each reader raises ValueError, which says what was expected. Reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from model.document import is_encodable
from model.score_kind import WIDEST, ScoreKind

BUNDLED = "bundled"
# Patterns are compiled at use: most starts read none of these settings.
# A bare `host:port`, `dns:///host:port` or `unix:/path`.
TARGET = r"unix:/.+|(dns:///)?([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}"
# gRPC takes a larger port modulo 65,536, and so asks another service.
LARGEST_PORT = 65_535
MOST_DIGITS = 9
SHARE = r"0(\.[0-9]{1,9})?|1(\.0{1,9})?"
# gRPC over HTTP/2, "Custom-Metadata".
METADATA_NAME = r"(?!grpc-)(?!.*-bin$)[0-9a-z_.-]+"
# What a bearer token may hold: RFC 6750, section 2.1.
BEARER = r"[A-Za-z0-9._~+/=-]{20,200}"
MOST_SECRETS = 10
# DynamoDB developer guide, "Naming rules".
TABLE_NAME = r"[A-Za-z0-9_.-]{3,255}"


def read_choice(*allowed: str) -> Callable[[str], str]:
    """A reader for one of the `allowed` words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text

    return read


def is_whole_number(text: str) -> bool:
    """Whether a text is a whole number of at most 9 digits."""
    return len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal()


def read_milliseconds(lowest: int, highest: int) -> Callable[[str], float]:
    """A reader for whole milliseconds, as seconds."""

    def read(text: str) -> float:
        if not is_whole_number(text) or not lowest <= int(text) <= highest:
            raise ValueError(f"whole milliseconds from {lowest} to {highest}")
        return int(text) / 1000

    return read


def read_share(text: str) -> float:
    """Read a share from 0 to 1. Raises ValueError."""
    if not re.fullmatch(SHARE, text):
        raise ValueError("a share from 0 to 1, such as 0.1")
    return float(text)


def read_target(text: str) -> str:
    """`bundled`, or the address of a scoring service."""
    is_socket = text.startswith("unix:")
    if text != BUNDLED and (
        not re.fullmatch(TARGET, text, re.ASCII)
        or (not is_socket and int(text.rpartition(":")[2]) > LARGEST_PORT)
    ):
        raise ValueError("bundled, host:port, dns:///host:port or unix:/path")
    return text


def read_store(text: str) -> str:
    """Nothing, `sqlite:PATH` or `dynamodb:TABLE`."""
    kind, _, location = text.partition(":")
    known = {"sqlite": bool(location), "dynamodb": bool(re.fullmatch(TABLE_NAME, location))}
    if not known.get(kind):
        raise ValueError("nothing, sqlite:PATH or dynamodb:TABLE")
    return text


def read_text(text: str) -> str:
    """Text that UTF-8 can encode."""
    # Bytes of the environment that are not UTF-8 arrive as lone surrogates. gRPC would refuse every
    # call with them.
    if not is_encodable(text):
        raise ValueError("text in UTF-8")
    return text


def read_output(text: str) -> str:
    """The name of an output; `*` is none: the only one."""
    return "" if text == "*" else read_text(text)


def read_column(text: str) -> int:
    """The index of a column."""
    if not is_whole_number(text):
        raise ValueError("a column's index from 0, or nothing")
    return int(text)


def read_score_kind_name(text: str) -> ScoreKind:
    """A kind of scores, in its widest range."""
    return WIDEST[read_choice(*WIDEST)(text)]


def read_secrets(text: str) -> tuple[str, ...]:
    """Shared secrets with commas between. A short one could be guessed."""
    secrets = text.split(",")
    if not all(re.fullmatch(BEARER, secret) for secret in secrets) or len(secrets) > MOST_SECRETS:
        raise ValueError(
            f"1 to {MOST_SECRETS} secrets with commas between, each of 20 to 200 letters, digits "
            "and -._~+/="
        )
    return tuple(secrets)


def read_yes_or_no(text: str) -> bool:
    """`true` or `false`."""
    return read_choice("true", "false")(text) == "true"


def read_metadata(text: str) -> tuple[tuple[str, str], ...]:
    """`name=value` pairs with commas between."""
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(
        re.fullmatch(METADATA_NAME, name) and value.isascii() and value.isprintable()
        for name, _, value in pairs
    ):
        raise ValueError(
            "name=value pairs with commas between, names in lower case, no -bin names, values "
            "printable ASCII"
        )
    return tuple((name, value) for name, _, value in pairs)
