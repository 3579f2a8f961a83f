"""`make image` and `make pin-base`: build a target of the Dockerfile, or pin its base by digest.

Input: TARGET, FUNCTION_SET, ARCH, BASE_IMAGE, BASE_PYTHON and CA_BUNDLE of the environment.
Output: an image named after the first three, labelled with the tree it was built from.
Needs a container engine and no package.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from model.atomic import write_atomically
from tools.image.engine import Engine, ImageError, find_engine
from tools.image.provenance import (
    format_time,
    read_file_time,
    read_revision,
    read_source,
    read_time,
    read_version,
)

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
NAME = "segment-scorer"
BASE_LINE = re.compile(
    r"^ARG BASE_IMAGE=(?P<reference>(?P<tag>[^\s@]+)(@sha256:[0-9a-f]{64})?)$", re.MULTILINE
)
# The Dockerfile's own checks print this. An engine may print the step's number before it.
REFUSAL = re.compile(r"Dockerfile: (expected .+)")
# What the environment may choose, with the allowed values. The first is the default; for ARCH the
# default is the machine's own.
VARIANTS = {
    "TARGET": ("function", "service", "function-sidecar"),
    "FUNCTION_SET": ("function", "function-dynamodb"),
    "ARCH": ("amd64", "arm64"),
}
# Arguments of the Dockerfile that the environment may set.
CHOICES = ("BASE_PYTHON", "FUNCTION_SET")


def name_variant(environ: Mapping[str, str]) -> str:
    """The image's tag: its target, or for the function its set, then ARCH if given.

    Raises ImageError.
    """
    for choice, allowed in VARIANTS.items():
        if environ.get(choice) and environ[choice] not in allowed:
            raise ImageError(f"expected {choice} to be one of {', '.join(allowed)}")
    target, arch = environ.get("TARGET") or "function", environ.get("ARCH")
    return ((environ.get("FUNCTION_SET") or target) if target == "function" else target) + (
        f"-{arch}" if arch else ""
    )


def name_image(environ: Mapping[str, str], repository: str = NAME) -> str:
    """The image's name on this machine, for everything that builds, tests, starts or pushes it.

    Raises ImageError.
    """
    return f"{repository}:{name_variant(environ)}"


def build_image(
    engine: Engine, environ: Mapping[str, str], repository: str = NAME, *, cache: bool = True
) -> str:
    """Build the image that the environment chooses, and give its name in `repository`.

    cache  whether steps of earlier builds may be used again

    The engine's progress goes to stderr. Raises ImageError.
    """
    name, target = name_image(environ, repository), environ.get("TARGET") or "function"
    base = provide_base(engine, environ)
    arch, ca_bundle = environ.get("ARCH"), environ.get("CA_BUNDLE")
    podman, epoch = engine.program == "podman", read_file_time(environ)
    facts = {
        "VERSION": read_version(),
        "REVISION": read_revision(),
        "CREATED": format_time(read_time(environ)),
        "SOURCE": read_source(),
    }
    arguments = [
        f"BASE_IMAGE={base}",
        *(f"{fact}={value}" for fact, value in facts.items()),
        # BuildKit takes the times of the image and of its new folders from this.
        *([] if podman else [f"SOURCE_DATE_EPOCH={epoch}"]),
        *(f"{choice}={environ[choice]}" for choice in CHOICES if environ.get(choice)),
        *(name_platforms(arch) if podman else []),
    ]
    command = [
        *(engine.program, "build", "--file", str(DOCKERFILE), "--target", target, "--tag", name),
        *(word for argument in arguments for word in ("--build-arg", argument)),
        *(["--platform", f"linux/{arch}"] if arch else []),
        *(["--secret", f"id=ca-bundle,src={ca_bundle}"] if ca_bundle else []),
        *(["--pull=never"] if podman else []),  # provide_base has pulled it
        *([f"--timestamp={epoch}"] if podman else []),
        *([] if cache else ["--no-cache"]),
        # podman's own format has no health check; the service's image needs one.
        *(["--format=docker"] if podman and target == "service" else []),
        str(ROOT),
    ]
    refusal = None
    with subprocess.Popen(
        command, env=engine.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            sys.stderr.write(line)
            found = REFUSAL.search(line)
            # The engine prints the step itself first; there the sentence still has its variables.
            refusal = found[1] if found and "$" not in line else refusal
    if process.returncode:
        raise ImageError(
            refusal or f"expected {engine.program} to build the image; its messages are above"
        )
    if podman:
        relabel(engine, name, target, facts, epoch)
    return name


def relabel(engine: Engine, name: str, target: str, facts: Mapping[str, str], epoch: int) -> None:
    """Write the facts into the image's labels again, as literal texts. Adds no layer.

    podman 4 takes a step from its cache even if a build argument in it has another value, so the
    labels could be those of an earlier commit.
    """
    labels = (f'org.opencontainers.image.{fact.lower()}="{value}"' for fact, value in facts.items())
    lines = [f"FROM {name}", f"LABEL {' '.join(labels)}"]
    if target != "function":
        lines.append(f'ENV SERVE_VERSION="{facts["VERSION"]}"')
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.ask(
            *("build", "--pull=never", f"--timestamp={epoch}", "--tag", name),
            *(["--format=docker"] if target == "service" else []),
            folder,
        )


def provide_base(engine: Engine, environ: Mapping[str, str]) -> str:
    """The name of the base, which is pulled if it is not on this machine. Raises ImageError."""
    base, arch = environ.get("BASE_IMAGE") or read_base(), environ.get("ARCH")
    wanted = ["--platform", f"linux/{arch}"] if arch else []
    if not engine.succeeds("image", "inspect", base) and not engine.succeeds("pull", *wanted, base):
        raise ImageError(
            f"expected the base image {base}, found none on this machine and cannot pull it; "
            "set BASE_IMAGE to another, or make a stand-in with tools/image/standin.sh"
        )
    return base


def name_platforms(arch: str | None) -> list[str]:
    """Build arguments that podman before version 5 does not set by itself."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return [f"BUILDPLATFORM=linux/{here}", f"TARGETPLATFORM=linux/{arch or here}"]


