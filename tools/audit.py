"""Asks a vulnerability service about every pin of `requirements/*.txt`.

A service that cannot be reached, or knows nothing, would pass any pin. So it is first asked about a
version that is known to be bad; if it does not know that one, the check says that it did not run.
Exit status: 0 nothing known, or did not run (1 with --strict); 1 a pin with a known vulnerability.
Needs the set `audit` under .cache/.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1] / "requirements"
PROGRAM = HERE.parent / ".cache" / "audit" / "bin" / "pip-audit"
# Every database has had this one for ten years (CVE-2014-1402, CVE-2016-10745 and later).
KNOWN_BAD = "jinja2==2.4.1"
# Vulnerability -> why it does not concern us, in one sentence. Review each with every `make lock`.
ACCEPTED: dict[str, str] = {}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
SECONDS = 600


class DidNotRun(Exception):
    """No service gave reliable answers. The message is the end of a sentence that says why."""


def ask(pins: Sequence[str], service: Sequence[str]) -> list[dict[str, Any]]:
    """Answers of pip-audit, one for each pin: name, version, and vulns or skip_reason.

    Raises DidNotRun if it gives no readable answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pins.txt"
        file.write_text("\n".join(pins) + "\n")
        command = [
            *(str(PROGRAM), "--requirement", str(file), "--no-deps", "--disable-pip"),
            *("--progress-spinner=off", "--format=json", *service),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=SECONDS
            )
            answer: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
        except FileNotFoundError as error:
            raise DidNotRun("pip-audit is not installed (make .cache/audit/ready)") from error
        except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
            raise DidNotRun("the service cannot be reached") from error
    return answer


def choose_service(services: Sequence[Sequence[str]]) -> Sequence[str]:
    """The first service that knows the known-bad version. Raises DidNotRun if none does."""
    reasons = []
    for service in services:
        try:
            if any(each.get("vulns") for each in ask([KNOWN_BAD], service)):
                return service
            reasons.append(
                "the service does not know a version that is known to be bad, "
                "so its silence means nothing"
            )
        except DidNotRun as error:
            reasons.append(str(error))
    raise DidNotRun(reasons[-1])


def read_pins(files: Sequence[Path]) -> list[str]:
    """Every `name==version` of the sets, without repetitions."""
    return sorted(
        {
            f"{name}=={version}"
            for file in files
            for name, version in PIN.findall(file.read_text("utf-8"))
        }
    )


def report(found: Sequence[dict[str, Any]]) -> int:
    """Print a line for each open vulnerability and a closing line; give how many are open."""
    known = [
        (each["name"], each["version"], vulnerability)
        for each in found
        for vulnerability in each.get("vulns", ())
    ]
    open_ = [each for each in known if each[2]["id"] not in ACCEPTED]
    for name, version, vulnerability in open_:
        fixed = ", ".join(vulnerability.get("fix_versions", ())) or "none yet"
        print(
            f"vulnerabilities: {name} {version} has {vulnerability['id']} (fixed in: {fixed})",
            file=sys.stderr,
        )
    skipped = [each["name"] for each in found if "skip_reason" in each]
    print(
        f"vulnerabilities: {len(found) - len(skipped)} pins checked, "
        f"{len(open_)} vulnerabilities known, {len(known) - len(open_)} accepted"
    )
    if skipped:
        print(
            "vulnerabilities: not checked, because the service does not know them: "
            + ", ".join(skipped)
        )
    return len(open_)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.audit",
        description="Ask a vulnerability service about every pinned version.",
    )
    parser.add_argument(
        "--osv-url", help="ask this service (OSV's query interface) instead of PyPI's and OSV's own"
    )
    parser.add_argument("--strict", action="store_true", help="fail if the check cannot run")
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        default=sorted(HERE.glob("*.txt")),
        help="sets to check (default: all of requirements/)",
    )
    options = parser.parse_args(arguments)
    services = [["--vulnerability-service=pypi"], ["--vulnerability-service=osv"]]
    if options.osv_url:
        services = [["--vulnerability-service=osv", f"--osv-url={options.osv_url}"]]
    try:
        return 1 if report(ask(read_pins(options.files), choose_service(services))) else 0
    except DidNotRun as error:
        print(f"vulnerabilities: the check DID NOT RUN: {error}", file=sys.stderr)
        return int(options.strict)


if __name__ == "__main__":
    raise SystemExit(main())
