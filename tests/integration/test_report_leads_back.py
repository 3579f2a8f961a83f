"""report.html leads back to the policy: what is typed there can be copied, linked and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from segment_scorer.runner.errors import DataError, OptionError
from segment_scorer.runner.run import RunResult
from tests.browser import CHROMIUM
from tests.fakes import make_uplift_bundle
from tests.integration.test_report_page import POLICY, count, open_report, rehearse

pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM}: apt-get install chromium"
)
ASKED = POLICY.replace("threshold = 0.5", "threshold = { reach = 0.3 }")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    worth = {"value": 20.0, "cost": 1.0, "effect": "10%"}
    return rehearse(tmp_path_factory.mktemp("report"), ASKED, **worth)


def test_the_tiles_are_disjoint_and_add_up(run: tuple[RunResult, Path], browser: Browser) -> None:
    page, heard = open_report(browser, run[1])
    tiles = {
        each.locator("span").inner_text(): int(each.locator("b").inner_text().replace(",", ""))
        for each in page.locator("#tiles .tile:visible").all()
        if each.locator("b").inner_text().replace(",", "").isdigit()
    }
    summary = run[0].summary
    assert tiles["people in the segment"] == summary.received
    parts = ("would be messaged", "filtered", "control group", "opted out or inactive")
    assert sum(tiles[name] for name in parts) == summary.received
    assert tiles["control group"] == summary.held_out
    assert tiles["opted out or inactive"] == summary.opted_out
    assert heard == []
    page.context.close()


def test_what_was_asked_stands_beside_what_was_reached(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, run[1])
    assert "of the people with a score are selected; asked for 30.0 %" in page.inner_text("#tiles")
    page.context.close()


def test_the_campaign_comes_first_and_technical_parts_last(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, run[1], viewport={"width": 1000, "height": 920})
    text = page.inner_text("main")
    words = ("would be messaged", "profit expected", "Try another", "By band", "resemble", "host ")
    found = [text.index(word) for word in words]
    assert found == sorted(found)
    for id_ in ("reach", "worth-number"):
        box = page.locator(f"#{id_}").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 920, f"{id_} is on the first screen"
    page.context.close()


def test_a_typed_threshold_becomes_a_line_of_the_policy(
    run: tuple[RunResult, Path], browser: Browser, tmp_path: Path
) -> None:
    page, _ = open_report(browser, run[1])
    page.get_by_label("Threshold, to type").fill("0.6125")
    assert page.inner_text("#policy-line") == "threshold = 0.6125"
    assert page.input_value("#threshold") == "0.613", "the slider follows"
    reached = count(page, "reach-out")
    (tmp_path / "again").mkdir()
    policy = POLICY.replace("threshold = 0.5", page.inner_text("#policy-line"))
    assert rehearse(tmp_path / "again", policy)[0].summary.kept == reached
    page.get_by_label("Threshold, to type").fill("7")
    assert page.inner_text("#policy-line") == "threshold = 0.6125", "no score is 7"
    page.context.close()


def test_a_typed_number_of_people_finds_the_threshold(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, run[1])
    for wanted in ("100", "250", "0"):
        page.get_by_label("People to message").fill(wanted)
        assert count(page, "reach-out") <= int(wanted)
        assert count(page, "reach-out") >= int(wanted) - 2, "two scores may be equal"
    assert page.input_value("#people") == "0", "the field that is typed in stays"
    page.context.close()


def test_the_line_is_copied(run: tuple[RunResult, Path], browser: Browser) -> None:
    page, _ = open_report(browser, run[1])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Threshold, to type").fill("0.25")
    page.get_by_role("button", name="copy the line").click()
    page.wait_for_function("document.querySelector('#copy-status').textContent === 'copied'")
    assert page.evaluate("navigator.clipboard.readText()") == "threshold = 0.25"
    page.context.close()


def test_the_best_profit_is_marked_where_the_effect_is_known(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, heard = open_report(browser, run[1])
    marks = page.locator("#curve .mark-rule.role-mark line")
    assert (page.input_value("#value"), page.input_value("#effect")) == ("20", "10")
    page.wait_for_function(
        "document.querySelectorAll('#curve .mark-rule.role-mark line').length === 2"
    )
    page.get_by_role("button", name="to the best profit").click()
    best = count(page, "profit-out")
    # A message brings 10 % of its score, worth 20, for 1: it pays from a score of 0.5 on.
    assert float(page.inner_text("#threshold-text")) == pytest.approx(0.5, abs=0.005)
    for other in ("0.3", "0.45", "0.55", "0.8"):
        page.get_by_label("Threshold, to type").fill(other)
        assert count(page, "profit-out") <= best
    page.get_by_label("Effect of a message").fill("")
    assert "at most" in page.inner_text("#profit-title")
    assert not page.is_visible("#to-best")
    page.wait_for_function(
        "document.querySelectorAll('#curve .mark-rule.role-mark line').length === 1"
    )
    assert marks.count() == 1
    assert heard == []
    page.context.close()


def test_value_cost_effect_and_threshold_are_kept_in_the_address(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page, _ = open_report(browser, run[1])
    page.get_by_label("Value of a response").fill("7.5")
    page.get_by_label("Threshold, to type").fill("0.75")
    address = page.url
    assert address.endswith("#value=7.5&cost=1&effect=10&threshold=0.75")
    other = page.context.new_page()
    other.goto(address)
    other.wait_for_selector("body[data-drawn=yes]", state="attached", timeout=60_000)
    assert other.input_value("#value") == "7.5"
    assert other.inner_text("#policy-line") == "threshold = 0.75"
    assert other.inner_text("#reach-out") == page.inner_text("#reach-out")
    page.context.close()


def test_an_address_that_somebody_wrote_by_hand_breaks_nothing(
    run: tuple[RunResult, Path], browser: Browser
) -> None:
    page = browser.new_context(offline=True).new_page()
    page.goto(f"{run[1].as_uri()}#value=a&cost=<b>&effect=1e999&threshold=-7")
    page.wait_for_selector("body[data-drawn=yes]", state="attached", timeout=60_000)
    assert count(page, "reach-out") == run[0].summary.kept
    assert page.input_value("#value") == ""
    page.context.close()


def write_lift_file(folder: Path, relative: object) -> Path:
    path = folder / "lift.json"
    path.write_text(json.dumps({"difference": {"value": 0.01}, "relative": relative}))
    return path


def test_the_effect_comes_from_an_earlier_campaigns_lift(tmp_path: Path, browser: Browser) -> None:
    lift = write_lift_file(tmp_path, {"value": 0.25, "low": -0.02, "high": 0.52})
    _, path = rehearse(tmp_path, POLICY, value=20.0, cost=1.0, lift=lift)
    page, _ = open_report(browser, path)
    assert page.input_value("#effect") == "25"
    note = page.inner_text("#profit-note")
    assert "+25.0 %, with a 95 % interval from -2.0 % to +52.0 %. It may be none at all." in note
    page.context.close()


@pytest.mark.parametrize(
    ("relative", "words"),
    [
        (None, "found none: the control group had too few responses"),
        ({"value": "high"}, "with numbers in relative, found something else"),
        ([1], "with numbers in relative, found something else"),
    ],
)
def test_a_lift_without_a_relative_effect_is_refused(
    relative: object, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        rehearse(tmp_path, POLICY, lift=write_lift_file(tmp_path, relative))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"value": -1.0}, "--value: expected a number of 0 or more"),
        ({"cost": float("nan")}, "--cost: expected a number of 0 or more"),
        ({"effect": "20"}, "--effect: expected a share such as 0.2, or 20%, .* out of range"),
        ({"effect": "much"}, "--effect: expected a share such as 0.2, or 20%, found other text"),
        ({"effect": "0.1", "lift": Path("l.json")}, "expected one of them, found both"),
    ],
)
def test_figures_that_make_no_sense_are_refused(
    options: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=words):
        rehearse(tmp_path, POLICY, **options)


def test_uplift_scores_need_no_effect_and_a_policy_of_low_scores_has_no_profit(
    tmp_path: Path,
) -> None:
    with pytest.raises(OptionError, match="uplift scores are effects already"):
        rehearse(tmp_path, "threshold = 0.1\n", make_uplift_bundle, effect="0.1")
    (tmp_path / "below").mkdir()
    with pytest.raises(OptionError, match="keep = below"):
        rehearse(tmp_path / "below", 'keep = "below"\n', value=1.0)
