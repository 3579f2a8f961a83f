"""function/scorers/remote.py without a server; tests/integration/test_remote_*.py have calls."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import numpy as np
import pytest

from function.errors import ScorerError, ScorerTimeout, ScorerUnavailable, SettingsError
from function.scorers.causes import STATUSES
from function.scorers.remote import (
    OPTIONS,
    RemoteScorer,
    is_local,
    load_credentials,
    name_label,
)
from function.settings import Dialect, RemoteSettings
from protos.open_inference_pb2 import DESCRIPTOR
from tests.certificates import Authority

NOWHERE = RemoteSettings(target="localhost:1", dialect=Dialect(model="m"))


def test_every_grpc_status_but_ok_has_its_error() -> None:
    assert set(STATUSES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_only_a_missed_deadline_is_a_timeout_and_only_passing_trouble_is_unavailable() -> None:
    kinds = {status: kind for status, (kind, _) in STATUSES.items()}
    assert [status.name for status, kind in kinds.items() if kind is ScorerTimeout] == [
        "DEADLINE_EXCEEDED"
    ]
    assert {status.name for status, kind in kinds.items() if kind is ScorerUnavailable} == {
        "CANCELLED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "UNAVAILABLE",
    }
    assert all(issubclass(kind, ScorerError) and kind is not ScorerError for kind in kinds.values())


def test_retries_only_what_did_not_reach_the_model_and_throttles() -> None:
    config = json.loads(str(OPTIONS["grpc.service_config"]))
    (method,) = config["methodConfig"]
    assert method["name"] == [
        {"service": DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name}
    ]
    assert set(method["retryPolicy"]["retryableStatusCodes"]) == {
        "UNAVAILABLE",
        "RESOURCE_EXHAUSTED",
    }
    assert config["retryThrottling"]


def test_sets_keepalive_with_both_of_its_timeouts() -> None:
    assert {
        "grpc.keepalive_time_ms",
        "grpc.keepalive_timeout_ms",
        "grpc.http2.ping_timeout_ms",
    } <= set(OPTIONS)


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("unix:/tmp/s.sock", True),
        ("localhost:8081", True),
        ("127.0.0.1:8081", True),
        ("dns:///localhost:8081", True),
        ("[::1]:8081", True),
        ("localhost.example.com:8081", False),
        ("127.example.com:8081", False),
        ("scorer.internal:8081", False),
        ("dns:///10.0.0.1:8081", False),
    ],
)
def test_knows_which_targets_no_proxy_belongs_before(target: str, local: bool) -> None:
    assert is_local(target) is local


def test_connects_to_nothing_before_the_first_call() -> None:
    assert RemoteScorer(NOWHERE)._channel is None


def test_needs_no_service_for_no_rows() -> None:
    assert RemoteScorer(NOWHERE).score_batch(np.empty((0, 4), np.float32), 1.0).shape == (0,)


def test_does_not_ask_when_no_time_is_left() -> None:
    with pytest.raises(ScorerTimeout, match="no time is left"):
        RemoteScorer(NOWHERE).score_batch(np.zeros((1, 4), np.float32), 0.0)


def test_says_nothing_of_the_target_when_it_cannot_be_reached() -> None:
    with pytest.raises(ScorerUnavailable) as caught:
        RemoteScorer(NOWHERE).score_batch(np.zeros((1, 4), np.float32), 5.0)
    assert str(caught.value) == (
        "the scoring service cannot be reached: nothing listens at the target's port or socket "
        "(gRPC UNAVAILABLE)"
    )


def test_a_label_is_the_name_with_the_version_where_there_is_one() -> None:
    assert (name_label("m", "3"), name_label("m", "")) == ("m@3", "m")


def test_uses_no_tls_unless_told() -> None:
    assert load_credentials(NOWHERE) is None


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("missing", "SCORER_TLS_CA: expected .* no such file"),
        ("no pem", "SCORER_TLS_CA: expected certificates .* found no PEM"),
        ("another key", "SCORER_TLS_KEY: expected .* found another certificate's key"),
    ],
)
def test_refuses_tls_files_that_cannot_be_used_at_start(
    broken: str, words: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    client = authority.sign("client")
    if broken == "missing":
        authority.certificate.unlink()
    elif broken == "no pem":
        authority.certificate.write_text("-")
    else:
        client.key.write_bytes(authority.sign("other").key.read_bytes())
    with pytest.raises(SettingsError, match=words):
        RemoteScorer(
            RemoteSettings(
                target="localhost:1",
                dialect=Dialect(model="m"),
                tls_ca=authority.certificate,
                tls_cert=client.certificate,
                tls_key=client.key,
            )
        )
