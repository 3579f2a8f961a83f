"""The environment in, one frozen Settings out, or one SettingsError that lists every problem. Reads no file and no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from function.errors import SettingsError
from function.renamed import explain_rename
from model.bundle import SHIPPED
from model.document import is_encodable
from model.features import Feature, find_feature_problems

PREFIX = "SCORER_"
ROOT = Path(__file__).parent.parent
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
TABLE_NAME = re.compile(
    r"[A-Za-z0-9_.-]{3,255}", re.ASCII
)  # DynamoDB developer guide, "Naming rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. README, "Settings", explains each for its user."""

    bundle: Path
    policy: Path
    target: str
    fallback: str
    reserve: float  # seconds
    log_level: str
    # How a remote scorer is asked; None where the bundle or the server decides. Times in seconds.
    model: str
    model_version: str
    input_name: str
    datatype: str
    encoding: str
    output_name: str
    positive_column: int | None
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    authority: str
    metadata: tuple[tuple[str, str], ...]
    call_cap: float
    idle: float
    breaker: float
    external: str  # "", sqlite:PATH or dynamodb:TABLE
    external_key: tuple[str, ...]  # steps through the endpoint document; none: the endpoint's id
    external_partition_key: str
    external_patience: float  # seconds


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read every `SCORER_*` variable. Raises SettingsError for an unknown name or a value outside its range, all problems at once."""
    problems = [
        explain_rename("setting", name) or f"{name}: unknown setting"
        for name in environ
        if name.startswith(PREFIX) and name not in READERS
    ]
    values: dict[str, Any] = {}
    for name, (field, default, read) in READERS.items():
        try:
            values[field] = read(environ.get(name, default))
        except ValueError as error:
            problems.append(f"{name}: expected {error}")
    if bool(environ.get("SCORER_TLS_CERT")) != bool(environ.get("SCORER_TLS_KEY")):
        problems.append("SCORER_TLS_CERT, SCORER_TLS_KEY: expected both or neither")
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(**values)


def _path(text: str) -> Path:
    if not text:
        raise ValueError("a path")
    return Path(text)


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text

    return read


def _milliseconds(lowest: int, highest: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not text.isdecimal() or not text.isascii() or not lowest <= int(text) <= highest:
            raise ValueError(f"whole milliseconds from {lowest} to {highest}")
        return int(text) / 1000

    return read


def _target(text: str) -> str:
    if text != "bundled" and (
        not TARGET.fullmatch(text)
        or (not text.startswith("unix:") and int(text.rpartition(":")[2]) > LARGEST_PORT)
    ):
        raise ValueError("bundled, host:port, dns:///host:port or unix:/path")
    return text


def _external(text: str) -> str:
    kind, _, where = text.partition(":")
    if (
        text
        and not (kind == "sqlite" and where)
        and not (kind == "dynamodb" and TABLE_NAME.fullmatch(where))
    ):
        raise ValueError("nothing, sqlite:PATH or dynamodb:TABLE")
    return text


def read_external_key(text: str) -> tuple[str, ...]:
    """The steps through an endpoint document to the key of a person's external attributes; none for the endpoint's own id. Raises ValueError."""
    path = {"user_id": "User.UserId", "endpoint_id": ""}.get(text, text)
    if path == text and (
        text.startswith("External.")
        or find_feature_problems({"name": "key", "path": text, "kind": "category"})
    ):
        raise ValueError(
            "user_id, endpoint_id or a path below the endpoint document such as Attributes.CustomerNumber"
        )
    return Feature(name="key", path=path, kind="category").keys if path else ()


def _text(text: str) -> str:
    if not is_encodable(
        text
    ):  # bytes of the environment that are no UTF-8 arrive as lone surrogates; gRPC would refuse every call
        raise ValueError("text in UTF-8")
    return text


def _named(text: str) -> str:
    if not text:
        raise ValueError("text of one character or more")
    return _text(text)


def _optional_path(text: str) -> Path | None:
    return Path(text) if text else None


def _column(text: str) -> int | None:
    if text and not (text.isdecimal() and text.isascii()):
        raise ValueError("a column's index from 0, or nothing")
    return int(text) if text else None


def _yes_or_no(text: str) -> bool:
    return _choice("true", "false")(text) == "true"


def _metadata(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.partition("=") for pair in text.split(",")] if text else []
    if not all(
        METADATA_NAME.fullmatch(name) and value.isascii() and value.isprintable()
        for name, _, value in pairs
    ):
        raise ValueError(
            "name=value pairs with commas between, names in lower case, no -bin names, values printable ASCII"
        )
    return tuple((name, value) for name, _, value in pairs)


TARGET = re.compile(r"unix:/.+|(dns:///)?([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", re.ASCII)
LARGEST_PORT = 65_535  # gRPC takes a larger one modulo 65,536, which is somebody else's
METADATA_NAME = re.compile(r"(?!grpc-)(?!.*-bin$)[0-9a-z_.-]+")  # gRPC over HTTP/2: Custom-Metadata
# variable -> field of Settings, default, reader
READERS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "SCORER_BUNDLE": ("bundle", str(SHIPPED), _path),
    "SCORER_POLICY": ("policy", str(ROOT / "function" / "policy.toml"), _path),
    "SCORER_TARGET": ("target", "bundled", _target),
    "SCORER_FALLBACK": ("fallback", "bundled", _choice("bundled", "none")),
    "SCORER_RESERVE_MS": ("reserve", "500", _milliseconds(0, 10_000)),
    "SCORER_LOG_LEVEL": ("log_level", "INFO", _choice(*LEVELS)),
    "SCORER_MODEL": ("model", "", _text),
    "SCORER_MODEL_VERSION": ("model_version", "", _text),
    "SCORER_INPUT": ("input_name", "input", _named),
    "SCORER_DATATYPE": ("datatype", "FP32", _choice("FP32", "FP64")),
    "SCORER_ENCODING": ("encoding", "raw", _choice("raw", "contents")),
    "SCORER_OUTPUT": ("output_name", "probabilities", _text),
    "SCORER_POSITIVE_COLUMN": ("positive_column", "", _column),
    "SCORER_TLS": ("tls", "false", _yes_or_no),
    "SCORER_TLS_CA": ("tls_ca", "", _optional_path),
    "SCORER_TLS_CERT": ("tls_cert", "", _optional_path),
    "SCORER_TLS_KEY": ("tls_key", "", _optional_path),
    "SCORER_AUTHORITY": ("authority", "", _text),
    "SCORER_METADATA": ("metadata", "", _metadata),
    "SCORER_CALL_MS": ("call_cap", "2000", _milliseconds(1, 30_000)),
    "SCORER_IDLE_MS": ("idle", "240000", _milliseconds(1_000, 3_600_000)),
    "SCORER_BREAKER_MS": ("breaker", "10000", _milliseconds(0, 3_600_000)),
    "SCORER_EXTERNAL": ("external", "", _external),
    "SCORER_EXTERNAL_KEY": ("external_key", "user_id", read_external_key),
    "SCORER_EXTERNAL_PARTITION_KEY": ("external_partition_key", "id", _named),
    "SCORER_EXTERNAL_TIMEOUT_MS": ("external_patience", "2000", _milliseconds(10, 10_000)),
}
