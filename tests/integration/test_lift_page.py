"""lift.html as a browser shows it: wide, on a phone, in the dark, printed, and read aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from segment_scorer.lift.measure import LiftRequest, LiftResult, measure_lift
from segment_scorer.lift.write import write_lift
from tests.browser import LUMINANCE, measure_contrast
from tests.lift_files import decide, write_decisions, write_outcomes


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[LiftResult, Path]:
    folder = tmp_path_factory.mktemp("lift")
    generator = np.random.default_rng(1)
    rows = []
    for index, score in enumerate(generator.random(4000)):
        held_out = index % 4 == 0
        rows.append(
            decide(
                index,
                holdout=held_out,
                score=f"{score:.4f}",
                band="high <b>" if score > 0.5 else "a_very_long_name_of_a_band_without_a_blank",
                treatment="" if held_out else ("Spring", "Winter")[index % 2],
            )
        )
    outcomes = {
        row["Id"]: int(generator.random() < (0.1 if row["holdout"] == "true" else 0.2))
        for row in rows
    }
    request = LiftRequest(
        decisions=write_decisions(folder / "d.csv", rows),
        outcomes=write_outcomes(folder / "o.csv", outcomes),
        value=10.0,
        cost=1.0,
    )
    result = measure_lift(request)
    write_lift(result, folder)
    return result, folder / "lift.html"


def open_page(browser: Browser, path: Path, **options: Any) -> tuple[Page, list[str]]:
    """The page, and everything that the console heard or that was asked of a network."""
    page = browser.new_context(offline=True, **options).new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:")) else heard.append(request.url)
        ),
    )
    page.goto(path.as_uri())
    return page, heard


def test_the_sentence_comes_first_and_nothing_is_fetched(
    page_file: tuple[LiftResult, Path], browser: Browser
) -> None:
    result, path = page_file
    page, heard = open_page(browser, path)
    assert heard == []
    assert page.inner_text("h1").replace("\u00a0", " ") == result.sentences[0]
    for title in ("Effect", "By band", "By decile of the score", "By treatment", "Checks"):
        assert page.locator("h2", has_text=title).count() >= 1
    text = page.inner_text("main").replace("\u00a0", " ")
    assert all(check.text in text for check in result.checks)
    assert "comparisons: the largest of many effects is partly luck" in text
    assert "high <b>" in text
    assert "<script" not in path.read_text("utf-8")
    page.context.close()


def test_each_picture_has_a_name_and_a_table(
    page_file: tuple[LiftResult, Path], browser: Browser
) -> None:
    page, _ = open_page(browser, page_file[1])
    figures = page.get_by_role("img").all()
    assert len(figures) == 4
    for figure in figures:
        caption = figure.locator("figcaption").inner_text()
        assert "per 1,000 people messaged" in caption
        assert figure.get_attribute("aria-labelledby") == figure.locator(
            "figcaption"
        ).get_attribute("id")
    for section in page.locator("section", has=page.locator("figure")).all():
        rows = section.locator(".row:not(.axis)").count()
        table = section.locator("tbody tr").count()
        assert table == (2 if section.locator("h2").inner_text() == "Effect" else rows)
    page.context.close()


def test_intervals_are_drawn_to_scale(page_file: tuple[LiftResult, Path], browser: Browser) -> None:
    page, _ = open_page(browser, page_file[1])
    found = page_file[0].effect.difference
    bar, zero = (
        page.locator(f"section >> nth=0 >> {name}").first.bounding_box()
        for name in (".bar", ".zero")
    )
    assert bar is not None
    assert zero is not None
    ratio = (bar["x"] + bar["width"] - zero["x"]) / (bar["x"] - zero["x"])
    assert ratio == pytest.approx(found.high / found.low, rel=0.02)
    page.context.close()


def test_an_effect_that_is_not_shown_has_an_open_dot(
    page_file: tuple[LiftResult, Path], browser: Browser
) -> None:
    page, _ = open_page(browser, page_file[1])
    rows = [row for found in page_file[0].by.values() for row in found.rows]
    unclear = [row for row in rows if row.difference and row.difference.low <= 0.0]
    assert page.locator(".dot.open").count() == len(unclear) > 0
    assert page.locator(".dot").count() == len(rows) + 1
    page.context.close()


@pytest.mark.parametrize("width", [390, 360])
def test_fits_a_phone_and_can_be_read(
    page_file: tuple[LiftResult, Path], browser: Browser, width: int
) -> None:
    page, _ = open_page(
        browser,
        page_file[1],
        viewport={"width": width, "height": 800},
        is_mobile=True,
        has_touch=True,
        device_scale_factor=2,
    )
    assert page.evaluate("document.documentElement.scrollWidth") == width
    small = page.evaluate(
        "[...document.querySelectorAll('h1,h2,p,td,th,li,span,figcaption,svg text')]"
        ".filter(e => parseFloat(getComputedStyle(e).fontSize) < 11.5).length"
    )
    assert small == 0
    beyond = page.evaluate(
        "[...document.querySelectorAll('td,th,svg text')].filter(e => {"
        "const box = e.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth;"
        "}).map(e => e.textContent)"
    )
    assert beyond == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_by_day_and_by_night(
    page_file: tuple[LiftResult, Path], browser: Browser, scheme: Any
) -> None:
    page, _ = open_page(browser, page_file[1], color_scheme=scheme)
    card = page.evaluate(LUMINANCE, "--card")
    for name, least in (("--ink", 4.5), ("--soft", 4.5), ("--warn", 4.5), ("--mark", 3.0)):
        for behind in ("--card", "--page"):
            assert measure_contrast(page, name, behind) >= least, name  # WCAG 2.2, 1.4.3, 1.4.11
    assert (card < 0.1) == (scheme == "dark")
    page.context.close()


def test_prints_black_on_white_on_a4(
    page_file: tuple[LiftResult, Path], browser: Browser, tmp_path: Path
) -> None:
    page, _ = open_page(browser, page_file[1], color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(LUMINANCE, "--card") == 1.0
    assert page.evaluate(LUMINANCE, "--ink") == 0.0
    page.pdf(path=tmp_path / "lift.pdf", prefer_css_page_size=True)
    assert b"/MediaBox [0 0 594.95996 841.91998]" in (tmp_path / "lift.pdf").read_bytes()
    page.context.close()
