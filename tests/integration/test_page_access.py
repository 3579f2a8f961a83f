"""report.html and lift.html for screen readers, in grey, in the dark and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from segment_scorer.lift.measure import LiftRequest, measure_lift
from segment_scorer.lift.write import write_lift
from tests.browser import CHROMIUM, find_violations, install_axe, measure_contrast
from tests.integration.test_report_page import POLICY, open_report, rehearse
from tests.lift_files import decide, write_decisions, write_outcomes

PAPER = 680  # px between the margins of A4
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}: apt-get install chromium"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rehearse(tmp_path_factory.mktemp("report"), POLICY, value=20.0, cost=0.5, effect="20%")[
        1
    ]


@pytest.fixture(scope="module")
def lift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lift")
    rows = [
        decide(
            index,
            holdout=index % 4 == 0,
            score=f"{index % 100 / 100}",
            band="high" if index % 2 else "low",
            treatment="" if index % 4 == 0 else "1",
        )
        for index in range(2000)
    ]
    outcomes = {
        row["Id"]: int(index % (10 if row["holdout"] == "true" else 5) < 2)
        for index, row in enumerate(rows)
    }
    request = LiftRequest(
        decisions=write_decisions(folder / "d.csv", rows),
        outcomes=write_outcomes(folder / "o.csv", outcomes),
    )
    write_lift(measure_lift(request), folder)
    return folder / "lift.html"


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return install_axe(tmp_path_factory.mktemp("axe"))


def open_lift(browser: Browser, path: Path, **options: Any) -> Page:
    page = browser.new_context(offline=True, **options).new_page()
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_report(
    scheme: Any, report: Path, browser: Browser, axe: str
) -> None:
    page, _ = open_report(browser, report, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    assert find_violations(page, axe) == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_page_of_the_lift(
    scheme: Any, lift: Path, browser: Browser, axe: str
) -> None:
    page = open_lift(browser, lift, color_scheme=scheme)
    assert find_violations(page, axe) == []
    page.context.close()


def test_axe_finds_nothing_on_a_phone(report: Path, browser: Browser, axe: str) -> None:
    page, _ = open_report(browser, report, viewport={"width": 360, "height": 740}, is_mobile=True)
    assert find_violations(page, axe) == []
    page.context.close()


def test_each_chart_has_a_name_and_its_figures_as_a_table(report: Path, browser: Browser) -> None:
    page, _ = open_report(browser, report)
    charts = page.get_by_role("img").all()
    assert len(charts) == 8
    names = {chart.get_attribute("aria-label") or "" for chart in charts}
    assert len(names) == 8
    assert all("chart: " in name.lower() or "histogram: " in name.lower() for name in names)
    for chart in charts:
        table = page.locator(f"#{chart.get_attribute('id')} ~ * table")
        assert table.locator("tr").count() > 1, chart.get_attribute("id")
        assert table.locator("th[scope=col]").count() >= 2
    page.context.close()


def test_every_field_is_found_by_its_label(report: Path, browser: Browser) -> None:
    page, _ = open_report(browser, report)
    slider = page.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "0.5000"
    for label in (
        *("Threshold, to drag", "Threshold, to type", "People to message"),
        *("Value of a response", "Cost of a message", "Effect of a message"),
    ):
        assert page.get_by_label(label).count() == 1, label
    page.context.close()


@pytest.mark.parametrize("medium", ["screen", "print"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_tell_apart_without_colour_and_text_stands_out(
    scheme: Any, medium: Any, report: Path, browser: Browser
) -> None:
    page, _ = open_report(browser, report, color_scheme=scheme)
    page.emulate_media(media=medium, color_scheme=scheme)
    assert measure_contrast(page, "--kept", "--out") >= 3.0
    for ground in ("--card", "--page"):
        for name in ("--ink", "--soft", "--warn"):
            assert measure_contrast(page, name, ground) >= 4.5, (name, ground)
    for name in ("--kept", "--out", "--base"):
        assert measure_contrast(page, name, "--card") >= 3.0, name
    fills = page.evaluate(
        "['#by-band', '#histogram'].map((id) => [...new Set([...document.querySelectorAll("
        "`${id} .mark-rect path`)].map((bar) => getComputedStyle(bar).fill))])"
    )
    for one, other in fills:
        assert measure_contrast(page, one, other) >= 3.0
    if medium == "print":
        assert measure_contrast(page, "--ink", "white") == pytest.approx(21.0)
        text = page.evaluate("getComputedStyle(document.querySelector('#reach svg text')).fill")
        assert measure_contrast(page, text, "white") == pytest.approx(21.0)
    page.context.close()


@pytest.mark.parametrize("width", [360, 1600])
def test_no_chart_runs_over_an_a4_page(
    width: int, report: Path, browser: Browser, tmp_path: Path
) -> None:
    page, _ = open_report(browser, report, viewport={"width": width, "height": 900})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("document.querySelector('#histogram svg').clientWidth <= 680")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": 900})
    wide = page.evaluate(
        "[...document.querySelectorAll('svg')].map((svg) => svg.getBoundingClientRect())"
        ".filter((box) => box.right > innerWidth + 0.5 || box.width < 500).length"
    )
    assert wide == 0
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert b"/MediaBox [0 0 594.95996 841.91998]" in (tmp_path / "report.pdf").read_bytes()
    page.context.close()
