"""Push, against a small registry and engine of the test's own.

tests/image/test_push.py uses a real registry and a real engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from segment_scorer.deploy.errors import DeployError
from tools.image.build import VARIANTS
from tools.image.engine import Engine
from tools.image.provenance import read_revision
from tools.release.push import Image, choose_tags, credentials, inspect_image, push_image
from tools.release.registry import Repository, explain_status, open_repository, parse_manifest

ROOT = Path(__file__).parents[2]
CONFIG = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# The test's own engine: `push TARGET` uploads the manifest that an environment variable holds.
ENGINE = """
import json, os, sys, urllib.request
words = sys.argv[1:]
with open(os.environ["LOG"], "a") as log:
    log.write(json.dumps(words) + "\\n")
if words[0] == "push":
    if os.environ.get("BREAK"):
        sys.exit("engine: the push broke")
    host, _, rest = words[-1].partition("/")
    name, _, tag = rest.rpartition(":")
    url = f"http://{host}/v2/{name}/manifests/{tag}"
    body = os.environ["MANIFEST"].encode()
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT"))
elif words[:2] == ["image", "inspect"] and os.environ.get("KNOWN", words[2]) == words[2]:
    print(os.environ["INSPECT"]) if os.environ.get("INSPECT") else sys.exit(1)
