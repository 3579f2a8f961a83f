"""Without an extra, a verb that needs it names it in one sentence; the other verbs work."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from segment_scorer.cli.verbs import EXTRAS, VERBS
from tests.fakes import make_bundle

ROOT = Path(__file__).parents[2]
# The command line, as if the package that is the first argument were not installed.
WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from segment_scorer.cli.main import main
raise SystemExit(main(sys.argv[2:]))
"""
EVENT = str(ROOT / "examples" / "events" / "pinpoint-two-endpoints.json")


def run_without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, package, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_names_the_extra(printed: str, verb: str, package: str, extra: str) -> None:
    assert printed.count("\n") == 1
    assert printed.startswith(f"segment-scorer {verb}: ")
    assert f"expected {package}, of the extra `{extra}`" in printed
    assert f"pip install '.[{extra}]'" in printed


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("typer", "cli", ["policy", "check", "function/policy.toml"]),
        ("rich", "cli", ["invoke", EVENT]),
        ("tomlkit", "cli", ["policy", "check", "function/policy.toml"]),
        (
            "sklearn",
            "train",
            [
                "train",
                "--endpoints",
                "people.jsonl",
                "--outcomes",
                "outcomes.csv",
                "--out",
                "out/none",
            ],
        ),
        (
            "matplotlib",
            "train",
            [
                "train",
                "--endpoints",
                "people.jsonl",
                "--outcomes",
                "outcomes.csv",
                "--out",
                "out/none",
            ],
        ),
        ("grpc_health", "service", ["serve"]),
        (
            "boto3",
            "aws",
            ["grant", "--function", "f", "--application-id", "0" * 32, "--region", "us-east-1"],
        ),
    ],
)
def test_a_verb_without_its_extra_says_which(
    package: str, extra: str, arguments: list[str]
) -> None:
    done = run_without(package, *arguments)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert_names_the_extra(done.stderr, arguments[0], package, extra)


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_a_run_that_could_not_make_its_report_reads_nobody(package: str, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle")
    done = run_without(
        package,
        "run",
        str(tmp_path / "nobody.jsonl"),
        "--out",
        str(tmp_path / "out"),
        "--bundle",
        str(bundle),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert_names_the_extra(done.stderr, "run", package, "run")
    assert not (tmp_path / "out").exists()


def test_a_module_of_ours_that_is_missing_is_a_bug_and_not_hidden() -> None:
    done = run_without("segment_scorer.runner.run", "run", "segment.jsonl", "--out", "out/none")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_verb_that_needs_no_extra_but_the_command_lines_goes_on_without_the_others() -> None:
    for package in ("sklearn", "pyarrow", "altair", "boto3", "grpc_health"):
        done = run_without(package, "invoke", EVENT)
        assert done.returncode == 0, done.stderr


def test_every_package_of_every_extra_is_known_by_the_name_it_is_imported_by() -> None:
    imported: dict[str, set[str]] = {}
    for package, owners in packages_distributions().items():
        for distribution in owners:
            name = distribution.lower().replace("_", "-")  # PEP 503
            imported.setdefault(name, set()).add(package)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    listed = {
        (extra, re.split(r"[<>=]", line)[0]) for extra, lines in extras.items() for line in lines
    }
    # A package that is not installed here has its own name, without the suffix of its build.
    unknown = {
        (extra, name)
        for extra, name in listed
        if not any(
            extra in EXTRAS.get(package, ())
            for package in imported.get(name, {name.removesuffix("-cpu")})
        )
    }
    assert unknown == set()
    assert {extra for names in EXTRAS.values() for extra in names} == set(extras)
    assert not EXTRAS.keys() & {verb.module.partition(".")[0] for verb in VERBS.values()}
