"""Sizes of the built images, beside the usual image on the same base.

One row for each target of the Dockerfile. Needs a container engine.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.benchmarks.example import PLACE, ROOT
from tools.benchmarks.plan import Plan
from tools.benchmarks.records import Measurement, Table
from tools.image.build import DOCKERFILE, build_image, provide_base
from tools.image.engine import Engine, ImageError, find_engine
from tools.image.measure import MEGABYTE, read_layers

OURS, USUAL = "segment-scorer", "the usual image"
USUAL_FOLDER = Path(__file__).parents[1] / "usual"
USUAL_NAME = "segment-scorer-usual:latest"
# The shipped stages of the Dockerfile.
SHIPPED = ("function", "function-sidecar", "service")
STAND_IN = "localhost/standin/python:3.13"


def measure(plan: Plan) -> Table:
    """Build missing images and sum their layers. Without engine or base: no rows, and a note."""
    title = "Image size, uncompressed"
    try:
        engine = find_engine()
        environ = choose_base(engine)
        sizes = {}
        for target in find_targets():
            plan.say(f"image: {target}")
            sizes[target] = measure_image(engine, build_target(target))
        plan.say("image: usual")
        usual = measure_image(engine, build_usual(engine, environ))
        base = measure_image(engine, provide_base(engine, environ))
    except ImageError as error:
        return Table(
            name="image",
            title=title,
            ours=OURS,
            alternatives=(USUAL,),
            rows=(),
            notes=(f"Not measured: {error}.",),
        )
    rows = [
        Measurement(label=target, unit="MB", values={OURS: size, USUAL: usual})
        for target, size in sizes.items()
    ]
    rows += [
        Measurement(
            label=f"{target}, without the base",
            unit="MB",
            values={OURS: size - base, USUAL: usual - base},
        )
        for target, size in sizes.items()
    ]
    stand_in = environ.get("BASE_IMAGE") == STAND_IN
    notes = [
        f"Bytes of all layers; the base is {base:.0f} MB"
        + (" (a stand-in: Debian's own Python 3.13)." if stand_in else ".")
    ]
    notes.append(
        "Ours holds compiled bytecode of everything, "
        "which the usual image does not have for Python's own library."
    )
    return Table(
        name="image",
        title=title,
        ours=OURS,
        alternatives=(USUAL,),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def choose_base(engine: Engine) -> dict[str, str]:
    """The environment for building. Names the stand-in if only that base is on this machine."""
    environ = dict(os.environ)
    if "BASE_IMAGE" not in environ and engine.succeeds("image", "inspect", STAND_IN):
        environ["BASE_IMAGE"] = STAND_IN
    if "SSL_CERT_FILE" in environ:
        environ.setdefault("CA_BUNDLE", environ["SSL_CERT_FILE"])
    return environ


def find_targets() -> list[str]:
    """The shipped stages that the Dockerfile has."""
    stages = re.findall(r"^FROM .+ AS (\S+)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    return [target for target in SHIPPED if target in stages]


@functools.cache
def build_target(target: str) -> str:
    """Build a target, once in a run: with all layers cached it takes ten seconds still.

    Raises ImageError.
    """
    engine = find_engine()
    return build_image(engine, {**choose_base(engine), "TARGET": target})


def build_usual(engine: Engine, environ: dict[str, str]) -> str:
    """Build the usual image from a folder with only its files."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for source in (
            USUAL_FOLDER / "Dockerfile",
            USUAL_FOLDER / "handler.py",
        ):
            shutil.copy(source, folder)
        for name in ("model.joblib", "settings.json"):
            shutil.copy(PLACE / "usual" / name, folder)
        shutil.copy(ROOT / "requirements" / "usual.txt", folder / "requirements.txt")
        ca_bundle = environ.get("CA_BUNDLE")
        command = [
            *(
                engine.program,
                "build",
                "--tag",
                USUAL_NAME,
                "--build-arg",
                f"BASE_IMAGE={provide_base(engine, environ)}",
            ),
            *(["--secret", f"id=ca-bundle,src={ca_bundle}"] if ca_bundle else []),
            *(["--pull=never"] if engine.program == "podman" else []),
            str(folder),
        ]
        done = subprocess.run(
            command, env=engine.environ, capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.stderr.write(done.stderr[-2000:])
        raise ImageError(
            f"expected {engine.program} to build the usual image; what it said is above"
        )
    return USUAL_NAME


def measure_image(engine: Engine, name: str) -> float:
    """Megabytes of all layers."""
    return sum(size for size, _ in read_layers(engine, name)) / MEGABYTE