def read_base() -> str:
    """The base that the Dockerfile names. Raises ImageError."""
    require_clone()
    found = BASE_LINE.search(DOCKERFILE.read_text("utf-8"))
    if not found:
        raise ImageError("Dockerfile: expected a line `ARG BASE_IMAGE=<name>:<tag>`")
    return found["reference"]


def require_clone() -> None:
    """Check that there is a Dockerfile beside tools/. Raises ImageError."""
    if not DOCKERFILE.exists():
        raise ImageError("expected a Dockerfile beside tools/; run this in a source checkout")


def pin_base(engine: Engine, dockerfile: Path) -> str:
    """Write the base's digest, asked of its registry, behind the tag in the Dockerfile.

    Writes nothing if it raises ImageError.
    """
    text = dockerfile.read_text("utf-8")
    found = BASE_LINE.search(text)
    if not found:
        raise ImageError("Dockerfile: expected a line `ARG BASE_IMAGE=<name>:<tag>`")
    tag = found["tag"]
    if not engine.succeeds("pull", tag):
        raise ImageError(
            f"expected to pull {tag}, since the digest must come from the registry itself;"
            " nothing was written"
        )
    digests = json.loads(engine.ask("image", "inspect", "--format", "{{json .RepoDigests}}", tag))
    # Prefer the digest of the list of architectures: one line then pins all of them.
    lists = [digest for digest in digests if is_list(engine, digest)]
    digest = (lists or digests)[0].partition("@")[2]
    pinned = text.replace(found[0], f"ARG BASE_IMAGE={tag}@{digest}")
    write_atomically(dockerfile, pinned.encode())
    return f"{tag}@{digest}"


def is_list(engine: Engine, reference: str) -> bool:
    """Whether the reference names a list of manifests, one for each architecture."""
    try:
        return "manifests" in json.loads(engine.ask("manifest", "inspect", reference))
    except (ImageError, ValueError):
        return False


def main() -> int:
    """Run the command. An expected error is one sentence and status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.image.build",
        description="Build the image. Environment: TARGET, FUNCTION_SET, ARCH, ENGINE, BASE_IMAGE, "
        "BASE_PYTHON and CA_BUNDLE, as docs/image.md says.",
    )
    parser.add_argument("--target", default="", help="instead of TARGET (default: function)")
    parser.add_argument(
        "--no-cache", action="store_true", help="repeat every step, also those of earlier builds"
    )
    parser.add_argument(
        "--provide-base",
        action="store_true",
        help="only pull the base if it is missing; build nothing",
    )
    parser.add_argument(
        "--pin-base",
        action="store_true",
        help="only write the base's digest into the Dockerfile",
    )
    options = parser.parse_args()
    try:
        require_clone()
        engine = find_engine()
        if options.pin_base:
            print(f"Dockerfile: base pinned to {pin_base(engine, DOCKERFILE)}")
            return 0
        if options.provide_base:
            print(f"base image: {provide_base(engine, os.environ)}")
            return 0
        environ = {**os.environ, "TARGET": options.target} if options.target else os.environ
        name = build_image(engine, environ, cache=not options.no_cache)
        print(f"built {name} with {engine.program}")
    except ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
