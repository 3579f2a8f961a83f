"""Reads the environment into one frozen Settings, or raises one SettingsError with every problem.

Reads no file and no clock. Each setting has one field here, and the field has its only default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from function.errors import SettingsError
from function.renamed import explain_rename
from function.setting_values import (
    BUNDLED,
    read_choice,
    read_column,
    read_metadata,
    read_milliseconds,
    read_output,
    read_score_kind_name,
    read_secrets,
    read_share,
    read_store,
    read_target,
    read_text,
    read_yes_or_no,
)
from model.bundle import SHIPPED
from model.feature_paths import find_path_problem, split_path
from model.profile_names import AUTO, CHOICES, NAMINGS, Naming
from model.score_kind import RESPONSE, ScoreKind

PREFIX = "SCORER_"
ROOT = Path(__file__).parent.parent
SHIPPED_POLICY = ROOT / "function" / "policy.toml"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# Variables of a Kubernetes Service: NAME_SERVICE_HOST, NAME_SERVICE_PORT_GRPC, NAME_PORT_8081_TCP
SERVICE_VARIABLE = (
    r".+_SERVICE_HOST|.+_SERVICE_PORT(_.+)?|.+_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
PROTOCOLS = ("tcp://", "udp://", "sctp://")


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The names and types that a scoring service expects. The defaults are those of our service.

    model            name of the model; "" is the bundle's name
    version          "": the service picks one
    input_name       name of the one input tensor
    datatype         of the values sent: FP32 or FP64
    encoding         raw: little-endian bytes; contents: typed fields
    score            what the service's scores mean; None: the same as the bundle's
    output_name      the output with the scores; "": the only output; None: as our service calls it
    positive_column  the column of [n, k] that is the score; None: the last of [n], [n, 1] or [n, 2]
    """

    model: str = ""
    version: str = ""
    input_name: str = "input"
    datatype: str = "FP32"
    encoding: str = "raw"
    output_name: str | None = None
    positive_column: int | None = None
    score: ScoreKind | None = None

    @property
    def kind(self) -> ScoreKind:
        """What the scores mean."""
        return self.score or RESPONSE

    @property
    def output(self) -> str:
        """The output to ask for; "": none by name."""
        return self.kind.output if self.output_name is None else self.output_name


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A scoring service: its address, and how to call it. Times in seconds.

    target     `dns:///host:port`, `host:port` or `unix:/path`
    tls        use TLS, with the certificate authorities that gRPC ships or with those in `tls_ca`
    tls_cert   with `tls_key`: PEM files for mutual TLS
    authority  the name that the server's certificate must carry, if it is not the target's host
    metadata   sent with each call: lower-case names and their values, such as an API key
    call_cap   the longest that one call may take, retries included
    idle       a connection without a call for so long is replaced: it may have been dropped
               silently while Lambda kept the process frozen
    breaker    pause after a missed deadline, in which the service is not called
    """

    target: str
    dialect: Dialect
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    authority: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    call_cap: float = 2.0
    idle: float = 240.0
    breaker: float = 10.0


class ExternalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The store of external attributes. `timeout` in seconds.

    store          "" (none), `sqlite:PATH` or `dynamodb:TABLE`
    key            steps through the endpoint document to the key of a person's attributes; no
                   steps: the endpoint's id
    partition_key  name of the table's partition key (DynamoDB)
    """

    store: str = ""
    key: tuple[str, ...] = ("User", "UserId")
    partition_key: str = "id"
    timeout: float = 2.0


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call over HTTP.

    auth     iam: callers whom AWS IAM has authenticated. secret: callers with one of the secrets
    secrets  valid at once, so that each caller can change to a new one in its own time
    """

    auth: str = "iam"
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the secrets: a traceback may show it."""
        return f"{type(self).__name__}(auth={self.auth!r})"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The function's settings. README, "Settings", explains each for its user.

    remote    the scoring service that is asked; None: the bundled model scores
    fallback  `bundled` or `none`: what scores if the service fails
    reserve   seconds held back from every budget
    bins_share  share of the batches whose record has drift bins
    profile_names  which migration named the attributes of customer profiles
    """

    bundle: Path = SHIPPED
    policy: Path = SHIPPED_POLICY
    fallback: str = BUNDLED
    reserve: float = 0.5
    log_level: str = "INFO"
    bins_share: float = 1.0
    profile_names: str = AUTO
    remote: RemoteSettings | None = None
    external: ExternalSettings = ExternalSettings()
    web: WebSettings = WebSettings()

    @property
    def naming(self) -> Naming | None:
        """How attributes of customer profiles are named; None: those of each profile tell it."""
        return NAMINGS.get(self.profile_names)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read every `SCORER_*` variable. An empty text is a setting that is not set.

    Ignores the variables that Kubernetes sets for a Service whose name begins with `scorer`.
    Raises SettingsError for unknown names and for values outside their range, all problems at once.
    """
    problems = [
        explain_rename("setting", name) or f"{name}: unknown setting"
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in READERS and not is_service_variable(name, value)
    ]
    groups = ("", "remote", "remote.dialect", "external", "web")
    found: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for name, (path, read) in READERS.items():
        if environ.get(name):
            group, _, field = path.rpartition(".")
            try:
                found[group][field] = read(environ[name])
            except ValueError as error:
                problems.append(f"{name}: expected {error}")
    if bool(environ.get("SCORER_TLS_CERT")) != bool(environ.get("SCORER_TLS_KEY")):
        problems.append("SCORER_TLS_CERT, SCORER_TLS_KEY: expected both or neither")
    if (environ.get("SCORER_WEB_AUTH") or "secret") == "iam" and environ.get("SCORER_WEB_SECRETS"):
        problems.append("SCORER_WEB_AUTH, SCORER_WEB_SECRETS: expected no secrets with iam")
    if environ.get("SCORER_WEB_AUTH") == "secret" and not environ.get("SCORER_WEB_SECRETS"):
        problems.append("SCORER_WEB_SECRETS: expected one secret or more with SCORER_WEB_AUTH")
    if problems:
        raise SettingsError("; ".join(problems))
    remote = None
    if found["remote"].get("target", BUNDLED) != BUNDLED:
        remote = RemoteSettings(dialect=Dialect(**found["remote.dialect"]), **found["remote"])
    if "secrets" in found["web"]:
        found["web"]["auth"] = "secret"
    return Settings(
        remote=remote,
        external=ExternalSettings(**found["external"]),
        web=WebSettings(**found["web"]),
        **found[""],
    )