"""


def manifest(config: str) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": {"digest": config}, "layers": []}).encode()


class Registry(BaseHTTPRequestHandler):
    """Knows manifests by path; answers 404 as the distribution specification says."""

    manifests: dict[str, bytes]
    status: int | None

    def do_GET(self) -> None:
        body = self.manifests.get(self.path)
        status = self.status or (200 if body else 404)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(
            body if status == 200 and body else b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'
        )

    def do_PUT(self) -> None:
        self.manifests[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[tuple[Repository, type[Registry]]]:
    handler = type("Handler", (Registry,), {"manifests": {}, "status": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield open_repository(f"127.0.0.1:{server.server_port}/team/scorer"), handler
        server.shutdown()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    script = tmp_path / "engine"
    script.write_text(f"#!{sys.executable}\n{ENGINE}")
    script.chmod(0o755)
    return Engine(
        program=str(script),
        environ={
            "LOG": str(tmp_path / "log"),
            "MANIFEST": manifest(CONFIG).decode(),
            "PATH": "/usr/bin:/bin",
        },
    )


def pushed(engine: Engine) -> list[str]:
    log = Path(engine.environ["LOG"])
    words = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [each[-1].rpartition(":")[2] for each in words if each[0] == "push"]


IMAGE = Image(name="segment-scorer:function", config=CONFIG, tags=("1.2.3-0123456789ab", "1.2.3"))


def test_a_free_repository_gets_both_tags_and_the_digest_is_that_of_the_manifests_bytes(
    registry: tuple[Repository, Any], engine: Engine
) -> None:
    repository, _ = registry
    found = push_image(engine, IMAGE, repository)
    assert found.digest == "sha256:" + hashlib.sha256(manifest(CONFIG)).hexdigest()
    assert pushed(engine) == ["1.2.3-0123456789ab", "1.2.3"]


def test_pushing_the_same_image_again_pushes_nothing(
    registry: tuple[Repository, Any], engine: Engine
) -> None:
    repository, _ = registry
    first = push_image(engine, IMAGE, repository)
    assert push_image(engine, IMAGE, repository) == first
    assert len(pushed(engine)) == 2


def test_a_taken_revision_tag_is_never_moved_and_nothing_is_pushed(
    registry: tuple[Repository, Any], engine: Engine
) -> None:
    repository, handler = registry
    path = "/v2/team/scorer/manifests/1.2.3-0123456789ab"
    handler.manifests[path] = manifest(OTHER)
    with pytest.raises(DeployError, match="already names another image, and tags are never moved"):
        push_image(engine, IMAGE, repository)
    assert handler.manifests == {path: manifest(OTHER)}


def test_a_taken_version_tag_stays_where_it_is(
    registry: tuple[Repository, Any], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, handler = registry
    handler.manifests["/v2/team/scorer/manifests/1.2.3"] = manifest(OTHER)
    push_image(engine, IMAGE, repository)
    assert handler.manifests["/v2/team/scorer/manifests/1.2.3"] == manifest(OTHER)
    assert pushed(engine) == ["1.2.3-0123456789ab"]
    assert "1.2.3 still names another image" in capsys.readouterr().err


def test_another_push_at_the_same_moment_is_detected(
    registry: tuple[Repository, Any], engine: Engine
) -> None:
    theirs = Engine(
        program=engine.program, environ={**engine.environ, "MANIFEST": manifest(OTHER).decode()}
    )
    with pytest.raises(DeployError, match="the tag just pushed names another image"):
        push_image(theirs, IMAGE, registry[0])


def test_a_list_of_images_is_refused_since_lambda_takes_none(
    registry: tuple[Repository, Any], engine: Engine
) -> None:
    body = json.dumps({"schemaVersion": 2, "manifests": []})
    lists = Engine(program=engine.program, environ={**engine.environ, "MANIFEST": body})
    image = Image(
        name="x", config="sha256:" + hashlib.sha256(body.encode()).hexdigest(), tags=("1-0123456",)
    )
    with pytest.raises(DeployError, match="found a list of them, which Lambda does not accept"):
        push_image(lists, image, registry[0])


def test_an_engine_that_fails_is_one_sentence(
    registry: tuple[Repository, Any], engine: Engine
) -> None:
    broken = Engine(program=engine.program, environ={**engine.environ, "BREAK": "1"})
    with pytest.raises(
        DeployError,
        match=r"could not push .* tags pushed before stay, no tag was moved",
    ):
        push_image(broken, IMAGE, registry[0])


@pytest.mark.parametrize(
    ("labels", "tags"),
    [
        ({"version": "0.1.0", "revision": COMMIT}, ("0.1.0-0123456789ab", "0.1.0")),
        (
            {"version": "0.1.0", "revision": COMMIT + "-dirty-0123456789ab"},
            ("0.1.0-0123456789ab-dirty-111111111111",),
        ),
    ],
)
def test_tags_say_version_and_revision_and_for_a_changed_tree_the_image_too(
    labels: dict[str, str], tags: tuple[str, ...]
) -> None:
    named = {f"org.opencontainers.image.{name}": value for name, value in labels.items()}
    assert choose_tags(named, CONFIG) == tags
    assert choose_tags(named, CONFIG, "service") == tuple(f"{tag}-service" for tag in tags)


@pytest.mark.parametrize(
    "labels", [{}, {"version": "0.1.0", "revision": "unknown"}, {"version": "", "revision": COMMIT}]
)
def test_an_image_that_does_not_know_what_it_was_built_from_is_refused(
    labels: dict[str, str],
) -> None:
    with pytest.raises(
        DeployError, match="expected the image's labels to name version and git revision"
    ):
        choose_tags(
            {f"org.opencontainers.image.{name}": value for name, value in labels.items()}, CONFIG
        )


def test_an_image_is_known_by_its_own_labels(engine: Engine) -> None:
    labels = {
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": COMMIT,
    }
    for id_ in (CONFIG, CONFIG.removeprefix("sha256:")):  # docker says one, podman the other
        environ = {
            **engine.environ,
            "INSPECT": json.dumps([{"Id": id_, "Config": {"Labels": labels}}]),
        }
        assert (
            inspect_image(
                Engine(program=engine.program, environ=environ), IMAGE.name, revision=COMMIT
            )
            == IMAGE
        )
    with pytest.raises(
        DeployError,
        match="expected a built image segment-scorer:function, found none; run `make image` first",
    ):
        inspect_image(engine, IMAGE.name, revision=COMMIT)


@pytest.mark.parametrize(
    ("image", "tree"),
    [
        (COMMIT, "f" * 40),
        (COMMIT, f"{COMMIT}-dirty-0123456789ab"),
        (f"{COMMIT}-dirty-0123456789ab", COMMIT),
        (f"{COMMIT}-dirty-0123456789ab", f"{COMMIT}-dirty-0123456789ac"),
    ],
)
def test_an_image_of_another_state_of_the_tree_is_refused(
    image: str, tree: str, engine: Engine
) -> None:
    labels = {
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": image,
    }
    inspected = Engine(
        program=engine.program,
        environ={
            **engine.environ,
            "INSPECT": json.dumps([{"Id": CONFIG, "Config": {"Labels": labels}}]),
        },
    )
    assert inspect_image(inspected, IMAGE.name, revision=image).config == CONFIG
    with pytest.raises(
        DeployError,
        match="expected an image of the current tree, found one built from another state",
    ):
        inspect_image(inspected, IMAGE.name, revision=tree)


@pytest.mark.parametrize(
    ("choice", "suffix"),
    [
        ({}, ""),
        ({"TARGET": "service"}, "-service"),
        ({"TARGET": "function-sidecar", "ARCH": "arm64"}, "-function-sidecar-arm64"),
        ({"FUNCTION_SET": "function-dynamodb"}, "-function-dynamodb"),
    ],
)
def test_the_same_environment_builds_and_pushes_the_same_image(
    choice: dict[str, str],
    suffix: str,
    registry: tuple[Repository, type[Registry]],
    engine: Engine,
    tmp_path: Path,
) -> None:
    name = f"segment-scorer:{suffix.removeprefix('-') or 'function'}"
    Path(engine.program).rename(tmp_path / "docker")
    revision = read_revision()
    labels = {
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": revision,
    }
    environ = {
        **{key: value for key, value in os.environ.items() if key not in VARIANTS},
        **engine.environ,
        **choice,
        "ENGINE": "docker",
        "PATH": f"{tmp_path}:{os.defpath}",
        "BASE_IMAGE": "base",
        "KNOWN": "base",
        "INSPECT": json.dumps([{"Id": CONFIG, "Config": {"Labels": labels}}]),
    }
    built = subprocess.run(
        [sys.executable, "-m", "tools.image.build"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    words = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    (build,) = (each for each in words if each[0] == "build")
    assert build[build.index("--tag") + 1] == name
    repository, handler = registry
    push = [sys.executable, "-m", "tools.release.push", "--repository", repository.address]
    done = subprocess.run(
        push, cwd=ROOT, env={**environ, "KNOWN": name}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    tags = choose_tags(labels, CONFIG)
    assert set(handler.manifests) == {f"/v2/team/scorer/manifests/{tag}{suffix}" for tag in tags}


@pytest.mark.parametrize(
    "text", ["", "scorer", "host/name:tag", "host/name@sha256:0", "HOST/Name", "https://host/name"]
)
def test_a_repository_is_a_host_and_a_name_without_a_tag(text: str) -> None:
    with pytest.raises(DeployError, match="REPOSITORY: expected HOST/NAME without a tag"):
        open_repository(text)


def test_only_registries_on_this_machine_are_spoken_to_in_plain_http() -> None:
    assert [
        Repository(host=host, name="n").is_loopback
        for host in ("localhost:5000", "127.0.0.1:5000", "example.com", "127.0.0.1.example.com")
    ] == [
        True,
        True,
        False,
        False,
    ]


def test_ecr_is_logged_in_to_with_the_aws_credentials_and_the_hosts_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("ecr", region_name="eu-west-1").create_repository(repositoryName="scorer")
        repository = open_repository("123456789012.dkr.ecr.eu-west-1.amazonaws.com/scorer")
    assert repository.login.startswith("AWS:")
    with credentials(repository) as environ:
        file = Path(environ["REGISTRY_AUTH_FILE"])
        assert file.stat().st_mode & 0o077 == 0
        assert list(json.loads(file.read_text())["auths"]) == [repository.host]
    assert not file.exists()


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "asks for a login"), (403, "asks for a login"), (503, "HTTP status 503")],
)
def test_a_registry_that_refuses_is_one_sentence(
    registry: tuple[Repository, Any], status: int, words: str
) -> None:
    registry[1].status = status
    with pytest.raises(DeployError, match=words):
        registry[0].read_manifest("1.2.3")


def test_a_missing_repository_in_ecr_says_what_to_do() -> None:
    assert (
        explain_status(404)
        == "expected the repository to exist in ECR: create it first (docs/deploy.md, step 2)"
    )


def test_a_registry_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DeployError, match="cannot reach the registry that REPOSITORY names"):
        open_repository("127.0.0.1:1/scorer").read_manifest("1.2.3")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"config": {}}', b'{"config": 7}'])
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(DeployError, match="expected an image manifest"):
        parse_manifest(body)
