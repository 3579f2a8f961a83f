"""`run --budget --one-per --suppress --treatments` on real files, through the real function."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from segment_scorer.cli.main import main
from segment_scorer.cli.run_result import run_with_bar
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.errors import OptionError
from segment_scorer.runner.run import run_segment
from tests.browser import CHROMIUM
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle, write_policy
from tests.integration.test_report_page import count, open_report
from tools.image.emulator import run_emulator

ROOT = Path(__file__).parents[2]
CHANNELS = ("EMAIL", "PUSH", "SMS")
# 60 users with three endpoints of the same score, and 40 people without a UserId.
PEOPLE = [
    {
        **person(index, (index // 3) / 80),
        "ChannelType": CHANNELS[index % 3],
        "User": {"UserId": f'u{index // 3}"' if index < 9 else f"u{index // 3}"},
    }
    for index in range(180)
] + [person(index, (index - 180) / 40) for index in range(180, 220)]
Run = Callable[..., int]
HOLDOUT = 'threshold = 0.2\n[holdout]\npercent = 20.0\nsalt = "s"\n'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("model") / "bundle")


@pytest.fixture
def run(tmp_path: Path, bundle: Path) -> Run:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)

    def run(*more: object, out: str = "out", policy: str = HOLDOUT, local: bool = True) -> int:
        file = write_policy(tmp_path / f"{out}.toml", policy)
        fixed = ["--out", tmp_path / out, *(["--bundle", bundle] if local else [])]
        fixed += ["--policy", file]
        fixed += ["--scheduled-time", "2026-01-01"]
        return main(["run", str(segment), *map(str, fixed), *map(str, more)])

    return run


def read_out(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]], list[Any]]:
    text = (folder / "decisions.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    kept = list(
        map(json.loads, gzip.decompress((folder / "segment.jsonl.gz").read_bytes()).splitlines())
    )
    return json.loads((folder / "summary.json").read_text()), rows, kept


def read_report(folder: Path) -> dict[str, Any]:
    text = (folder / "report.html").read_text("utf-8").partition("\nconst report = ")[2]
    report: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return report


def ask(folder: Path, bundle: Path, out: str, **more: Any) -> RunOptions:
    """The options of a run of the same files, under the policy of the run "out"."""
    return RunOptions(
        segment=[folder / "people.jsonl"],
        out=folder / out,
        bundle=bundle,
        policy=folder / "out.toml",
        scheduled_time="2026-01-01",
        **more,
    )


def user_of(row: dict[str, str]) -> str:
    return row["UserId"] or row["Id"]


def test_a_budget_holds_exactly_and_the_control_group_comes_out_of_it(
    run: Run, tmp_path: Path
) -> None:
    assert run(out="whole") == 0
    _, before, _ = read_out(tmp_path / "whole")
    assert run("--budget", 20) == 0
    summary, rows, kept = read_out(tmp_path / "out")
    selected = [row for row in rows if row["selected"] == "true"]
    users = {user_of(row) for row in selected}
    assert len(users) == summary["budget_users"] == summary["users_selected"] == 20
    # Recounted from the run without a budget: nobody left out scored better than one who stays.
    wanted = {user_of(row): float(row["score"]) for row in before if row["selected"] == "true"}
    assert min(wanted[user] for user in users) >= max(
        score for user, score in wanted.items() if user not in users
    )
    sent = {user_of(row) for row in rows if row["sent"] == "true"}
    assert sent == {user for user in users if not in_control(rows, user)}
    assert summary["users_held_out"] > 0
    assert summary["users_kept"] == len(sent) < 20
    assert [each["Id"] for each in kept] == [row["Id"] for row in rows if row["sent"] == "true"]
    assert summary["kept"] == len(kept)
    assert summary["budget"] == sum(row["reason"] == "budget" for row in rows)
    held = [row for row in rows if row["holdout"] == "true"]
    assert {row["reason"] for row in held} == {"holdout"}
    assert {row["selected"] for row in held} == {"true", "false"}


def in_control(rows: list[dict[str, str]], user: str) -> bool:
    return any(user_of(row) == user and row["holdout"] == "true" for row in rows)


def test_one_endpoint_of_each_user_stays_and_the_ranked_channel_wins(
    run: Run, tmp_path: Path
) -> None:
    assert run("--one-per", "user", "--channel-order", "SMS,PUSH") == 0
    summary, rows, kept = read_out(tmp_path / "out")
    users = Counter(user_of(row) for row in rows if row["selected"] == "true")
    assert set(users.values()) == {1}
    assert {each.get("ChannelType") for each in kept if "User" in each} == {"SMS"}
    assert summary["kept"] == summary["users_kept"]
    assert summary["one_per_user"] == sum(row["reason"] == "one_per_user" for row in rows)


def test_everybody_left_out_has_one_outcome_alike_in_summary_report_and_decisions(
    run: Run, tmp_path: Path
) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text("UserId\nu59\nu58\n")
    assert run("--suppress", ids, "--budget", 20, "--one-per", "user") == 0
    summary, rows, _ = read_out(tmp_path / "out")
    reasons = Counter(row["reason"] for row in rows if row["sent"] == "false")
    counted = {name: summary[name] for name in ("suppressed", "one_per_user", "budget")}
    assert counted == {name: reasons[name] for name in counted}
    assert min(counted.values()) > 0
    tiles = {each["name"]: each["people"] for each in read_report(tmp_path / "out")["outcomes"]}
    assert tiles == {
        "messaged": summary["kept"],
        "filtered": reasons["score"],
        "suppressed": counted["suppressed"],
        "another endpoint chosen": counted["one_per_user"],
        "beyond the budget": counted["budget"],
        "control group": summary["held_out"],
    }
    assert sum(tiles.values()) == summary["received"]


def test_what_the_rules_reach_is_told_apart_from_what_a_budget_leaves(
    run: Run, tmp_path: Path
) -> None:
    policy = "threshold = { reach = 0.5 }\n"
    assert run(out="whole", policy=policy) == 0
    assert run("--budget", 5, "--one-per", "user", policy=policy) == 0
    whole, chosen = (read_report(tmp_path / out) for out in ("whole", "out"))
    assert chosen["asked"][0] == whole["asked"][0]
    assert chosen["asked"][1] == {"what": "users in the budget", "asked": "5", "reached": "5"}
    assert chosen["warnings"] == whole["warnings"]


def test_processes_and_chunks_do_not_change_who_is_chosen(run: Run, tmp_path: Path) -> None:
    choice = ("--budget", "30%", "--one-per", "user", "--also", "csv", "--also", "connect-csv")
    assert run(*choice) == 0
    assert run(*choice, "--processes", 2, out="two") == 0
    for name in ("decisions.csv", "segment.jsonl.gz", "segment.csv"):
        one, two = ((tmp_path / out / name).read_bytes() for out in ("out", "two"))
        unpack = gzip.decompress if name.endswith(".gz") else bytes
        assert unpack(one) == unpack(two)


def test_suppressed_people_are_not_sent_by_id_or_by_user(run: Run, tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text(f"UserId,Id,Why\nu59,,asked\n,{PEOPLE[-1]['Id']},bounced\n,,\n")
    assert run("--suppress", ids) == 0
    summary, rows, _ = read_out(tmp_path / "out")
    found = {row["Id"] for row in rows if row["reason"] == "suppressed"}
    tiles = read_report(tmp_path / "out")["outcomes"]
    assert {"name": "suppressed", "people": 4, "users": 2} in tiles
    assert found == {PEOPLE[-1]["Id"], *(each["Id"] for each in PEOPLE[177:180])}
    assert {row["selected"] for row in rows if row["reason"] == "suppressed"} == {"false"}
    assert summary["suppressed"] == 4


def test_a_file_without_ids_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in ("ann\nbob\n", ""):
        (tmp_path / "ids.csv").write_text(content)
        assert run("--suppress", tmp_path / "ids.csv") == 1
        assert "expected a column Id or UserId in the header" in capsys.readouterr().err
    assert run("--suppress", tmp_path / "none.csv") == 1
    assert "expected a readable CSV file" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["pinpoint", "web"])
def test_treatments_split_users_and_their_overrides_apply(
    run: Run, tmp_path: Path, host: str
) -> None:
    override = '[[override]]\ntreatment_id = "B"\nthreshold = 0.9\n'
    policy = "threshold = 0.2\n" + override
    assert run("--treatments", "A:50,B:50", "--host", host, policy=policy) == 0
    summary, rows, kept = read_out(tmp_path / "out")
    assert list(rows[0])[-1] == "treatment"
    by_user: dict[str, set[str]] = {}
    for row in rows:
        by_user.setdefault(user_of(row), set()).add(row["treatment"])
    assert all(len(treatments) == 1 for treatments in by_user.values())
    for row in rows:
        threshold = 0.9 if row["treatment"] == "B" else 0.2
        assert row["sent"] == str(float(row["score"]) >= threshold).lower()
    assert [each["Id"] for each in kept] == [row["Id"] for row in rows if row["sent"] == "true"]
    for name in "AB":
        mine = [row for row in rows if row["treatment"] == name]
        assert summary["treatments"][name]["received"] == len(mine) > 50
        assert summary["treatments"][name]["kept"] == sum(row["sent"] == "true" for row in mine)
    assert summary["threshold"] is None
    explorer = read_report(tmp_path / "out")["explorer"]
    assert (explorer["threshold"], explorer["takes_budget"]) == (None, False)


def test_rules_of_a_treatment_that_nobody_is_drawn_for_are_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = 'threshold = {{ reach = {} }}\n[[override]]\ntreatment_id = "B"\nthreshold = 0.9\n'
    assert run("--treatments", "A:50,C:50", policy=rules.format(0.3)) == 0
    assert "rules for treatment B, which nobody is drawn for" in capsys.readouterr().err
    assert run("--treatments", "A:50,B:50", policy=rules.format(0.3), out="both") == 0
    assert "nobody is drawn for" not in capsys.readouterr().err
    report = read_report(tmp_path / "both")
    assert report["asked"] == [], "each treatment asks for something else"
    rows = {row["name"]: row for row in report["groups"]["treatment"]}
    treatments = read_out(tmp_path / "both")[0]["treatments"]
    assert {name: row["kept"] for name, row in rows.items()} == {
        name: counts["kept"] for name, counts in treatments.items()
    }
    assert rows["A"]["users"] + rows["B"]["users"] == 100


def test_a_budget_over_treatments_counts_each_anew(run: Run, tmp_path: Path) -> None:
    assert run("--treatments", "A:50,B:50", "--budget", 20) == 0
    summary, rows, _ = read_out(tmp_path / "out")
    for name in "AB":
        kept = sum(row["sent"] == "true" for row in rows if row["treatment"] == name)
        counts = summary["treatments"][name]
        assert counts["kept"] == kept
        assert counts["received"] == counts["kept"] + counts["filtered"]


def test_a_rehearsal_says_which_threshold_of_a_hook_keeps_as_many(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--budget", 20, "--rehearse") == 0
    told = capsys.readouterr().err
    assert "The budget leaves 20 of " in told
    assert re.search(r"selected users, and 1\d of them are messaged\. The control group", told)
    assert "For a hook, threshold = 0." in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html"}


@pytest.mark.parametrize("keep", ["at_least", "below"])
def test_the_threshold_told_for_a_hook_selects_as_many_users_as_it_says(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: str
) -> None:
    rule = f'keep = "{keep}"\nthreshold = 0.5\n'
    assert run("--budget", 23, "--rehearse", policy=rule) == 0
    told = capsys.readouterr().err.replace("\n", " ")
    sides = re.findall(r"threshold = (0\.\d+) selects (\d+)", told)
    assert sides
    for index, (threshold, users) in enumerate(sides):
        out = f"hook{index}"
        policy = f'keep = "{keep}"\nthreshold = {threshold}\n'
        assert run(out=out, policy=policy) == 0
        assert read_out(tmp_path / out)[0]["users_selected"] == int(users)
    assert int(sides[0][1]) >= 23
    assert all(int(users) < 23 for _, users in sides[1:])


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ((("--budget", "many"), HOLDOUT), "--budget: expected a whole number of users"),
        ((("--one-per", "channel"), HOLDOUT), "--one-per: expected user"),
        ((("--channel-order", "SMS"), HOLDOUT), "--channel-order: expected with --one-per user"),
        ((("--one-per", "user", "--channel-order", "FAX"), HOLDOUT), "expected channels of"),
        ((("--treatments", "0:50,1:49"), HOLDOUT), "--treatments: expected names with"),
        ((("--treatments", "0:50,0:50"), HOLDOUT), "--treatments: expected names with"),
        ((("--treatments", "0:50,1:50", "--host", "connect"), HOLDOUT), "carry no treatment"),
        ((("--treatment-salt", "x"), HOLDOUT), "--treatment-salt: expected with --treatments"),
        ((("--budget", "1"), 'mode = "shadow"\n'), "mode shadow leaves nobody out"),
        (
            (
                ("--treatments", "0:50,1:50"),
                '[[override]]\ntreatment_id = "1"\nmode = "annotate"\n',
            ),
            "expected the same mode for every treatment",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anybody_is_sent(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    case: tuple[tuple[str, ...], str],
    sentence: str,
) -> None:
    options, policy = case
    assert run(*options, policy=policy) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_resuming_a_complete_run_ends_with_0_and_says_so(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--budget", 20, "--resume") == 0
    before = (tmp_path / "out" / "summary.json").read_bytes()
    capsys.readouterr()
    assert run("--budget", 20, "--resume") == 0
    assert "the run is complete; there is nothing to resume" in capsys.readouterr().err
    assert run("--budget", 21, "--one-per", "user", "--resume") == 1
    told = capsys.readouterr().err
    assert "complete, but was made with a different --budget, --one-per. Use the same" in told
    with (tmp_path / "people.jsonl").open("a") as segment:
        segment.write("\n")
    assert run("--budget", 20, "--resume") == 1
    assert "made with a different segment files" in capsys.readouterr().err
    assert (tmp_path / "out" / "summary.json").read_bytes() == before


def test_a_run_says_its_figures_by_user_and_that_nobody_was_suppressed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.csv").write_text("Id\nnobody\n")
    assert run("--suppress", tmp_path / "ids.csv") == 0
    told = capsys.readouterr().err
    summary, rows, _ = read_out(tmp_path / "out")
    assert "220  people in the segment (100 users)" in told
    assert f"in the control group (holdout) ({summary['users_held_out']} users)" in told
    best: dict[str, float] = {}
    for row in rows:
        if row["sent"] == "true":
            best[user_of(row)] = max(best.get(user_of(row), 0.0), float(row["score"]))
    assert f"By user: {len(best)} of 100 users are kept; {sum(best.values()):,.0f} resp" in told
    assert "--suppress: nobody in the segment is in the file" in told


def test_a_run_stopped_at_its_end_chooses_the_same_people_when_resumed(
    run: Run, tmp_path: Path, bundle: Path
) -> None:
    assert run("--budget", 20, "--one-per", "user") == 0
    options = ask(
        tmp_path,
        bundle,
        "stopped",
        budget="20",
        one_per="user",
        slices=1,
        checkpoint_seconds=0.0,
    )
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_segment(options, stop)
    assert len(seen) > 3
    with pytest.raises(OptionError, match=r"different --budget\."):
        run_segment(replace(options, resume=True, budget="21"), lambda *_: None)
    run_segment(replace(options, resume=True), lambda *_: None)
    for name in ("decisions.csv", "segment.jsonl.gz"):
        one, two = ((tmp_path / out / name).read_bytes() for out in ("out", "stopped"))
        unpack = gzip.decompress if name.endswith(".gz") else bytes
        assert unpack(one) == unpack(two)


def test_on_a_terminal_a_second_bar_follows_the_choice(
    run: Run, tmp_path: Path, bundle: Path
) -> None:
    assert run() == 0  # makes the files
    shown = io.StringIO()
    options = ask(
        tmp_path,
        bundle,
        "barred",
        budget="20",
    )
    run_with_bar(options, Console(file=shown, force_terminal=True, width=120))
    lines = shown.getvalue()
    assert "scoring" in lines
    assert re.search(r"choosing and counting.*100 %", lines)


@pytest.mark.parametrize("more", [{}, {"one_per": "user"}, {"budget": "20"}, {"budget": "1000"}])
def test_the_work_after_the_last_call_is_told_from_nothing_to_everything(
    run: Run, tmp_path: Path, bundle: Path, more: dict[str, str]
) -> None:
    assert run() == 0
    told: list[tuple[int, int]] = []
    run_segment(
        ask(tmp_path, bundle, "told", **more),
        lambda *_: None,
        finishing=lambda done, total: told.append((done, total)),
    )
    done = [each for each, _ in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][1] > 0


# Ends its own process inside the second pass, once that has come as far as the share given.
ENDS_ITSELF = """
import os, signal, sys
from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import run_segment
segment, out, bundle, policy, name, share = sys.argv[1:]
def finishing(done, total):
    if done >= float(share) * total:
        os.kill(os.getpid(), getattr(signal, name))
