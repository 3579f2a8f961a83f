"""`make push` to a real registry on loopback, Debian's docker-registry."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.image.conftest import require_image
from tools.image.build import VARIANTS
from tools.image.engine import Engine
from tools.image.provenance import read_revision

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PATIENCE = 180.0  # seconds for what should take milliseconds
DIRTY = f"{COMMIT}-dirty-0123456789ab"
Build = Callable[..., str]
# What `make push` starts, for a tree whose revision is the second argument.
PUSH = """
import sys
from tools.release.push import main
raise SystemExit(main(sys.argv[2:], revision=sys.argv[1]))
"""
pytestmark = pytest.mark.image


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that has nothing in it."""
    assert shutil.which("docker-registry"), (
        "expected a registry server: apt-get install docker-registry"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("registry")
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    (folder / "config.yml").write_text(
        json.dumps({"version": "0.1", "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}})
    )
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log
        ) as server,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=PATIENCE).close()
                    break
                except OSError:
                    assert server.poll() is None, (folder / "log").read_text()
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def build(engine: Engine, image: str, tmp_path: Path) -> Iterator[Build]:
    """Build an image on the one under test, with its own labels and content; remove it later."""
    made: list[str] = []

    def build_variant(content: str, *, revision: str = COMMIT) -> str:
        folder = tmp_path / content
        folder.mkdir()
        labels = (
            'org.opencontainers.image.version="9.9.9" '
            f'org.opencontainers.image.revision="{revision}" content="{content}"'
        )
        (folder / "Dockerfile").write_text(f"FROM {image}\nLABEL {labels}\n")
        name = f"segment-scorer-push-test:{content}"
        engine.ask(
            "build",
            *(["--pull=never"] if engine.program == "podman" else []),
            "--tag",
            name,
            str(folder),
        )
        made.append(name)
        return name

    yield build_variant
    for name in made:
        engine.succeeds("rmi", "--force", name)


def push(
    image: str | None,
    repository: str,
    *,
    revision: str = COMMIT,
    choice: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        PUSH,
        revision,
        "--repository",
        repository,
        *(["--image", image] if image else []),
    ]
    environ = {key: value for key, value in os.environ.items() if key not in VARIANTS} | dict(
        choice or {}
    )
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def tags_of(repository: str) -> dict[str, str]:
    """The digest of every tag, asked of the registry without our own code."""
    host, _, name = repository.partition("/")
    with urllib.request.urlopen(f"http://{host}/v2/{name}/tags/list", timeout=PATIENCE) as answer:
        tags = json.load(answer)["tags"]
    digests = {}
    for tag in tags:
        request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{tag}", method="HEAD")
        request.add_header(
            "Accept",
            "application/vnd.oci.image.manifest.v1+json, "
            "application/vnd.docker.distribution.manifest.v2+json",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            digests[tag] = answer.headers["Docker-Content-Digest"]
    return digests


def test_an_image_is_pushed_by_version_and_revision_and_named_by_the_registrys_digest(
    registry: str, build: Build
) -> None:
    repository = f"{registry}/team/first"
    done = push(build("one"), repository)
    assert done.returncode == 0, done.stderr
    tags = tags_of(repository)
    assert set(tags) == {"9.9.9", "9.9.9-0123456789ab"}
    assert {f"{repository}@{digest}" for digest in tags.values()} == {done.stdout.strip()}


def test_pushing_again_changes_nothing_and_says_the_same_digest(
    registry: str, build: Build
) -> None:
    repository = f"{registry}/team/again"
    image = build("one")
    first = push(image, repository)
    before = tags_of(repository)
    second = push(image, repository)
    assert (second.returncode, second.stdout, tags_of(repository)) == (0, first.stdout, before)
    assert "is there already" in second.stderr


def test_another_image_of_the_same_revision_is_refused_and_no_tag_moves(
    registry: str, build: Build
) -> None:
    repository = f"{registry}/team/moved"
    assert push(build("one"), repository).returncode == 0
    before = tags_of(repository)
    done = push(build("two"), repository)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "push: the tag of this version and revision already names another image"
    )
    assert tags_of(repository) == before


def test_the_next_revision_gets_its_own_tag_and_the_versions_tag_stays(
    registry: str, build: Build
) -> None:
    repository = f"{registry}/team/next"
    assert push(build("one"), repository).returncode == 0
    before = tags_of(repository)
    assert push(build("two", revision="f" * 40), repository, revision="f" * 40).returncode == 0
    after = tags_of(repository)
    assert {tag: after[tag] for tag in before} == before
    assert set(after) - set(before) == {"9.9.9-ffffffffffff"}


def test_images_of_a_changed_tree_get_a_tag_each(registry: str, build: Build) -> None:
    repository = f"{registry}/team/dirty"
    for content in ("one", "two"):
        assert push(build(content, revision=DIRTY), repository, revision=DIRTY).returncode == 0
    tags = tags_of(repository)
    assert len(tags) == len(set(tags.values())) == 2
    assert all(tag.startswith("9.9.9-0123456789ab-dirty-") for tag in tags)


def test_what_was_pushed_can_be_pulled_by_its_digest(
    registry: str, build: Build, engine: Engine
) -> None:
    image = build("one")
    reference = push(image, f"{registry}/team/pulled").stdout.strip()
    engine.ask("pull", *(["--tls-verify=false"] if engine.program == "podman" else []), reference)
    ids = [
        engine.ask("image", "inspect", "--format", "{{.Id}}", name).strip()
        for name in (image, reference)
    ]
    assert ids[0] == ids[1]


def test_an_image_of_another_state_of_the_tree_is_not_pushed(registry: str, build: Build) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.release.push",
        "--repository",
        f"{registry}/team/stale",
        "--image",
        build("one"),
    ]
    assert read_revision() != COMMIT
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("push: expected an image of the current tree, found one built")


def test_function_and_service_of_one_revision_go_to_one_repository_under_tags_of_their_own(
    registry: str, engine: Engine
) -> None:
    repository, pushed = f"{registry}/team/both", {}
    for target in ("function", "service"):
        (facts,) = json.loads(engine.ask("image", "inspect", require_image(engine, target)))
        choice = {name: os.environ.get(name, "") for name in VARIANTS} | {"TARGET": target}
        done = push(
            None,
            repository,
            revision=facts["Config"]["Labels"]["org.opencontainers.image.revision"],
            choice=choice,
        )
        assert done.returncode == 0, done.stderr
        pushed[target] = done.stdout.strip().partition("@")[2]
    tags = tags_of(repository)
    assert {digest for tag, digest in tags.items() if "-service" in tag} == {pushed["service"]}
    assert {digest for tag, digest in tags.items() if "-service" not in tag} == {pushed["function"]}
