"""`report.html` in a browser: without a network, on a screen and on a phone, light and dark."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page

from function.records import Reason
from segment_scorer.runner.config import RunConfig, RunOptions
from segment_scorer.runner.reporting.report import write_report
from segment_scorer.runner.reporting.statistics import RawGroup
from segment_scorer.runner.run import RunResult, run_segment
from segment_scorer.runner.summary import Status, make_summary
from segment_scorer.runner.writing.checkpoint import Checkpoint
from tests.browser import CHROMIUM, LUMINANCE, measure_contrast
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle, make_uplift_bundle

POLICY = """
threshold = 0.5
decimals = 4
[holdout]
percent = 10
salt = "s"
[[band]]
name = "gold"
at_least = 0.8
"""
BLIND = RunConfig(scheduled_time="t", activity_id="a")  # of a hook behind an address
# What the model learnt from: nobody with more than 0.5.
REFERENCE = {"edges": [0.25, 0.5], "shares": [0.5, 0.5, 0.0], "missing": 0.0}
DRIFT = {"features": {"score": REFERENCE}, "score": REFERENCE}
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}: apt-get install chromium"
)


def rehearse(
    folder: Path, policy: str, make: Callable[..., Path] = make_bundle, **more: Any
) -> tuple[RunResult, Path]:
    """Rehearse 1,200 invented people, some of whom differ from the training data."""
    chance = random.Random(4)
    people = [
        person(
            n,
            round(chance.random(), 4),
            OptOut=chance.choice(["NONE"] * 9 + ["ALL"]),
            ChannelType=chance.choice(["EMAIL", "APNS_VOIP_SANDBOX"]),
            Location={"Country": chance.choice(["DE", "fr", "</script>"])},
        )
        for n in range(1200)
    ]
    (folder / "policy.toml").write_text(policy)
    request = RunOptions(
        segment=[write_segment(folder / "people.jsonl", people)],
        out=folder / "out",
        bundle=make(folder / "bundle", drift=DRIFT),
        policy=folder / "policy.toml",
        rehearse=True,
        campaign_id="spring</script><!--",
        scheduled_time="2026-01-31T19:00:00Z",
        **more,
    )
    return run_segment(request, lambda *_: None), folder / "out" / "report.html"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    return rehearse(tmp_path_factory.mktemp("report"), POLICY)


def open_report(browser: Browser, path: Path, **options: Any) -> tuple[Page, list[str]]:
    """The drawn page, and everything on the console. Nothing but the file can be reached."""
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:", "blob:"))
            else heard.append(request.url)
        ),
    )
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-drawn=yes]", state="attached", timeout=60_000)
    return page, heard


def count(page: Page, id_: str) -> int:
    return int(re.sub(r"[^0-9-]", "", page.inner_text(f"#{id_}")))


def test_a_rehearsal_writes_nothing_but_its_report(run: tuple[RunResult, Path]) -> None:
    assert [path.name for path in run[1].parent.iterdir()] == ["report.html"]
    assert run[1].stat().st_size < 1_500_000


def test_opens_without_a_network_and_without_a_message_on_the_console(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, heard = open_report(browser, run[1])
    assert heard == []
    assert page.inner_text("h1") == "spring</script><!--: what this policy would do"
    assert page.title() == "spring</script><!--: what this policy would do (Segment Scorer)"
    assert "spring</script><!--" in page.inner_text("#about")
    for chart in ("histogram", "reach", "by-channel", "by-country", "by-band", "times"):
        assert page.locator(f"#{chart} svg").count() == 1, chart
    page.context.close()


def test_shows_the_counts_of_the_summary(run: tuple[RunResult, Path], browser: Browser) -> None:
    page, _ = open_report(browser, run[1])
    summary = run[0].summary
    table = page.inner_text("#counts")
    for name in ("received", "kept", "filtered", "held_out", "opted_out", "batches"):
        assert f"{name}\t{getattr(summary, name):,}" in table
    assert count(page, "reach-out") == summary.kept, "the explorer begins where the policy stands"
    page.context.close()


def test_there_is_no_profit_before_value_and_cost_are_given(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, heard = open_report(browser, run[1])
    assert (page.input_value("#value"), page.input_value("#cost")) == ("", "")
    assert not page.is_visible("#profit-out")
    page.locator("#value").fill("20")
    assert not page.is_visible("#profit-out")
    assert not page.is_visible("#curve")
    page.locator("#cost").fill("0")
    assert count(page, "profit-out") == pytest.approx(20 * count(page, "expected-out"), abs=11)
    page.wait_for_selector("#curve svg")
    width = page.evaluate("document.querySelector('#curve svg').getBoundingClientRect().width")
    assert (
        width
        > page.evaluate("document.querySelector('#histogram svg').getBoundingClientRect().width")
        / 2
    )
    page.locator("#cost").fill("")
    assert not page.is_visible("#curve")
    assert heard == []
    page.context.close()


def test_dragging_the_threshold_moves_reach_responses_and_profit(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, heard = open_report(browser, run[1])
    page.locator("#value").fill("20")
    page.locator("#cost").fill("0.5")
    assert not page.is_visible("#reset")
    slider = page.locator("#threshold")
    reached, profits = [], []
    for threshold in ("0", "0.25", "0.75", "1"):
        slider.fill(threshold)
        reached.append(count(page, "reach-out"))
        expected, profit = count(page, "expected-out"), count(page, "profit-out")
        assert abs(profit - (20 * expected - 0.5 * reached[-1])) <= 11, (
            "20 a response, half a unit a message; shown in whole responses"
        )
        profits.append(profit)
    assert reached == sorted(reached, reverse=True)
    assert len(set(reached)) == 4
    summary = run[0].summary
    assert reached[0] == summary.received - (summary.opted_out or 0) - (summary.held_out or 0)
    page.locator("#cost").fill("1000")
    assert count(page, "profit-out") <= 0
    slider.fill("0.25")
    assert count(page, "profit-out") < profits[1] < profits[0]
    page.get_by_role("button", name="back to the policy's").click()
    assert count(page, "reach-out") == summary.kept
    assert heard == []
    page.context.close()


def test_the_chart_follows_the_threshold(run: tuple[RunResult, Path], browser: Browser) -> None:
    page, _ = open_report(browser, run[1])
    before = page.inner_html("#histogram svg")
    page.locator("#threshold").fill("0.9")
    page.wait_for_function(
        "before => (document.querySelector('#histogram svg')?.innerHTML ?? before) !== before",
        arg=before,
    )
    page.context.close()


def test_fits_a_phone_and_its_text_can_be_read(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(
        browser,
        run[1],
        viewport={"width": 390, "height": 844},
        is_mobile=True,
        has_touch=True,
        device_scale_factor=3,
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("innerWidth") == 390
    small = page.evaluate(
        "[...document.querySelectorAll('h1,h2,p,td,th,label,span,b,output,svg text')]"
        ".filter(e => e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < 11).length"
    )
    assert small == 0
    wide = page.evaluate(
        "[...document.querySelectorAll('svg')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth).length"
    )
    assert wide == 0
    page.context.close()


def test_on_the_smallest_phone_no_column_and_no_title_is_cut_off(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(
        browser,
        run[1],
        viewport={"width": 360, "height": 740},
        is_mobile=True,
        has_touch=True,
        device_scale_factor=2,
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    tables = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map((e) => e.scrollWidth - e.clientWidth)"
    )
    assert tables == [0] * len(tables)
    assert "responses expected" in page.inner_text("[data-group=channel] table")
    cut = page.evaluate(
        """[...document.querySelectorAll('svg')].flatMap((svg) =>
        [...svg.querySelectorAll('text')].filter((text) => {
            const inner = text.getBoundingClientRect(), outer = svg.getBoundingClientRect();
            return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1);
        }).map((text) => text.textContent))"""
    )
    assert cut == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast_in_light_and_dark(
    scheme: str, run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, run[1], color_scheme=scheme)
    card = page.evaluate(LUMINANCE, "--card")
    for name in ("--ink", "--soft"):
        for ground in ("--card", "--page"):
            assert measure_contrast(page, name, ground) >= 4.5  # WCAG 2.2, 1.4.3
    assert (card < 0.1) == (scheme == "dark")
    fill = page.evaluate("getComputedStyle(document.querySelector('#histogram svg text')).fill")
    assert (sum(map(int, re.findall(r"\d+", fill)[:3])) > 380) == (scheme == "dark")
    page.context.close()


@pytest.mark.parametrize("host", ["pinpoint", "connect"])
def test_in_mode_annotate_the_explorer_shows_what_mode_filter_would_do(
    tmp_path: Path, host: str, browser: Browser
) -> None:
    policy = POLICY.replace(
        "threshold", 'mode = "annotate"\nmin_present = 0.1\nsparse = "drop"\nthreshold', 1
    )
    (tmp_path / "filter").mkdir()
    filtered = rehearse(tmp_path / "filter", policy.replace("annotate", "filter"), host=host)[
        0
    ].summary
    result, path = rehearse(tmp_path, policy, host=host)
    assert result.summary.kept > filtered.kept
    page, _ = open_report(browser, path)
    assert page.inner_text("#explorer-title") == "Try another threshold, in mode filter"
    assert count(page, "reach-out") == filtered.kept
    assert page.locator("#journey-section").count() == (host == "connect")
    if host == "connect":
        assert "decision\tkeep" in page.inner_text("#journey")
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator("#threshold").fill("1")
    assert count(page, "reach-out") < 5
    assert "The control group" in page.inner_text("#story")
    page.context.close()


def write_by_hand(
    folder: Path, config: RunConfig, rows: list[RawGroup], scores: list[float | None]
) -> Path:
    """Write the report of an invented run."""
    checkpoint = Checkpoint({}, [], [], config)
    checkpoint.statistics.add_people(rows, scores)
    kept = sum(row[4] == Status.KEPT for row in rows)
    counts = Counter(
        {
            "received": len(rows),
            "kept": kept,
            "filtered": len(rows) - kept,
            "batches": 1,
            "attempts": 1,
        }
    )
    write_report(
        folder / "report.html",
        make_summary(counts, config, 1.0),
        checkpoint,
        reference=None,
        rehearsal=True,
    )
    return folder / "report.html"


def test_with_an_address_the_explorer_starts_with_what_the_function_did(
    tmp_path: Path, browser: Browser
) -> None:
    kept: RawGroup = ("SMS", "DE", "", Reason.UNKNOWN, Status.KEPT, True)
    scores: list[float | None] = [0.6, 0.7, 0.8, None, None]
    path = write_by_hand(
        tmp_path,
        BLIND,
        [kept] * 4 + [("SMS", "DE", "", Reason.UNKNOWN, Status.FILTERED, False)],
        scores,
    )
    page, heard = open_report(browser, path)
    assert "unknown" in page.inner_text("#threshold-text")
    assert (count(page, "reach-out"), page.inner_text("#expected-out")) == (4, "2")
    assert not page.is_visible("#reset")
    assert page.locator("#histogram .mark-rule.role-mark line").count() == 0
    page.locator("#threshold").fill("0.7")
    page.wait_for_selector("#histogram .mark-rule.role-mark line", state="attached")
    assert count(page, "reach-out") == 3, "two of 0.7 or more, and the one without a score"
    page.locator("#threshold").fill("0")
    assert page.is_visible("#reset")
    page.get_by_role("button", name="back to the function's").click()
    assert count(page, "reach-out") == 4
    assert "unknown" in page.inner_text("#threshold-text")
    assert heard == []
    page.context.close()


def test_with_an_address_on_connect_it_starts_there_although_all_scores_are_known(
    tmp_path: Path, browser: Browser
) -> None:
    rows: list[RawGroup] = [
        ("SMS", "DE", "", Reason.SCORE, status, status == Status.KEPT)
        for status in (Status.KEPT, Status.FILTERED, Status.FILTERED, Status.KEPT)
    ]
    path = write_by_hand(
        tmp_path, replace(BLIND, host="connect", knows_decisions=True), rows, [0.9, 0.2, 0.1, 0.8]
    )
    page, _ = open_report(browser, path)
    assert (count(page, "reach-out"), page.inner_text("#expected-out")) == (2, "2")
    page.locator("#threshold").fill("0.2")
    assert count(page, "reach-out") == 3
    page.locator("#reset").click()
    assert count(page, "reach-out") == 2
    page.context.close()


def test_unwanted_events_have_no_profit(tmp_path: Path, browser: Browser) -> None:
    result, path = rehearse(tmp_path, 'keep = "below"\nthreshold = 0.5\n')
    page, heard = open_report(browser, path)
    text = page.inner_text("main").lower()
    assert "response" not in text
    assert "profit" not in text
    assert "unwanted events avoided" in text
    expected, avoided = count(page, "expected-out"), count(page, "avoided-out")
    assert 0 < expected < avoided
    assert f"{expected:,} of those messaged, and at most {avoided:,} are avoided" in result.expected
    page.locator("#threshold").fill("0")
    assert (count(page, "reach-out"), count(page, "expected-out")) == (0, 0)
    assert abs(count(page, "avoided-out") - expected - avoided) <= 1
    assert heard == []
    page.context.close()


def test_warnings_come_before_the_figures(tmp_path: Path, browser: Browser) -> None:
    environ = {"SCORER_TARGET": "127.0.0.1:9", "SCORER_FALLBACK": "none"}
    result, path = rehearse(tmp_path, "threshold = 0.5\n", environ=environ)
    unscored = result.summary.unscored
    assert unscored == result.summary.kept
    assert result.warnings[0].startswith(
        f"No score for {unscored:,} of 1,200 people: ScorerUnavailable: the scoring service"
    )
    assert result.warnings[0].endswith("; kept because on_error = keep.")
    page, _ = open_report(browser, path)
    assert page.inner_text("#warnings").startswith(result.warnings[0])
    assert "warn" in (page.locator("#warnings p").first.get_attribute("class") or "")
    header = page.inner_text("header")
    assert header.index("No score for") < header.index("would be messaged")
    page.context.close()


def test_drift_is_a_warning_at_the_top(run: tuple[RunResult, Path], browser: Browser) -> None:
    page, _ = open_report(browser, run[1])
    assert page.inner_text("#warnings").startswith("Drift: 1 of 1 features and the scores differ")
    assert list(run[0].warnings) == [page.inner_text("#warnings").strip()]
    assert page.locator("#drift svg").count() == 1
    page.context.close()


def test_no_person_is_in_the_report(run: tuple[RunResult, Path]) -> None:
    text = run[1].read_text("utf-8")
    for word in ("person-", "Plan", '</script>",'):
        assert word not in text


def test_the_browser_is_the_systems() -> None:
    assert shutil.which("chromium") == CHROMIUM


def test_a_report_of_effects_speaks_of_extra_responses_and_its_slider_goes_below_zero(
    browser: Browser, tmp_path: Path
) -> None:
    policy = "threshold = 0.1\n"
    result, path = rehearse(tmp_path, policy, make_uplift_bundle)
    page, heard = open_report(browser, path)
    assert not heard
    assert "the messages sent bring" in result.expected
    assert "Messaging everybody would bring no extra responses" in result.expected
    text = page.inner_text("main")
    assert "extra responses expected" in text
    assert "Messaging everybody would bring no extra responses" in text
    slider = page.locator("#threshold")
    assert slider.get_attribute("min") == "-1"
    assert page.inner_text("#threshold-text") == "0.1000"
    start = count(page, "reach-out"), count(page, "expected-out")
    slider.evaluate("(it) => { it.value = -1; it.dispatchEvent(new Event('input')); }")
    everybody = count(page, "reach-out"), count(page, "expected-out")
    assert everybody[0] > start[0] > 0
    # Half of the people are put off: messages to everybody bring about nothing.
    assert start[1] > 100 > abs(everybody[1])
    page.fill("#value", "10")
    page.fill("#cost", "1")
    assert page.inner_text("#profit-title") == "Profit by threshold"
    assert "at most" not in page.inner_text("#explored")