run_segment(
    RunOptions(segment=[segment], out=out, bundle=bundle, policy=policy, budget="20",
               one_per="user", scheduled_time="2026-01-01", slices=1),
    lambda *_: None, finishing=finishing)
"""


@pytest.mark.parametrize("share", [0.0, 0.4, 0.75, 0.9, 1.0])
def test_a_second_pass_that_was_interrupted_anywhere_begins_again(
    run: Run, tmp_path: Path, bundle: Path, share: float
) -> None:
    assert run("--budget", 20, "--one-per", "user") == 0
    options = ask(
        tmp_path,
        bundle,
        "stopped",
        budget="20",
        one_per="user",
    )

    def stop(done: int, total: int) -> None:
        assert done <= total
        if done >= share * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_segment(options, lambda *_: None, finishing=stop)
    assert not (tmp_path / "stopped" / "summary.json").exists()
    read: list[int] = []
    run_segment(replace(options, resume=True), lambda done, _: read.append(done))
    assert read == [], "the hook is not asked again"
    assert_same_people(tmp_path / "out", tmp_path / "stopped")


@pytest.mark.parametrize(("name", "share"), [("SIGTERM", 0.9), ("SIGKILL", 0.75)])
def test_a_process_that_was_ended_inside_the_second_pass_is_resumed_to_the_same_people(
    run: Run, tmp_path: Path, bundle: Path, name: str, share: float
) -> None:
    choice = ("--budget", "20", "--one-per", "user")
    assert run(*choice) == 0
    words = (tmp_path / "people.jsonl", tmp_path / "stopped", bundle, tmp_path / "out.toml")
    process = [sys.executable, "-c", ENDS_ITSELF, *map(str, words), name, str(share)]
    ended = subprocess.run(process, timeout=120, check=False, cwd=ROOT)
    assert ended.returncode == -getattr(signal, name)
    assert (tmp_path / "stopped" / ".unfinished" / "checkpoint.json").exists()
    run_segment(
        ask(
            tmp_path,
            bundle,
            "stopped",
            budget="20",
            one_per="user",
            slices=1,
            resume=True,
        ),
        lambda *_: None,
    )
    assert_same_people(tmp_path / "out", tmp_path / "stopped")


def assert_same_people(one: Path, other: Path) -> None:
    for name in ("decisions.csv", "segment.jsonl.gz"):
        unpack = gzip.decompress if name.endswith(".gz") else bytes
        assert unpack((one / name).read_bytes()) == unpack((other / name).read_bytes())
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, other)]
    for summary in summaries:
        for unlike in ("seconds", "options"):
            del summary[unlike]
    assert summaries[0] == summaries[1]


def test_a_deployed_function_is_refused_unless_its_policy_annotates(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in (("--budget", 20), ("--one-per", "user")):
        hook = ("--hook", "http://127.0.0.1:9")
        assert run(*options, *hook, local=False) == 1
        assert 'expected --policy with its policy, in mode = "annotate"' in capsys.readouterr().err


def test_over_http_in_mode_annotate_the_budget_holds(
    run: Run, tmp_path: Path, bundle: Path, request: pytest.FixtureRequest
) -> None:
    policy = 'mode = "annotate"\n[holdout]\npercent = 20.0\nsalt = "s"\n'
    file = write_policy(tmp_path / "deployed.toml", policy)
    assert run("--budget", 20, policy="threshold = 0.0\n" + policy) == 0
    environ = {"SCORER_BUNDLE": str(bundle), "SCORER_POLICY": str(file)}
    with run_emulator(environ=environ) as emulator:
        hook = ("--hook", emulator.url)
        assert run("--budget", 20, *hook, out="http", policy=policy, local=False) == 0
    (local, rows, kept), (http, found, got) = map(read_out, (tmp_path / "out", tmp_path / "http"))
    assert [row["Id"] for row in rows if row["sent"] == "true"] == [
        row["Id"] for row in found if row["sent"] == "true"
    ]
    assert [each["Id"] for each in kept] == [each["Id"] for each in got]
    assert local["users_kept"] == http["users_kept"] < 20 == http["budget_users"]
    report = read_report(tmp_path / "http")
    assert "the run left out all but those whom it chose" in " ".join(report["story"])
    assert (report["explorer"]["budget"], report["explorer"]["takes_budget"]) == ("20", True)
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    browser: Browser = request.getfixturevalue("browser")
    page, heard = open_report(browser, tmp_path / "http" / "report.html")
    assert count(page, "reach-out") == http["kept"]
    page.get_by_label("Budget: users or %").fill("40%")
    assert page.inner_text("#budget-line") == "--budget 40%"
    assert run("--budget", "40%", out="share", policy="threshold = 0.0\n" + policy) == 0
    kept_by_share = read_out(tmp_path / "share")[0]["kept"]
    assert count(page, "reach-out") == pytest.approx(kept_by_share, abs=3)
    assert heard == []
    page.context.close()


def test_lift_reports_each_treatment(run: Run, tmp_path: Path) -> None:
    policy = 'threshold = 0.0\n[holdout]\npercent = 40.0\nsalt = "s"\n'
    assert run("--treatments", "A:50,B:50", policy=policy) == 0
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("".join(["UserId,outcome\n", *(f"u{n},{n % 2}\n" for n in range(60))]))
    assert main(["lift", str(tmp_path / "out"), "--outcomes", str(outcomes)]) in {0, 4}
    by = json.loads((tmp_path / "out" / "lift" / "lift.json").read_text())["by"]["treatment"]
    assert {each["name"] for each in by["rows"]} == {"A", "B"}
