"""`make image` and `make pin-base`: build a target of the Dockerfile with the engine at hand, or pin the base by its digest.

Takes TARGET, FUNCTION_SET, ARCH, BASE_IMAGE, BASE_PYTHON and CA_BUNDLE from the environment; gives an image whose name says the first
three, and whose label says the tree it was built from. Needs an engine, no package.
"""

from __future__ import annotations

import argparse
import hashlib
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

from model.atomic import write_atomically
from tools.image.engine import Engine, ImageError, find_engine

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
NAME = "segment-scorer"
BASE_LINE = re.compile(
    r"^ARG BASE_IMAGE=(?P<reference>(?P<tag>[^\s@]+)(@sha256:[0-9a-f]{64})?)$", re.MULTILINE
)
# What the Dockerfile's own checks print; an engine may put its step before it.
REFUSAL = re.compile(r"Dockerfile: (expected .+)")
# What the environment may choose, and what each choice may be. The first is taken where nothing is said, but for ARCH: this machine's.
VARIANTS = {
    "TARGET": ("function", "service", "function-sidecar"),
    "FUNCTION_SET": ("function", "function-dynamodb"),
    "ARCH": ("amd64", "arm64"),
}
# Arguments of the Dockerfile that the environment may set.
CHOICES = ("BASE_PYTHON", "FUNCTION_SET")
# Everything an image is made of: a file here that git does not track is part of the build too.
SOURCES = (
    "Dockerfile",
    ".dockerignore",
    "function",
    "model",
    "protos",
    "requirements",
    "segment_scorer/__init__.py",
    "segment_scorer/service",
    "tools/image/steps",
)


def name_variant(environ: Mapping[str, str]) -> str:
    """Which image is meant: the target, for the function its set, and ARCH where it is given. Raises ImageError."""
    for choice, allowed in VARIANTS.items():
        if environ.get(choice) and environ[choice] not in allowed:
            raise ImageError(f"expected {choice} to be one of {', '.join(allowed)}")
    target, arch = environ.get("TARGET") or "function", environ.get("ARCH")
    return ((environ.get("FUNCTION_SET") or target) if target == "function" else target) + (
        f"-{arch}" if arch else ""
    )


def name_image(environ: Mapping[str, str], repository: str = NAME) -> str:
    """The image's name on this machine: whatever builds, tests, starts or pushes an image asks here. Raises ImageError."""
    return f"{repository}:{name_variant(environ)}"


