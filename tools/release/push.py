"""`make push`: the image built from this tree to a registry, tagged by version and git revision, and its digest on standard output.

TARGET, FUNCTION_SET and ARCH choose the image, as they do for `make image`; one built from another state of the tree is refused.
An existing tag is never moved: the registry is asked before and after. Between the two somebody else could still take the tag, so let
the repository itself forbid it too (ECR: immutable tags). Nothing is written on this machine but the engine's own tags.
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
from tools.image.build import name_image, name_variant, read_revision, require_clone
from tools.image.engine import Engine, find_engine
from tools.release.registry import Manifest, Repository, open_repository

REVISION = re.compile(r"(?P<commit>[0-9a-f]{7,40})(?P<dirty>-dirty-[0-9a-f]{12})?")
REVISION_LABEL = "org.opencontainers.image.revision"
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A local image: its name here, the digest of its configuration, and the tags that say what is in it."""

    name: str
    config: str
    tags: tuple[str, ...]


def inspect_image(engine: Engine, name: str, *, revision: str, variant: str = "function") -> Image:
    """Read a local image's own labels. `revision` is the tree's, `variant` what `name_variant` gives.

    Raises DeployError when there is none, when it does not know version and revision, or when it was built from another tree.
    """
    if not engine.succeeds("image", "inspect", name):
        raise DeployError(
            f"expected a built image {name}; run `make image` first, with the same TARGET, FUNCTION_SET and ARCH"
        )
    (found,) = json.loads(engine.ask("image", "inspect", name))
    labels: Mapping[str, str] = (
        (found.get("Config") or {}).get("Labels") or found.get("Labels") or {}
    )
    config = "sha256:" + str(found["Id"]).removeprefix("sha256:")
    tags = choose_tags(labels, config, variant)
    if labels[REVISION_LABEL] != revision:
        raise DeployError(
            "expected an image of the tree as it stands, and this one was built from another state of it: "
            "run `make image-test` again, with the same TARGET, FUNCTION_SET and ARCH"
        )
    return Image(name=name, config=config, tags=tags)


def choose_tags(
    labels: Mapping[str, str], config: str, variant: str = "function"
) -> tuple[str, ...]:
    """`VERSION-REVISION` for an image of a commit; for one of a changed tree the image's own digest too, so that the tag stays true.

    `VERSION` for the first of a version. Any image but the function's own has its variant behind that: one repository may hold all.
    """
    version = labels.get("org.opencontainers.image.version", "")
    revision = REVISION.fullmatch(labels.get(REVISION_LABEL, ""))
    if not VERSION.fullmatch(version) or revision is None:
        raise DeployError(
            "expected the image's labels to name version and git revision; build it with `make image` in a clone"
        )
    tag, suffix = (
        f"{version}-{revision['commit'][:12]}",
        "" if variant == "function" else f"-{variant}",
    )
    tags = (
        (f"{tag}-dirty-{config.removeprefix('sha256:')[:12]}",)
        if revision["dirty"]
        else (tag, version)
    )
    return tuple(tag + suffix for tag in tags)


def push_image(engine: Engine, image: Image, repository: Repository) -> Manifest:
    """Push the image under each of its tags that is free, and give what the first of them names in the registry.

    The version's own tag goes to the first image of that version and stays there. Raises DeployError, before anything is pushed, when
    the first tag names another image.
    """
    before = {tag: repository.read_manifest(tag) for tag in image.tags}
    first = image.tags[0]
    if (taken := before[first]) is not None and not is_same(image, taken):
        raise DeployError(
            "the tag of this version and revision names another image there, and is never moved: "
            "commit a change and build again, or deploy the one that is there"
        )
    for tag, found in before.items():
        if found is None:
            upload(engine, image, repository, tag)
        else:
            print(
                f"push: {tag} {'is there already' if is_same(image, found) else 'stays on the image it names'}",
                file=sys.stderr,
            )
    after = repository.read_manifest(first)
    if after is None or not is_same(image, after):
        raise DeployError(
            "the registry names another image by the tag just pushed: somebody else pushed too; look before deploying"
        )
    if after.config is None:
        raise DeployError(
            "the registry holds a list, which Lambda does not take: build with docker's --provenance=false, or podman"
        )
    return after


def is_same(image: Image, manifest: Manifest) -> bool:
    """Whether a manifest is of this image. An engine's id is the configuration's digest, or (docker with containerd) the manifest's."""
    return image.config in {manifest.config, manifest.digest}


def upload(engine: Engine, image: Image, repository: Repository, tag: str) -> None:
    """Have the engine push under one tag; its progress goes to standard error."""
    target = f"{repository.address}:{tag}"
    engine.ask("tag", image.name, target)
    plain = ["--tls-verify=false"] if engine.program == "podman" and repository.is_loopback else []
    with credentials(repository) as environ:
        command = [engine.program, "push", *plain, target]
        done = subprocess.run(
            command, env={**engine.environ, **environ}, stdout=2, check=False
        )  # 2: standard error
    if done.returncode:
        raise DeployError(
            f"{engine.program} could not push, and says why above; tags pushed before this one stand, none was moved"
        )


@contextmanager
def credentials(repository: Repository) -> Iterator[dict[str, str]]:
    """The login as docker and podman read it, in a folder that is gone afterwards: nobody's own logins change."""
    if not repository.login:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.touch(mode=0o600)
        file.write_text(
            json.dumps(
                {
                    "auths": {
                        repository.host: {
                            "auth": base64.b64encode(repository.login.encode()).decode()
                        }
                    }
                }
            )
        )
        yield {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(file)}


def main(arguments: Sequence[str] | None = None, *, revision: str = "") -> int:
    """Run the command; one sentence and status 1 for an error raised on purpose. `revision` in place of the tree's own is for tests."""
    parser = argparse.ArgumentParser(
        description="Push the built image under tags of its version and git revision; print its digest."
    )
    parser.add_argument("--repository", required=True, help="HOST/NAME, without a tag")
    parser.add_argument(
        "--image",
        help="the local image (default: what `make image` made under the same TARGET, FUNCTION_SET and ARCH)",
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
