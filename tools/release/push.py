"""`make push`: push the image built from this tree, tagged by version and git revision.

TARGET, FUNCTION_SET and ARCH choose the image, as for `make image`. An image built from another
state of the tree is refused. Prints the pushed image with its digest. Existing tags are never
moved: the registry is asked before and after the push. Another client could still take a tag in
between, so make the repository's tags immutable too (ECR). On this machine only the engine's tags
change.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.errors import SegmentScorerError
from segment_scorer.deploy.errors import DeployError
from tools.image.build import name_image, name_variant, require_clone
from tools.image.engine import Engine, find_engine
from tools.image.provenance import read_revision
from tools.release.registry import Manifest, Repository, open_repository

REVISION = re.compile(r"(?P<commit>[0-9a-f]{7,40})(?P<dirty>-dirty-[0-9a-f]{12})?")
REVISION_LABEL = "org.opencontainers.image.revision"
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A local image.

    name    its name in the local engine
    config  digest of its configuration
    tags    tags to push it under, the most specific first
    """

    name: str
    config: str
    tags: tuple[str, ...]


def inspect_image(engine: Engine, name: str, *, revision: str, variant: str = "function") -> Image:
    """Read a local image's labels. `revision` is the tree's, `variant` from `name_variant`.

    Raises DeployError when there is no such image, when its labels do not name version and
    revision, and when it was built from another state of the tree.
    """
    if not engine.succeeds("image", "inspect", name):
        raise DeployError(
            f"expected a built image {name}, found none; run `make image` first, with the same "
            "TARGET, FUNCTION_SET and ARCH"
        )
    (found,) = json.loads(engine.ask("image", "inspect", name))
    labels: Mapping[str, str] = (
        (found.get("Config") or {}).get("Labels") or found.get("Labels") or {}
    )
    config = "sha256:" + str(found["Id"]).removeprefix("sha256:")
    tags = choose_tags(labels, config, variant)
    if labels[REVISION_LABEL] != revision:
        raise DeployError(
            "expected an image of the current tree, found one built from another state of it; "
            "run `make image-test` again, with the same TARGET, FUNCTION_SET and ARCH"
        )
    return Image(name=name, config=config, tags=tags)


def choose_tags(
    labels: Mapping[str, str], config: str, variant: str = "function"
) -> tuple[str, ...]:
    """The tags of an image, most specific first: `VERSION-REVISION`, then `VERSION`.

    The image of a tree with uncommitted changes gets only `VERSION-REVISION-dirty-DIGEST`. The tags
    of every variant but `function` end in the variant, so one repository can hold all of them.
    Raises DeployError when the labels do not name version and revision.
    """
    version = labels.get("org.opencontainers.image.version", "")
    revision = REVISION.fullmatch(labels.get(REVISION_LABEL, ""))
    if not VERSION.fullmatch(version) or revision is None:
        raise DeployError(
            "expected the image's labels to name version and git revision; "
            "build it with `make image` in a git checkout"
        )
    tag = f"{version}-{revision['commit'][:12]}"
    dirty = f"{tag}-dirty-{config.removeprefix('sha256:')[:12]}"
    suffix = "" if variant == "function" else f"-{variant}"
    return tuple(each + suffix for each in ((dirty,) if revision["dirty"] else (tag, version)))


def push_image(engine: Engine, image: Image, repository: Repository) -> Manifest:
    """Push the image under each of its tags that is free; give the manifest of the first tag.

    The tag `VERSION` goes to the first image of that version and stays there. Raises DeployError:
    before anything is pushed, when the first tag names another image; after, when the registry
    does not hold what was pushed.
    """
    before = {tag: repository.read_manifest(tag) for tag in image.tags}
    first = image.tags[0]
    if (taken := before[first]) is not None and not is_same(image, taken):
        raise DeployError(
            "the tag of this version and revision already names another image, and tags are never "
            "moved: commit a change and build again, or deploy the image that is there"
        )
    for tag, found in before.items():
        if found is None:
            upload(engine, image, repository, tag)
            continue
        state = "is there already" if is_same(image, found) else "still names another image"
        print(f"push: {tag} {state}", file=sys.stderr)
    after = repository.read_manifest(first)
    if after is None or not is_same(image, after):
        raise DeployError(
            "the tag just pushed names another image: someone else pushed at the same time; "
            "check the repository before deploying"
        )
    if after.config is None:
        raise DeployError(
            "expected an image manifest in the registry, found a list of them, which Lambda does "
            "not accept: build with docker's --provenance=false, or with podman"
        )
    return after


def is_same(image: Image, manifest: Manifest) -> bool:
    """Whether a manifest is of this image.

    An engine's image id is the digest of the configuration or, in docker with containerd, of the
    manifest.
    """
    return image.config in {manifest.config, manifest.digest}


def upload(engine: Engine, image: Image, repository: Repository, tag: str) -> None:
    """Push under one tag with the engine. Its output goes to stderr. Raises DeployError."""
    target = f"{repository.address}:{tag}"
    engine.ask("tag", image.name, target)
    plain = ["--tls-verify=false"] if engine.program == "podman" and repository.is_loopback else []
    with credentials(repository) as environ:
        command = [engine.program, "push", *plain, target]
        # 2: stderr, since stdout is for the digest
        done = subprocess.run(command, env={**engine.environ, **environ}, stdout=2, check=False)
    if done.returncode:
        raise DeployError(
            f"{engine.program} could not push (its message is above); "
            "tags pushed before stay, no tag was moved"
        )


@contextmanager
def credentials(repository: Repository) -> Iterator[dict[str, str]]:
    """Variables that name a temporary login file for docker and podman.

    The user's own logins do not change.
    """
    if not repository.login:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.touch(mode=0o600)
        encoded = base64.b64encode(repository.login.encode()).decode()
        file.write_text(json.dumps({"auths": {repository.host: {"auth": encoded}}}))
        yield {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(file)}


def main(arguments: Sequence[str] | None = None, *, revision: str = "") -> int:
    """Run the command; give the exit status (1 and one sentence for an expected error).

    `revision` replaces the tree's own, for tests.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tools.release.push",
        description="Push the built image, tagged by version and git revision; print its digest.",
    )
    parser.add_argument("--repository", required=True, help="HOST/NAME, without a tag")
    parser.add_argument(
        "--image",
        help="the local image (default: the one of `make image` with the same TARGET, "
        "FUNCTION_SET and ARCH)",
    )
    options = parser.parse_args(arguments)
    try:
        require_clone()
        name, variant = options.image or name_image(os.environ), name_variant(os.environ)
        engine = find_engine()
        image = inspect_image(engine, name, revision=revision or read_revision(), variant=variant)
        repository = open_repository(options.repository)
        pushed = push_image(engine, image, repository)
    except SegmentScorerError as error:
        print(f"push: {error}", file=sys.stderr)
        return 1
    print(f"{repository.address}@{pushed.digest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
