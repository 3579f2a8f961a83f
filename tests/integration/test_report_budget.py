"""report.html takes account of a budget, and leads to one: what it counts, a run does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from segment_scorer.runner.config import RunOptions
from segment_scorer.runner.run import RunResult, run_segment
from tests.browser import CHROMIUM
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle
from tests.integration.test_report_page import count, open_report

pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}: apt-get install chromium"
)
POLICY = 'threshold = 0.3\n[holdout]\npercent = 20\nsalt = "s"\n'


class Rehearsals:
    """Rehearses 900 invented endpoints of 400 users again and again."""

    def __init__(self, folder: Path) -> None:
        chance = random.Random(8)
        people = [
            {
                **person(n, round(chance.random(), 4)),
                "ChannelType": chance.choice(["EMAIL", "SMS"]),
                "User": {"UserId": f"u{chance.randrange(400)}"},
            }
            for n in range(900)
        ]
        self.folder = folder
        self.segment = write_segment(folder / "people.jsonl", people)
        self.bundle = make_bundle(folder / "bundle")
        self.number = 0

    def rehearse(self, policy: str = POLICY, **more: Any) -> tuple[RunResult, Path]:
        self.number += 1
        out = self.folder / f"out{self.number}"
        (self.folder / "policy.toml").write_text(policy)
        options = RunOptions(
            segment=[self.segment],
            out=out,
            bundle=self.bundle,
            policy=self.folder / "policy.toml",
            rehearse=True,
            scheduled_time="2026-01-31T19:00:00Z",
            **more,
        )
        return run_segment(options, lambda *_: None), out / "report.html"


@pytest.fixture(scope="module")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Rehearsals:
    return Rehearsals(tmp_path_factory.mktemp("budget"))


@pytest.fixture(scope="module")
def budgeted(rehearsals: Rehearsals) -> tuple[RunResult, Path]:
    return rehearsals.rehearse(budget="100")


def near(page: Page, result: RunResult) -> bool:
    """Whether the page counts what the run did. A user more or less may have some endpoints."""
    return abs(count(page, "reach-out") - result.summary.kept) <= 2


def test_the_explorer_begins_with_the_budget_and_counts_others_as_a_run_does(
    rehearsals: Rehearsals, budgeted: tuple[RunResult, Path], browser: Browser
) -> None:
    page, heard = open_report(browser, budgeted[1])
    assert page.input_value("#budget") == "100"
    assert count(page, "reach-out") == budgeted[0].summary.kept
    assert page.inner_text("#budget-line") == "--budget 100"
    for budget in ("40", "30%", "250", "1,000"):
        page.get_by_label("Budget: users or %").fill(budget)
        assert page.inner_text("#budget-line") == f"--budget {budget}"
        assert near(page, rehearsals.rehearse(budget=budget)[0]), budget
    page.get_by_label("Budget: users or %").fill("")
    assert count(page, "reach-out") == rehearsals.rehearse()[0].summary.kept
    page.get_by_label("Budget: users or %").fill("many")
    assert "whole number of users" in page.inner_text("#copied-budget")
    page.get_by_role("button", name="back to").click()
    assert page.input_value("#budget") == "100"
    assert heard == []
    page.context.close()


@pytest.mark.parametrize("one_per", [None, "user"])
def test_the_slider_counts_under_the_budget(
    rehearsals: Rehearsals, browser: Browser, one_per: str | None
) -> None:
    choice = {"budget": "100", "one_per": one_per}
    page, _ = open_report(browser, rehearsals.rehearse(**choice)[1])
    for threshold in ("0.1", "0.6", "0.95"):
        page.get_by_label("Threshold, to type").fill(threshold)
        policy = POLICY.replace("0.3", threshold)
        run = rehearsals.rehearse(policy, **choice)[0].summary
        # The chosen users' further endpoints, between the two thresholds, are estimated.
        tolerance = 0.1 if one_per is None else 0.01
        assert count(page, "reach-out") == pytest.approx(run.kept, rel=tolerance), threshold
    page.context.close()


def test_a_typed_number_of_people_becomes_a_budget(
    rehearsals: Rehearsals, browser: Browser
) -> None:
    page, _ = open_report(browser, rehearsals.rehearse(one_per="user")[1])
    assert not page.is_visible("#copied-budget"), "a budget of everybody selected does nothing"
    page.get_by_label("People to message").fill("50")
    line = page.inner_text("#budget-line")
    assert line.startswith("--budget ")
    assert "The control group comes out of it" in page.inner_text("#copied-budget")
    users = line.removeprefix("--budget ")
    assert int(users) > 50, "a fifth of them is in the control group"
    run = rehearsals.rehearse(one_per="user", budget=users)[0].summary
    assert run.kept == pytest.approx(50, abs=1)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="copy the option").click()
    page.wait_for_function(
        "document.querySelector('#copied-budget [role=status]').textContent === 'copied'"
    )
    assert page.evaluate("navigator.clipboard.readText()") == line
    page.context.close()


def test_the_budget_is_kept_in_the_address(
    budgeted: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, budgeted[1])
    page.get_by_label("Budget: users or %").fill("40%")
    assert page.evaluate("location.hash") == "#budget=40%25"
    other = page.context.new_page()
    other.goto(page.evaluate("location.href"))
    other.wait_for_selector("body[data-drawn=yes]", state="attached", timeout=60_000)
    assert other.input_value("#budget") == "40%"
    assert other.inner_text("#reach-out") == page.inner_text("#reach-out")
    page.context.close()


def test_users_stand_beside_endpoints_and_what_was_asked_beside_what_was_reached(
    budgeted: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, budgeted[1])
    summary = budgeted[0].summary
    tiles = page.inner_text("#tiles")
    assert f"people in the segment, {summary.users} users" in tiles
    assert f"would be messaged, {summary.users_kept} users" in tiles
    assert "users in the budget; asked for 100" in tiles
    assert "in the control group; asked for 20.0 %" in tiles
    assert "if each user counts once" in tiles
    table = page.locator("[data-group=channel] .scroll table").last
    head = table.locator("th").all_inner_texts()
    assert head[-3:] == ["users", "users messaged", "expected by user"]
    cells = [row.locator("td").all_inner_texts() for row in table.locator("tr").all()[1:]]
    assert sum(int(row[1]) for row in cells) == summary.received
    assert summary.users < sum(int(row[5]) for row in cells) <= 2 * summary.users
    assert all(int(row[6]) <= int(row[2]) for row in cells)
    page.context.close()


def test_in_mode_shadow_no_budget_is_offered_and_the_worth_is_that_of_everybody_messaged(
    rehearsals: Rehearsals, browser: Browser
) -> None:
    policy = 'mode = "shadow"\n' + POLICY
    result, path = rehearsals.rehearse(policy, value=20.0, cost=0.5)
    page, _ = open_report(browser, path)
    assert not page.is_visible("#budget")
    expected = int(
        page.locator(".tile", has_text="responses expected").first.inner_text().split()[0]
    )
    assert result.summary.kept == result.summary.received
    assert count(page, "worth-number") == 20 * expected - result.summary.kept // 2
    assert count(page, "profit-out") != count(page, "worth-number"), "mode filter messages fewer"
    page.get_by_label("People to message").fill("50")
    assert not page.is_visible("#copied-budget")
    page.context.close()


def test_the_histogram_shows_where_the_budget_ends(
    budgeted: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, budgeted[1])
    marks = "document.querySelectorAll('#histogram .mark-rule.role-mark line').length"
    page.wait_for_function(f"{marks} === 2")
    assert "where the budget ends" in page.inner_text("#limit-note")
    page.get_by_label("Budget: users or %").fill("")
    page.wait_for_function(f"{marks} === 1")
    assert page.inner_text("#limit-note") == ""
    page.emulate_media(media="print")
    assert page.is_visible("#explored-at")
    assert page.inner_text("#explored-at") == "Threshold 0.3000"
    page.context.close()
