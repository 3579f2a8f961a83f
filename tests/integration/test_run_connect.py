"""A rehearsal for Amazon Connect: an export of customer profiles, and what a journey will read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import orc

from model.profile_names import SETTING
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.run import RunResult, run_segment
from tests.fakes import make_bundle, write_policy

POLICY = """
threshold = 0.5
[holdout]
percent = 20
salt = "s"
[[band]]
name = "high"
at_least = 0.8
[[exclude]]
path = "Profile.Gender"
equals = "FEMALE"
reason = "gender"
"""
METRICS = {"aws": "Metrics_score", "pronetx": "Metric_score"}


def make_profile(number: int, naming: str) -> dict[str, Any]:
    """An invented profile as an export has it: capitals, and a field without a value."""
    return {
        "ProfileId": f"profile-{number:04}",
        "AccountNumber": f"user-{number}",
        "EmailAddress": f"person-{number}@example.com",
        "LastName": "",
        "GenderString": "FEMALE" if number % 10 == 0 else "MALE",
        "Address": {"Country": "DE"},
        "Attributes": {METRICS[naming]: str(number % 100 / 100)},
    }


def write_lines(path: Path, profiles: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(profile) + "\n" for profile in profiles))
    return path


def write_table(path: Path, profiles: list[dict[str, Any]]) -> Path:
    """A CSV with dotted headers."""
    rows = [
        {
            name if group is None else f"{group}.{name}": value
            for group, fields in ((None, profile), *profile.items())
            if isinstance(fields, dict)
            for name, value in fields.items()
            if not isinstance(value, dict)
        }
        for profile in profiles
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_orc(path: Path, profiles: list[dict[str, Any]]) -> Path:
    """Objects are structs."""
    orc.write_table(pa.Table.from_pylist(profiles), path)
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def rehearse(folder: Path, bundle: Path, segment: Path, **more: Any) -> tuple[RunResult, Any]:
    """The result, and the data of the report."""
    policy = write_policy(folder / "policy.toml", more.pop("policy", POLICY))
    warn = more.pop("warn", lambda _: None)
    options = RunOptions(
        segment=[segment],
        out=folder / "out",
        host=more.pop("host", "connect"),
        policy=policy,
        bundle=bundle,
        rehearse=True,
        force=True,
        processes=1,
        **more,
    )
    result = run_segment(options, lambda *_: None, warn)
    page = (folder / "out" / "report.html").read_text("utf-8")
    data = page.partition("\nconst report = ")[2].partition(";\nconst charts")[0]
    return result, json.loads(data)


@pytest.mark.parametrize("naming", METRICS)
@pytest.mark.parametrize("write", [write_lines, write_table, write_orc])
def test_an_export_of_profiles_is_walked_and_the_report_says_what_the_journey_will_read(
    tmp_path: Path, bundle: Path, write: Any, naming: str
) -> None:
    segment = write(tmp_path / "export", [make_profile(n, naming) for n in range(400)])
    result, report = rehearse(tmp_path, bundle, segment)
    summary, journey = result.summary, report["journey"]
    assert (summary.received, summary.host, summary.unreadable) == (400, "connect", 0)
    read = {(row["field"], row["value"]): row for row in journey["rows"]}
    assert read["decision", "keep"]["people"] == summary.kept
    assert read["decision", "drop"]["people"] == summary.filtered
    assert read["reason", "excluded"]["people"] == summary.excluded > 0
    assert read["holdout", "true"]["people"] == summary.held_out > 0
    assert read["band", "high"]["kept"] > 0
    for field in ("decision", "selected", "holdout", "reason", "band", "score"):
        people = [row["people"] for (name, _), row in read.items() if name == field]
        assert sum(people) == 400, field
    assert journey["sentence"] in " ".join(report["story"])
    assert journey["sentence"] in result.expected
    assert journey["notes"] == []


def test_calculated_attributes_are_not_sent_which_is_said_if_they_are_read(
    tmp_path: Path, bundle: Path
) -> None:
    profiles = [
        {**make_profile(n, "aws"), "CalculatedAttributes": {"Orders": "3"}} for n in range(20)
    ]
    segment = write_lines(tmp_path / "export.jsonl", profiles)
    policy = '[[exclude]]\npath = "Calculated.Orders"\nat_least = 1\nreason = "orders"\n'
    result, report = rehearse(tmp_path, bundle, segment, policy=policy)
    assert result.summary.excluded == 0
    expected = "The model or the policy reads Calculated.Orders. The live events of Amazon Connect"
    assert any(text.startswith(expected) for text in result.warnings)
    assert any(text.startswith(expected) for text in report["warnings"])
    result, _ = rehearse(tmp_path, bundle, segment)
    assert not any("calculated" in text for text in result.warnings)


def test_attributes_that_two_migrations_could_have_named_are_said_before_the_run_and_settable(
    tmp_path: Path, bundle: Path
) -> None:
    profiles = [make_profile(n, "pronetx") for n in range(40)]
    for profile in profiles:
        profile["Attributes"] |= {"Plan_0": "gold", "Metrics_other": "1"}
    segment = write_table(tmp_path / "export.csv", profiles)
    policy = '[[exclude]]\npath = "Attributes.Metrics_other"\nat_least = 1\nreason = "other"\n'
    for environ, excluded, warned in (({}, 0, True), ({SETTING: "pronetx"}, 40, False)):
        warnings: list[str] = []
        result, _ = rehearse(
            tmp_path, bundle, segment, policy=policy, environ=environ, warn=warnings.append
        )
        assert (result.summary.received, result.summary.excluded) == (40, excluded)
        assert any("two migrations from Pinpoint" in text for text in warnings) == warned
    with pytest.raises(OptionError, match=f"^{SETTING}: expected one of auto, aws, pronetx$"):
        rehearse(tmp_path, bundle, segment, environ={SETTING: "other"})


def test_the_setting_holds_for_profiles_that_go_to_another_host(
    tmp_path: Path, bundle: Path
) -> None:
    segment = write_lines(tmp_path / "export.jsonl", [make_profile(n, "aws") for n in range(40)])
    for names, scored in (("aws", 40), ("pronetx", 0)):
        result, report = rehearse(
            tmp_path, bundle, segment, host="pinpoint", environ={SETTING: names}
        )
        assert result.summary.received == 40
        assert (report["expected"]["all"] > 0) == (scored > 0)
        assert report["journey"] is None