def is_service_variable(name: str, value: str) -> bool:
    """Whether Kubernetes (or a Docker link) sets this variable, in every container of a namespace.

    Source: Kubernetes, "Service", "Environment variables".
    """
    if name.endswith("_PORT") and value.startswith(PROTOCOLS):
        return True
    return re.fullmatch(SERVICE_VARIABLE, name) is not None


def read_external_key(text: str) -> tuple[str, ...]:
    """Read SCORER_EXTERNAL_KEY into steps through an endpoint document. Raises ValueError.

    No steps stand for the endpoint's own id.
    """
    path = {"user_id": "User.UserId", "endpoint_id": ""}.get(text, text)
    if path == text and (text.startswith("External.") or find_path_problem(text)):
        raise ValueError(
            "user_id, endpoint_id or a path below the endpoint document such as "
            "Attributes.CustomerNumber"
        )
    return split_path(path) if path else ()


Read: TypeAlias = Callable[[str], Any]
# variable -> field of Settings, by its path, and how the text is read
READERS: Mapping[str, tuple[str, Read]] = {
    "SCORER_BUNDLE": ("bundle", Path),
    "SCORER_POLICY": ("policy", Path),
    "SCORER_FALLBACK": ("fallback", read_choice(BUNDLED, "none")),
    "SCORER_RESERVE_MS": ("reserve", read_milliseconds(0, 10_000)),
    "SCORER_LOG_LEVEL": ("log_level", read_choice(*LEVELS)),
    "SCORER_BINS_SHARE": ("bins_share", read_share),
    "SCORER_PROFILE_NAMES": ("profile_names", read_choice(*CHOICES)),
    "SCORER_TARGET": ("remote.target", read_target),
    "SCORER_MODEL": ("remote.dialect.model", read_text),
    "SCORER_MODEL_VERSION": ("remote.dialect.version", read_text),
    "SCORER_INPUT": ("remote.dialect.input_name", read_text),
    "SCORER_DATATYPE": ("remote.dialect.datatype", read_choice("FP32", "FP64")),
    "SCORER_ENCODING": ("remote.dialect.encoding", read_choice("raw", "contents")),
    "SCORER_OUTPUT": ("remote.dialect.output_name", read_output),
    "SCORER_SCORE_KIND": ("remote.dialect.score", read_score_kind_name),
    "SCORER_POSITIVE_COLUMN": ("remote.dialect.positive_column", read_column),
    "SCORER_TLS": ("remote.tls", read_yes_or_no),
    "SCORER_TLS_CA": ("remote.tls_ca", Path),
    "SCORER_TLS_CERT": ("remote.tls_cert", Path),
    "SCORER_TLS_KEY": ("remote.tls_key", Path),
    "SCORER_AUTHORITY": ("remote.authority", read_text),
    "SCORER_METADATA": ("remote.metadata", read_metadata),
    "SCORER_CALL_MS": ("remote.call_cap", read_milliseconds(1, 30_000)),
    "SCORER_IDLE_MS": ("remote.idle", read_milliseconds(1_000, 3_600_000)),
    "SCORER_BREAKER_MS": ("remote.breaker", read_milliseconds(0, 3_600_000)),
    "SCORER_EXTERNAL": ("external.store", read_store),
    "SCORER_EXTERNAL_KEY": ("external.key", read_external_key),
    "SCORER_EXTERNAL_PARTITION_KEY": ("external.partition_key", read_text),
    "SCORER_EXTERNAL_TIMEOUT_MS": ("external.timeout", read_milliseconds(10, 10_000)),
    "SCORER_WEB_AUTH": ("web.auth", read_choice("iam", "secret")),
    "SCORER_WEB_SECRETS": ("web.secrets", read_secrets),
}
