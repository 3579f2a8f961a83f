"""The service's command line, without a server: options, environment, statuses, messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.bundle import SHIPPED
from protos.tls import TlsFiles
from segment_scorer.service.command import main
from segment_scorer.service.errors import ServiceError
from segment_scorer.service.options import make_parser
from segment_scorer.service.settings import ServiceSettings


class Served:
    """Takes the settings that would be served, or raises `error`."""

    def __init__(self) -> None:
        self.settings: list[ServiceSettings] = []
        self.error: BaseException | None = None

    def __call__(self, settings: ServiceSettings) -> None:
        if self.error:
            raise self.error
        self.settings.append(settings)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """Stands in for a server, in an environment without SERVE_*."""
    for name in ("SERVE_LISTEN", "SERVE_PROBE"):
        monkeypatch.delenv(name, raising=False)
    return Served()


def serve(served: Served, *arguments: str) -> ServiceSettings:
    assert main(arguments, serve=served) == 0
    return served.settings.pop()


def test_without_options_it_serves_the_shipped_bundle_on_loopback(
    served: Served,
) -> None:
    assert serve(served) == ServiceSettings(bundle=SHIPPED, listen=("127.0.0.1:8081",))


def test_every_option_reaches_the_settings(served: Served) -> None:
    files = ("--tls-cert", "c.pem", "--tls-key", "k.pem", "--tls-client-ca", "a.pem")
    addresses = ("--listen", "127.0.0.1:1", "--listen", "unix:/a.sock", "--probe", "unix:/p.sock")
    numbers = ("--max-rows", "7", "--max-calls", "3", "--grace", "0.5", "--max-connections", "9")
    times = ("--call-timeout", "1.5", "--idle-timeout", "0", "--metrics", "127.0.0.1:9")
    given = (*files, *addresses, *numbers, *times, "--bundle", "b", "--no-reflection")
    assert serve(served, *given) == ServiceSettings(
        bundle=Path("b"),
        listen=("127.0.0.1:1", "unix:/a.sock", "unix:/p.sock"),
        tls=TlsFiles(authority=Path("a.pem"), certificate=Path("c.pem"), key=Path("k.pem")),
        max_rows=7,
        metrics="127.0.0.1:9",
        max_calls=3,
        max_connections=9,
        call_timeout=1.5,
        idle_timeout=0,
        grace=0.5,
        reflection=False,
    )


@pytest.mark.parametrize(
    ("environ", "arguments", "listen"),
    [
        ({"SERVE_LISTEN": "h:1 unix:/a"}, [], ["h:1", "unix:/a"]),
        ({"SERVE_LISTEN": " "}, [], ["127.0.0.1:8081"]),
        ({"SERVE_LISTEN": "h:1"}, ["--listen", "h:2"], ["h:2"]),
        ({"SERVE_PROBE": "unix:/p"}, [], ["127.0.0.1:8081", "unix:/p"]),
        ({"SERVE_PROBE": ""}, [], ["127.0.0.1:8081"]),
        ({"SERVE_PROBE": "unix:/p"}, ["--probe", "unix:/q"], ["127.0.0.1:8081", "unix:/q"]),
        ({"SERVE_PROBE": "unix:/p"}, ["--probe", ""], ["127.0.0.1:8081"]),
    ],
)
def test_the_environment_names_addresses_where_no_option_does(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    arguments: list[str],
    listen: list[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert list(serve(served, *arguments).listen) == listen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tls-cert", "c.pem"], "--tls-cert and --tls-key together"),
        (["--tls-key", "k.pem"], "--tls-cert and --tls-key together"),
        (["--tls-client-ca", "a.pem"], "--tls-client-ca: expected --tls-cert and --tls-key"),
        (["--probe", "127.0.0.1:1"], "--probe: expected unix:/path"),
    ],
)
def test_options_that_do_not_fit_together_are_one_sentence_and_status_1(
    served: Served,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments, "segment-scorer serve", serve=served) == 1
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "ERROR"
    assert words in line["message"]
    assert not served.settings


def test_a_probe_of_the_environment_is_named_as_such(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SERVE_PROBE", "127.0.0.1:1")
    assert main([], serve=served) == 1
    assert "SERVE_PROBE: expected unix:/path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        *(
            (["--grace", value], "--grace: expected seconds from 0 to 3,600, found")
            for value in ("inf", "nan", "-1", "3601", "1e400", "soon", "")
        ),
        *(
            (
                ["--max-rows", value],
                "--max-rows: expected a whole number from 1 to 1,000,000, found",
            )
            for value in ("0", "-1", "1000001", "inf", "1.5", "9" * 5000)
        ),
        *(
            (["--max-calls", value], "--max-calls: expected a whole number from 1 to 1,000, found")
            for value in ("0", "-1", "1001", "nan")
        ),
        *(
            (["--call-timeout", value], "--call-timeout: expected seconds from 0.1 to 3,600, found")
            for value in ("0", "nan", "3601", "")
        ),
        (["--idle-timeout", "-1"], "--idle-timeout: expected seconds from 0 to 86,400, found"),
        (["--workers", "0"], "--workers: expected a whole number from 1 to 256, found"),
        (["--max-connections", "0"], "--max-connections: expected a whole number from 1 to 60,000"),
        (["--bundle", ""], "--bundle: expected a path, found nothing"),
        (["--log-level", "loud"], "--log-level"),
        (["--max-row", "1"], "--max-row"),  # no abbreviations: a later option could take them over
        (["file"], "file"),
    ],
)
def test_wrong_usage_names_the_option_and_is_status_2(
    served: Served,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments, serve=served) == 2
    assert words in capsys.readouterr().err
    assert not served.settings


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ServiceError("the port is in use"), 1, "the port is"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("a secret"), 1, "failed"),
    ],
)
def test_a_service_that_cannot_go_on_is_one_sentence_and_its_status(
    served: Served,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    words: str,
) -> None:
    served.error = error
    assert main([], serve=served) == status
    line = json.loads(capsys.readouterr().err)
    assert line["level"] == "ERROR"
    assert line["message"].startswith(words)
    assert "secret" not in json.dumps(line)


def test_help_explains_every_option_and_ends_with_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"], "segment-scorer serve") == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage: segment-scorer serve")
    assert "Example: segment-scorer serve --listen" in " ".join(text.split())
    actions: list[Any] = make_parser("serve")._actions
    assert all(action.help for action in actions)
    assert all(option in text for action in actions for option in action.option_strings)
