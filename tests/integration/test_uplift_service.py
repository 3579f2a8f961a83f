"""An uplift bundle behind the service and in the function: outputs, decisions, and stand-ins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from function.bootstrap import build_handler
from function.errors import SettingsError
from function.records import Decision
from model.score_kind import UPLIFT
from protos import open_inference_pb2 as pb
from protos.open_inference_pb2_grpc import GRPCInferenceServiceStub
from segment_scorer.service.server import Service, load_model
from segment_scorer.service.settings import ServiceSettings
from tests.bundles import (
    COLUMNS,
    NAME,
    expected_effects,
    make_bundle,
    make_uplift_bundle,
)
from tests.fakes import Watcher, make_endpoint, make_event, read_log

PEOPLE = 50
NOWHERE = "localhost:1"
# A negative threshold and band: some of the people are put off, and kept all the same.
POLICY = """
threshold = -0.1
band_attribute = "Band"
[[band]]
name = "put off"
at_least = -1
[[band]]
name = "moved"
at_least = 0.02
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        "uplift": make_uplift_bundle(folder / "uplift"),
        "response": make_bundle(folder / "response"),
    }


@pytest.fixture(scope="module")
def targets(bundles: dict[str, Path]) -> Iterator[dict[str, str]]:
    """kind -> address of a service of that kind."""
    services = {
        kind: Service(load_model(path), ServiceSettings(bundle=path, listen=("127.0.0.1:0",)))
        for kind, path in bundles.items()
    }
    yield {kind: service.addresses[0] for kind, service in services.items()}
    for service in services.values():
        service.stop()


def make_people(count: int = PEOPLE) -> tuple[dict[str, Any], np.ndarray]:
    """An event, and the effects of the uplift model on its people."""
    rows = np.random.default_rng(3).normal(size=(count, len(COLUMNS))).astype(np.float32)
    people = {
        f"id-{index}": make_endpoint(Metrics=dict(zip(COLUMNS, map(float, row), strict=True)))
        for index, row in enumerate(rows)
    }
    return make_event(people), expected_effects(rows)


def ask(
    tmp_path: Path, bundle: Path, policy: str = POLICY, **settings: str
) -> tuple[dict[str, Any], list[Decision], list[dict[str, Any]]]:
    """The reply to the people, the decisions and the log."""
    path = tmp_path / "policy.toml"
    path.write_text(policy)
    watcher, log = Watcher(), io.StringIO()
    environ = {
        "SCORER_BUNDLE": str(bundle),
        "SCORER_POLICY": str(path),
        "SCORER_CALL_MS": "20000",
        **{f"SCORER_{name.upper()}": value for name, value in settings.items()},
    }
    handler = build_handler(environ, observer=watcher, stream=log)
    reply = handler(make_people()[0], None)
    return reply, watcher.decisions, read_log(log.getvalue())


def test_the_service_tells_the_one_output_of_an_uplift_model(targets: dict[str, str]) -> None:
    with grpc.insecure_channel(targets["uplift"]) as channel:
        stub = GRPCInferenceServiceStub(channel)
        metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name=NAME), timeout=30)
    (output,) = metadata.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("effect", "FP32", [-1, 1])


def test_bundled_and_remote_decide_the_same_with_the_sign_in_the_attribute(
    tmp_path: Path, bundles: dict[str, Path], targets: dict[str, str]
) -> None:
    reply, decisions, log = ask(tmp_path, bundles["uplift"])
    remote = ask(
        tmp_path, bundles["uplift"], target=targets["uplift"], fallback="none", datatype="FP64"
    )
    assert (reply, decisions) == remote[:2]
    event, effects = make_people()
    kept = [id_ for id_, effect in zip(event["Endpoints"], effects, strict=True) if effect >= -0.1]
    assert list(reply) == kept
    texts = [reply[id_]["Attributes"]["Score"][0] for id_ in kept]
    wanted = effects[effects >= -0.1]
    assert np.allclose([float(text) for text in texts], wanted, rtol=0, atol=6e-5)
    assert any(text.startswith("-") for text in texts)
    bands = {id_: reply[id_]["Attributes"]["Band"][0] for id_ in kept}
    assert set(bands.values()) == {"put off", "moved"}
    (batch,) = [line for line in log if line["message"] == "batch"]
    assert sum(batch["score_bins"]) == len(effects)


@pytest.mark.parametrize("mine", ["uplift", "response"])
def test_a_service_of_the_other_kind_is_refused_and_the_bundle_decides(
    tmp_path: Path, bundles: dict[str, Path], targets: dict[str, str], mine: str
) -> None:
    other = {"uplift": "response", "response": "uplift"}[mine]
    policy = "threshold = 0.1\n"
    alone = ask(tmp_path, bundles[mine], policy)
    for output in ({}, {"output": "*"}):
        reply, decisions, log = ask(
            tmp_path, bundles[mine], policy, target=targets[other], **output
        )
        assert (reply, decisions) == alone[:2]
        batch = next(line for line in log if line["message"] == "batch")
        assert (batch["fallback_used"], batch["error"]) == (1, "ScorerRejected")


def test_a_response_model_does_not_stand_in_for_an_uplift_service(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    reply, decisions, log = ask(
        tmp_path,
        bundles["response"],
        'on_error = "drop"\n' + POLICY,
        target=NOWHERE,
        score_kind="uplift",
    )
    assert reply == {}
    assert {decision.reason for decision in decisions} == {"no_scores"}
    assert "the service gives uplift scores and the bundle response scores" in log[0]["message"]
    batch = next(line for line in log if line["message"] == "batch")
    assert (batch["fallback_used"], batch["error"]) == (0, "ScorerUnavailable")


def test_it_stands_in_where_the_policy_says_so(tmp_path: Path, bundles: dict[str, Path]) -> None:
    policy = 'on_other_kind = "score"\n' + POLICY
    settings = {"target": NOWHERE, "score_kind": "uplift"}
    reply, decisions, log = ask(tmp_path, bundles["response"], policy, **settings)
    assert all(decision.score is not None and decision.score > 0 for decision in decisions)
    assert len(reply) == len(decisions)
    batch = next(line for line in log if line["message"] == "batch")
    assert batch["fallback_used"] == 1
    assert "score_bins" not in batch


def test_an_uplift_service_decides_beside_a_bundle_of_responses(
    tmp_path: Path, bundles: dict[str, Path], targets: dict[str, str]
) -> None:
    reply, decisions, _ = ask(tmp_path, bundles["uplift"])
    settings = {"target": targets["uplift"], "score_kind": "uplift"}
    assert ask(tmp_path, bundles["response"], **settings)[:2] == (reply, decisions)


def test_the_bundles_threshold_is_refused_for_scores_of_another_kind(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    with pytest.raises(SettingsError, match="another kind than the bundle's, found the model's"):
        ask(tmp_path, bundles["response"], "", target=NOWHERE, score_kind="uplift")


def test_naming_the_bundles_own_kind_changes_nothing(
    tmp_path: Path, bundles: dict[str, Path], targets: dict[str, str]
) -> None:
    plain = ask(tmp_path, bundles["uplift"], "", target=targets["uplift"])
    named = ask(tmp_path, bundles["uplift"], "", target=targets["uplift"], score_kind=UPLIFT.kind)
    assert plain[:2] == named[:2]
