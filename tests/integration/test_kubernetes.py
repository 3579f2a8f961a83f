"""The Kubernetes manifests: valid by schema, and their probes ask what a real server answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segment_scorer.service.options import make_parser
from tests.bundles import make_bundle
from tests.processes import Server, run_server
from tests.templates import ROOT, program

FOLDER = ROOT / "segment_scorer" / "deploy" / "kubernetes"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# The key of each list that `kubectl patch` merges item by item (Kubernetes' API reference).
MERGED_BY = {"containers": "name", "volumes": "name", "volumeMounts": "mountPath"}


def read_manifests() -> tuple[dict[str, Any], dict[str, Any]]:
    service, deployment = yaml.safe_load_all((FOLDER / "scoring-service.yaml").read_text("utf-8"))
    return service, deployment


def merge(before: Any, patch: Any, name: str = "") -> Any:
    """A strategic merge patch, as `kubectl patch` makes it."""
    if isinstance(before, dict) and isinstance(patch, dict):
        merged = {**before}
        for key, value in patch.items():
            merged[key] = merge(before.get(key), value, key)
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(before, list) and name in MERGED_BY:
        key = MERGED_BY[name]
        patched = {each[key]: each for each in patch}
        kept = [merge(each, patched.pop(each[key], {})) for each in before]
        return [*kept, *patched.values()]
    return patch


def with_tls() -> dict[str, Any]:
    patch = yaml.safe_load((FOLDER / "tls-patch.yaml").read_text("utf-8"))
    merged: dict[str, Any] = merge(read_manifests()[1], patch)
    return merged


def container_of(deployment: dict[str, Any]) -> dict[str, Any]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def validate(*documents: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    files = []
    for number, document in enumerate(documents):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(json.dumps(document))
    return subprocess.run(
        [program("kubernetes-validate", "kubernetes"), "--strict", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_manifests_are_valid_with_and_without_tls(tmp_path: Path) -> None:
    done = validate(*read_manifests(), with_tls(), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" passed for resource ") == 3


def test_the_check_is_able_to_fail(tmp_path: Path) -> None:
    wrong = json.loads(json.dumps(read_manifests()[1]))
    container_of(wrong)["readinessProbe"]["grpc"]["prot"] = 1
    assert validate(wrong, folder=tmp_path).returncode != 0


def test_the_name_has_the_address_of_every_server_that_the_deployment_starts() -> None:
    service, deployment = read_manifests()
    assert service["spec"]["clusterIP"] == "None"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    port, metrics = container_of(deployment)["ports"]
    assert str(metrics["containerPort"]) in container_of(deployment)["args"][1]
    assert port["containerPort"] == service["spec"]["ports"][0]["port"] == 8081


def test_without_tls_kubernetes_asks_over_grpc_and_with_tls_the_probe_in_the_container() -> None:
    for name in PROBES:
        assert "exec" not in container_of(read_manifests()[1])[name]
        probe = container_of(with_tls())[name]
        assert "grpc" not in probe
        assert probe["exec"]["command"] == ["python", "-m", "segment_scorer.service.probe"]


def test_the_service_takes_the_options_of_the_manifests() -> None:
    for deployment in (read_manifests()[1], with_tls()):
        make_parser("serve").parse_args(container_of(deployment)["args"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(make_bundle(tmp_path_factory.mktemp("probes") / "bundle")) as server:
        yield server


@pytest.mark.parametrize("name", PROBES)
def test_a_real_server_answers_each_probe(name: str, server: Server) -> None:
    asked = container_of(read_manifests()[1])[name]["grpc"].get("service", "")
    with grpc.insecure_channel(server.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=asked), timeout=30, wait_for_ready=True
        )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
