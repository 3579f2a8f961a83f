"""function/settings.py: the environment, read strictly and once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from function.errors import SettingsError
from function.settings import (
    READERS,
    Dialect,
    ExternalSettings,
    RemoteSettings,
    Settings,
    WebSettings,
    read_settings,
)

METADATA_SENTENCE = (
    "SCORER_METADATA: expected name=value pairs with commas between, names in lower case, "
    "no -bin names, values printable ASCII"
)
KEY_SENTENCE = (
    "SCORER_EXTERNAL_KEY: expected user_id, endpoint_id or a path below the endpoint document "
    "such as Attributes.CustomerNumber"
)


def list_fields(kind: type[Any], prefix: str) -> list[str]:
    return [prefix + field.name for field in msgspec.structs.fields(kind)]


def test_an_empty_environment_gives_the_shipped_bundle_and_policy() -> None:
    settings = read_settings({})
    assert settings.bundle.joinpath("manifest.json").is_file()
    assert settings.policy.is_file()
    assert settings.remote is None
    assert settings.reserve == 0.5


def test_every_setting_fills_one_field_and_every_field_has_a_setting() -> None:
    fields = [
        *list_fields(Settings, ""),
        *list_fields(RemoteSettings, "remote."),
        *list_fields(Dialect, "remote.dialect."),
        *list_fields(ExternalSettings, "external."),
        *list_fields(WebSettings, "web."),
    ]
    groups = {"remote", "remote.dialect", "external", "web"}
    assert sorted(path for path, _ in READERS.values()) == sorted(set(fields) - groups)


def test_other_variables_are_not_ours() -> None:
    assert read_settings({"PATH": "/bin", "AWS_REGION": "x"}) == read_settings({})


def test_an_empty_text_is_a_setting_that_is_not_set() -> None:
    # `sam local` passes every variable of the template, those without a value as empty texts.
    assert read_settings(dict.fromkeys(READERS, "")) == read_settings({})


def test_a_star_stands_for_the_only_output() -> None:
    remote = read_settings({"SCORER_TARGET": "localhost:1", "SCORER_OUTPUT": "*"}).remote
    assert remote is not None
    assert remote.dialect.output_name == ""


def test_settings_are_read() -> None:
    settings = read_settings(
        {
            "SCORER_BUNDLE": "/b",
            "SCORER_POLICY": "/p.toml",
            "SCORER_RESERVE_MS": "250",
            "SCORER_LOG_LEVEL": "DEBUG",
        }
    )
    assert (settings.bundle, settings.policy, settings.reserve, settings.log_level) == (
        Path("/b"),
        Path("/p.toml"),
        0.25,
        "DEBUG",
    )


def test_the_key_of_a_profile_becomes_steps_through_the_endpoint_document() -> None:
    keys = {
        "user_id": ("User", "UserId"),
        "endpoint_id": (),
        "Attributes.a.b": ("Attributes", "a.b"),
    }
    keys["User.UserAttributes.Account"] = ("User", "UserAttributes", "Account")
    assert {key: read_settings({"SCORER_EXTERNAL_KEY": key}).external.key for key in keys} == keys


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SCORER_BUNDEL", "/b", "SCORER_BUNDEL: unknown setting"),
        ("SCORER_PROFILES", "sqlite:p", "SCORER_PROFILES is now SCORER_EXTERNAL"),
        ("SCORER_FALLBACK", "yes", "SCORER_FALLBACK: expected one of bundled, none"),
        (
            "SCORER_RESERVE_MS",
            "-1",
            "SCORER_RESERVE_MS: expected whole milliseconds from 0 to 10000",
        ),
        (
            "SCORER_RESERVE_MS",
            "0.5",
            "SCORER_RESERVE_MS: expected whole milliseconds from 0 to 10000",
        ),
        (
            "SCORER_RESERVE_MS",
            "\u0663",
            "SCORER_RESERVE_MS: expected whole milliseconds from 0 to 10000",
        ),
        (
            "SCORER_TARGET",
            "example.com",
            "SCORER_TARGET: expected bundled, host:port, dns:///host:port or unix:/path",
        ),
        (
            "SCORER_TARGET",
            "http://example.com:80",
            "SCORER_TARGET: expected bundled, host:port, dns:///host:port or unix:/path",
        ),
        (
            "SCORER_TARGET",
            "localhost:65536",
            "SCORER_TARGET: expected bundled, host:port, dns:///host:port or unix:/path",
        ),
        ("SCORER_MODEL", "\udcff", "SCORER_MODEL: expected text in UTF-8"),
        ("SCORER_INPUT", "\udcff", "SCORER_INPUT: expected text in UTF-8"),
        ("SCORER_DATATYPE", "INT64", "SCORER_DATATYPE: expected one of FP32, FP64"),
        ("SCORER_ENCODING", "json", "SCORER_ENCODING: expected one of raw, contents"),
        ("SCORER_SCORE_KIND", "lift", "SCORER_SCORE_KIND: expected one of response, uplift"),
        (
            "SCORER_POSITIVE_COLUMN",
            "-1",
            "SCORER_POSITIVE_COLUMN: expected a column's index from 0, or nothing",
        ),
        ("SCORER_TLS", "1", "SCORER_TLS: expected one of true, false"),
        ("SCORER_TLS_CERT", "/c.pem", "SCORER_TLS_CERT, SCORER_TLS_KEY: expected both or neither"),
        ("SCORER_METADATA", "X-Key=secret", METADATA_SENTENCE),
        ("SCORER_METADATA", "key-bin=x", METADATA_SENTENCE),
        ("SCORER_METADATA", "grpc-timeout=1S", METADATA_SENTENCE),
        ("SCORER_METADATA", "key=caf\u00e9", METADATA_SENTENCE),
        ("SCORER_CALL_MS", "0", "SCORER_CALL_MS: expected whole milliseconds from 1 to 30000"),
        (
            "SCORER_EXTERNAL",
            "sqlite:",
            "SCORER_EXTERNAL: expected nothing, sqlite:PATH or dynamodb:TABLE",
        ),
        (
            "SCORER_EXTERNAL",
            "/p.sqlite",
            "SCORER_EXTERNAL: expected nothing, sqlite:PATH or dynamodb:TABLE",
        ),
        (
            "SCORER_EXTERNAL",
            "dynamodb:a b",
            "SCORER_EXTERNAL: expected nothing, sqlite:PATH or dynamodb:TABLE",
        ),
        (
            "SCORER_EXTERNAL_KEY",
            "External.id",
            KEY_SENTENCE,
        ),
        (
            "SCORER_EXTERNAL_KEY",
            "UserId",
            KEY_SENTENCE,
        ),
        (
            "SCORER_EXTERNAL_TIMEOUT_MS",
            "0",
            "SCORER_EXTERNAL_TIMEOUT_MS: expected whole milliseconds from 10 to 10000",
        ),
        (
            "SCORER_LOG_LEVEL",
            "info",
            "SCORER_LOG_LEVEL: expected one of DEBUG, INFO, WARNING, ERROR",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected_and_never_its_value(
    name: str, value: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({name: value})
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    "target",
    [
        "bundled",
        "localhost:8081",
        "10.0.0.1:65535",
        "[::1]:8081",
        "dns:///scorer.internal:8081",
        "unix:/tmp/s.sock",
    ],
)
def test_a_target_is_the_bundle_or_an_address(target: str) -> None:
    remote = read_settings({"SCORER_TARGET": target}).remote
    assert (remote.target if remote else "bundled") == target


def test_metadata_are_pairs() -> None:
    environ = {"SCORER_METADATA": "x-api-key=a=b,tenant=c d", "SCORER_TARGET": "localhost:1"}
    remote = read_settings(environ).remote
    assert remote is not None
    assert remote.metadata == (
        ("x-api-key", "a=b"),
        ("tenant", "c d"),
    )


def test_one_error_lists_every_problem() -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({"SCORER_X": "", "SCORER_FALLBACK": "x", "SCORER_RESERVE_MS": "x"})
    assert str(raised.value).count(";") == 2


@pytest.mark.parametrize("name", ["SCORER_RESERVE_MS", "SCORER_POSITIVE_COLUMN"])
def test_a_number_of_thousands_of_digits_is_refused_like_another(name: str) -> None:
    for digits in ("9" * 5_000, "0" * 5_000):
        with pytest.raises(SettingsError, match=rf"^{name}: expected (whole|a column)"):
            read_settings({name: digits})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCORER_SERVICE_HOST", "10.0.48.109"),
        ("SCORER_SERVICE_PORT", "8081"),
        ("SCORER_SERVICE_PORT_GRPC", "8081"),
        ("SCORER_PORT", "tcp://10.0.48.109:8081"),
        ("SCORER_PORT_8081_TCP", "tcp://10.0.48.109:8081"),
        ("SCORER_PORT_8081_TCP_PROTO", "tcp"),
        ("SCORER_PORT_53_UDP_ADDR", "10.0.48.109"),
        ("SCORER_TARGET_SERVICE_HOST", "10.0.48.110"),
    ],
)
def test_a_variable_of_a_kubernetes_service_is_not_a_setting(name: str, value: str) -> None:
    assert read_settings({name: value}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCORER_PORT", "8081"),
        ("SCORER_PORT_TCP", "8081"),
        ("SCORER_PORT_8081_TCP_HOST", "x"),
        ("SCORER_HOST", "10.0.48.109"),
        ("SCORER_SERVICE", "x"),
    ],
)
def test_a_variable_of_nearly_that_form_is_an_unknown_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: unknown setting$"):
        read_settings({name: value})
