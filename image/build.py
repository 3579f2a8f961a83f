"""`make image` and `make pin-base`: build a target of the Dockerfile with the engine at hand, or pin the base by its digest.

Takes BASE_IMAGE, BASE_PYTHON, FUNCTION_SET, CA_BUNDLE and ARCH from the environment; gives an image `segment-scorer:TARGET`. Needs an
engine, no package.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from image.engine import Engine, ImageError, find_engine

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
NAME = "segment-scorer"
BASE_LINE = re.compile(r"^ARG BASE_IMAGE=(?P<reference>(?P<tag>[^\s@]+)(@sha256:[0-9a-f]{64})?)$", re.MULTILINE)
# What the Dockerfile's own checks print; an engine may put its step before it.
REFUSAL = re.compile(r"Dockerfile: (expected .+)")
ARCHITECTURES = ("amd64", "arm64")
CHOICES = ("BASE_PYTHON", "FUNCTION_SET")  # arguments of the Dockerfile that the environment may set


def build_image(engine: Engine, target: str, environ: Mapping[str, str], repository: str = NAME) -> str:
    """Build one target and give the image's name, in `repository`. The engine's progress goes to stderr. Raises ImageError."""
    base = provide_base(engine, environ)
    arch, ca_bundle = environ.get("ARCH"), environ.get("CA_BUNDLE")
    chosen = [f"{name}={environ[name]}" for name in CHOICES if environ.get(name)]
    variant = (environ.get("FUNCTION_SET") or target) if target == "function" else target
    name = f"{repository}:{variant}" + (f"-{arch}" if arch else "")
    command = [
        *(engine.program, "build", "--file", str(DOCKERFILE), "--target", target, "--tag", name),
        *("--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"VERSION={read_version()}", "--build-arg", f"REVISION={read_revision()}"),
        *(word for choice in chosen for word in ("--build-arg", choice)),
        *(["--platform", f"linux/{arch}"] if arch else []),
        *(["--secret", f"id=ca-bundle,src={ca_bundle}"] if ca_bundle else []),
        *(["--pull=never", *name_platforms(arch)] if engine.program == "podman" else []),  # the base is here already
        # podman's own format has no health check, which the service's image has.
        *(["--format=docker"] if engine.program == "podman" and target == "service" else []),
        str(ROOT),
    ]
    refusal = None
    with subprocess.Popen(command, env=engine.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            sys.stderr.write(line)
            found = REFUSAL.search(line)
            # The step is printed before it runs; only what it then says has no shell variable in it.
            refusal = found[1] if found and "$" not in line else refusal
    if process.returncode:
        raise ImageError(refusal or f"expected {engine.program} to build the image; what it said is above")
    return name


def provide_base(engine: Engine, environ: Mapping[str, str]) -> str:
    """See that the base is here, or pull it, and give its name. Raises ImageError."""
    base, arch = environ.get("BASE_IMAGE") or read_base(), environ.get("ARCH")
    if arch and arch not in ARCHITECTURES:
        raise ImageError(f"expected ARCH to be one of {', '.join(ARCHITECTURES)}")
    wanted = ["--platform", f"linux/{arch}"] if arch else []
    if not engine.succeeds("image", "inspect", base) and not engine.succeeds("pull", *wanted, base):
        raise ImageError(
            f"expected the base image {base}, which is not here and cannot be pulled; "
            "set BASE_IMAGE to one that is, or make a stand-in with image/standin.sh"
        )
    return base


def name_platforms(arch: str | None) -> list[str]:
    """The build arguments that podman before version 5 does not set by itself where a Dockerfile names its stages' platforms."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return ["--build-arg", f"BUILDPLATFORM=linux/{here}", "--build-arg", f"TARGETPLATFORM=linux/{arch or here}"]


def read_base() -> str:
    """The Dockerfile's own base."""
    found = BASE_LINE.search(DOCKERFILE.read_text("utf-8"))
    if not found:
        raise ImageError("Dockerfile: expected a line `ARG BASE_IMAGE=<name>:<tag>`")
    return found["reference"]


def read_version() -> str:
    """The project's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def read_revision() -> str:
    """The commit, marked when something in the tree differs from it; `unknown` outside a clone."""
    if shutil.which("git") is None:
        return "unknown"
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def pin_base(engine: Engine, dockerfile: Path) -> str:
    """Ask the registry for the base's digest and write it behind the tag. Raises ImageError, and then writes nothing."""
    text = dockerfile.read_text("utf-8")
    found = BASE_LINE.search(text)
    if not found:
        raise ImageError("Dockerfile: expected a line `ARG BASE_IMAGE=<name>:<tag>`")
    tag = found["tag"]
    if not engine.succeeds("pull", tag):
        raise ImageError(f"expected to pull {tag}; nothing was written, because a digest must come from the registry itself")
    digests = json.loads(engine.ask("image", "inspect", "--format", "{{json .RepoDigests}}", tag))
    # The digest of the list of architectures, where there is one, so that every architecture is pinned by one line.
    lists = [digest for digest in digests if is_list(engine, digest)]
    digest = (lists or digests)[0].partition("@")[2]
    fresh = dockerfile.with_suffix(".new")
    fresh.write_text(text.replace(found[0], f"ARG BASE_IMAGE={tag}@{digest}"), "utf-8")
    fresh.replace(dockerfile)
    return f"{tag}@{digest}"


def is_list(engine: Engine, reference: str) -> bool:
    """Whether the reference names a list of manifests, one an architecture."""
    try:
        return "manifests" in json.loads(engine.ask("manifest", "inspect", reference))
    except (ImageError, ValueError):
        return False


def main() -> int:
    """Run the command; one sentence and status 1 for an error raised on purpose."""
    parser = argparse.ArgumentParser(
        description="Build the image. Environment: ENGINE, BASE_IMAGE, BASE_PYTHON, FUNCTION_SET, CA_BUNDLE, ARCH; see docs/image.md."
    )
    parser.add_argument("--target", default="function", help="stage of the Dockerfile (default: function)")
    parser.add_argument("--provide-base", action="store_true", help="only see that the base is here, or pull it; build nothing")
    parser.add_argument("--pin-base", action="store_true", help="write the base's digest into the Dockerfile, and build nothing")
    options = parser.parse_args()
    try:
        engine = find_engine()
        if options.pin_base:
            print(f"Dockerfile: base pinned to {pin_base(engine, DOCKERFILE)}")
            return 0
        if options.provide_base:
            print(f"base image: {provide_base(engine, os.environ)}")
            return 0
        print(f"built {build_image(engine, options.target, os.environ)} with {engine.program}")
    except ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