def build_image(engine: Engine, environ: Mapping[str, str], repository: str = NAME) -> str:
    """Build what the environment asks for and give the image's name, in `repository`. The engine's progress goes to stderr.

    Raises ImageError.
    """
    name, target = name_image(environ, repository), environ.get("TARGET") or "function"
    base = provide_base(engine, environ)
    arch, ca_bundle = environ.get("ARCH"), environ.get("CA_BUNDLE")
    chosen = [f"{choice}={environ[choice]}" for choice in CHOICES if environ.get(choice)]
    command = [
        *(engine.program, "build", "--file", str(DOCKERFILE), "--target", target, "--tag", name),
        *(
            "--build-arg",
            f"BASE_IMAGE={base}",
            "--build-arg",
            f"VERSION={read_version()}",
            "--build-arg",
            f"REVISION={read_revision()}",
        ),
        *(word for argument in chosen for word in ("--build-arg", argument)),
        *(["--platform", f"linux/{arch}"] if arch else []),
        *(["--secret", f"id=ca-bundle,src={ca_bundle}"] if ca_bundle else []),
        *(
            ["--pull=never", *name_platforms(arch)] if engine.program == "podman" else []
        ),  # the base is here already
        # podman's own format has no health check, which the service's image has.
        *(["--format=docker"] if engine.program == "podman" and target == "service" else []),
        str(ROOT),
    ]
    refusal = None
    with subprocess.Popen(
        command, env=engine.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            sys.stderr.write(line)
            found = REFUSAL.search(line)
            # The step is printed before it runs; only what it then says has no shell variable in it.
            refusal = found[1] if found and "$" not in line else refusal
    if process.returncode:
        raise ImageError(
            refusal or f"expected {engine.program} to build the image; what it said is above"
        )
    return name


def provide_base(engine: Engine, environ: Mapping[str, str]) -> str:
    """See that the base is here, or pull it, and give its name. Raises ImageError."""
    base, arch = environ.get("BASE_IMAGE") or read_base(), environ.get("ARCH")
    wanted = ["--platform", f"linux/{arch}"] if arch else []
    if not engine.succeeds("image", "inspect", base) and not engine.succeeds("pull", *wanted, base):
        raise ImageError(
            f"expected the base image {base}, which is not here and cannot be pulled; "
            "set BASE_IMAGE to one that is, or make a stand-in with tools/image/standin.sh"
        )
    return base


def name_platforms(arch: str | None) -> list[str]:
    """The build arguments that podman before version 5 does not set by itself where a Dockerfile names its stages' platforms."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return [
        "--build-arg",
        f"BUILDPLATFORM=linux/{here}",
        "--build-arg",
        f"TARGETPLATFORM=linux/{arch or here}",
    ]


def read_base() -> str:
    """The Dockerfile's own base."""
    require_clone()
    found = BASE_LINE.search(DOCKERFILE.read_text("utf-8"))
    if not found:
        raise ImageError("Dockerfile: expected a line `ARG BASE_IMAGE=<name>:<tag>`")
    return found["reference"]


def require_clone() -> None:
    """Raises ImageError where there is nothing to build from: in an installed package."""
    if not DOCKERFILE.exists():
        raise ImageError(
            "expected a clone of the project, which alone has the Dockerfile: an installed package has the verbs, no images"
        )


def read_version() -> str:
    """The project's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def read_revision(root: Path = ROOT) -> str:
    """The commit; `COMMIT-dirty-DIGEST`, the digest of what differs, when something in the tree does; `unknown` outside a clone."""
    commit = ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
    if not commit:
        return "unknown"
    changes = ask_git(
        root, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "HEAD"
    )
    for name in (
        ask_git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *SOURCES)
        .decode()
        .split("\0")[:-1]
    ):
        changes += f"\0{name}\0".encode() + (root / name).read_bytes()
    return f"{commit}-dirty-{hashlib.sha256(changes).hexdigest()[:12]}" if changes else commit


def ask_git(root: Path, *arguments: str) -> bytes:
    """What git prints; nothing where there is no git, or where it fails, as it does outside a clone."""
    git = shutil.which("git")
    return (
        subprocess.run([git, "-C", str(root), *arguments], capture_output=True, check=False).stdout
        if git
        else b""
    )


def pin_base(engine: Engine, dockerfile: Path) -> str:
    """Ask the registry for the base's digest and write it behind the tag. Raises ImageError, and then writes nothing."""
    text = dockerfile.read_text("utf-8")
    found = BASE_LINE.search(text)
    if not found:
        raise ImageError("Dockerfile: expected a line `ARG BASE_IMAGE=<name>:<tag>`")
    tag = found["tag"]
    if not engine.succeeds("pull", tag):
        raise ImageError(
            f"expected to pull {tag}; nothing was written, because a digest must come from the registry itself"
        )
    digests = json.loads(engine.ask("image", "inspect", "--format", "{{json .RepoDigests}}", tag))
    # The digest of the list of architectures, where there is one, so that every architecture is pinned by one line.
    lists = [digest for digest in digests if is_list(engine, digest)]
    digest = (lists or digests)[0].partition("@")[2]
    pinned = text.replace(found[0], f"ARG BASE_IMAGE={tag}@{digest}")
    write_atomically(dockerfile, pinned.encode())
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
        description="Build the image. Environment: TARGET, FUNCTION_SET, ARCH, ENGINE, BASE_IMAGE, BASE_PYTHON, CA_BUNDLE: docs/image.md."
    )
    parser.add_argument("--target", default="", help="in place of TARGET (default: function)")
    parser.add_argument(
        "--provide-base",
        action="store_true",
        help="only see that the base is here, or pull it; build nothing",
    )
    parser.add_argument(
        "--pin-base",
        action="store_true",
        help="write the base's digest into the Dockerfile, and build nothing",
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
        print(f"built {build_image(engine, environ)} with {engine.program}")
    except ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
