"""tools/benchmarks/page.py and plots.py: page and plots are made of the committed figures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import pytest
from PIL import Image

from tools.benchmarks.__main__ import publish
from tools.benchmarks.page import (
    NUMBERS,
    PLOTS,
    compare,
    renew_readme,
    show_figure,
    show_number,
    write_page,
    write_summary,
    write_table,
)
from tools.benchmarks.plots import DRAWN, digest_tables, draw_plots
from tools.benchmarks.records import Machine, Measurement, Results, Table, Target
from tools.benchmarks.rows.runner import THIRDS, Ran, compare_slopes, judge_walks, make_rows

ROOT = Path(__file__).parents[2]
MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gb=8.0,
    system="Linux",
    python="3.13",
    packages={"numpy": "2"},
    started="2026-01-31 19:00 UTC",
    revision="0123456789abcdef-dirty-0123456789ab",
    minutes=9.0,
    load=(0.2, 1.7),
)
WARM = Table(
    name="warm",
    title="A warm call",
    ours="ours",
    limit="limit",
    alternatives=("usual",),
    beside=("another",),
    rows=(
        Measurement(
            label="median",
            unit="ms",
            values={"ours": 2.0, "limit": 1.6, "usual": 9.0, "another": 2.5},
        ),
        Measurement(
            label="calls", unit="1/s", values={"ours": 500.0, "usual": 100.0}, more_is_better=True
        ),
    ),
    targets=(Target(sentence="ours, of the limit's", value=1.25, bound=1.25),),
    notes=("A note.",),
)


def results_of(*tables: Table, effort: float = 1.0) -> Results:
    return Results(machine=MACHINE, effort=effort, tables=tables)


@pytest.fixture(scope="module")
def kept() -> Results:
    return msgspec.json.decode((ROOT / "docs" / "benchmarks.json").read_bytes(), type=Results)


def test_the_committed_page_is_made_of_the_committed_figures(kept: Results) -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text("utf-8") == write_page(kept)


def test_the_committed_plots_are_drawn_from_the_committed_figures(kept: Results) -> None:
    for file, _ in PLOTS.values():
        with Image.open(ROOT / "docs" / file) as plot:
            assert plot.info[DRAWN] == digest_tables(kept), (
                f"{file} is stale; python -m tools.benchmarks --page"
            )


def test_the_readme_has_the_committed_figures_and_each_is_a_line_of_the_page(kept: Results) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert renew_readme(readme, kept) == readme
    section = NUMBERS.search(readme)
    assert section
    figures = [line for line in section[0].splitlines() if line.startswith("| ")]
    assert len(figures) > 3
    assert set(figures) <= set(write_page(kept).splitlines())


def test_the_page_of_a_run_tells_machine_load_figures_and_targets() -> None:
    page = write_page(results_of(WARM))
    for part in (
        "a processor, 2 cores, 8 GB",
        "at commit `0123456789ab` with changes in 9 minutes",
        "Load average of one minute: 0.2 before the run, 1.7 at its end",
        "A note.",
        "numpy 2",
    ):
        assert part in page
    assert "| ours, of the limit's | 1.25 x | at most 1.25 x | met |" in page
    assert "Minutes by table" not in page
    assert "A short run" not in page
    assert "A short run: 10% of the usual repetitions." in write_page(results_of(WARM, effort=0.1))


def test_the_page_tells_how_long_each_table_took_the_longest_first() -> None:
    tables = [
        msgspec.structs.replace(WARM, name=name, minutes=minutes)
        for name, minutes in {"short": 0.52, "long": 3.0, "unknown": 0.0}.items()
    ]
    assert "Minutes by table: long 3.0, short 0.5.\n" in write_page(results_of(*tables))


def test_a_table_sets_ours_against_the_limit_and_each_alternative_against_ours() -> None:
    assert list(write_table(WARM)) == [
        "|  | ours | limit | usual | another | ours / limit | better than usual |",
        "|---|---|---|---|---|---|---|",
        "| median | 2 ms | 1.6 ms | 9 ms | 2.5 ms | 1.25 x | 4.50 x |",
        "| calls | 500 |  | 100 |  |  | 5.00 x |",
    ]


def test_a_table_without_rows_says_why_and_has_no_plot() -> None:
    page = write_page(
        results_of(
            Table(name="service", title="A service", ours="ours", rows=(), notes=("Not measured.",))
        )
    )
    assert "## A service\n\nNot measured.\n" in page
    assert "![" not in page


def test_the_summary_takes_the_last_of_several_rows_and_leaves_out_what_is_not_there() -> None:
    rows = tuple(
        Measurement(
            label=f"{size} clients: calls a second", unit="1/s", values={"us": size, "them": 1.0}
        )
        for size in (4.0, 16.0)
    )
    service = Table(
        name="service", title="A service", ours="us", alternatives=("them", "others"), rows=rows
    )
    assert list(write_summary(results_of(service)))[2:] == [
        "| scoring service over gRPC, 16.0 clients: calls a second | 16 |  | 1 (them) |"
    ]


def test_more_is_better_for_a_rate_and_less_for_a_cost() -> None:
    cost, rate = WARM.rows
    assert compare(cost, "ours", "usual") == 4.5
    assert compare(rate, "ours", "usual") == 5.0
    assert compare(rate, "ours", "limit") is None


def test_a_missed_target_says_what_remains_and_a_met_one_does_not() -> None:
    def page_of(value: float) -> str:
        target = Target(sentence="cost", value=value, bound=1.25, explanation="gRPC's own.")
        return write_page(
            results_of(Table(name="x", title="X", ours="ours", rows=(), targets=(target,)))
        )

    assert "\n\nMissed, cost: gRPC's own.\n" in page_of(1.3)
    assert "gRPC's own" not in page_of(1.2)


@pytest.mark.parametrize(
    ("value", "kind", "met"),
    [
        (1.25, "at most", True),
        (1.26, "at most", False),
        (1.25, "at least", True),
        (1.24, "at least", False),
    ],
)
def test_a_target_is_met_up_to_its_bound(
    value: float, kind: Literal["at most", "at least"], met: bool
) -> None:
    assert Target(sentence="", value=value, bound=1.25, kind=kind).met is met


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (1.5, "1.5"), (99.94, "99.9"), (100.4, "100"), (23570.0, "23,570")],
)
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert show_number(value) == text


def test_a_missing_figure_is_an_empty_cell() -> None:
    assert (show_figure(None, "ms"), show_figure(3.0, "us"), show_figure(3.0, "")) == (
        "",
        "3 µs",
        "3",
    )


def test_the_runners_slope_is_the_cost_of_the_largest_segment_by_that_of_the_next() -> None:
    def cost(size: str, one: float, two: float) -> Measurement:
        return Measurement(
            label=f"{size} endpoints: time an endpoint",
            unit="us",
            values={"1 process": one, "2 processes": two},
        )

    assert compare_slopes([cost("10", 9.0, 9.0)]) == []
    slopes = compare_slopes([cost("10", 9.0, 9.0), cost("100", 4.0, 2.0), cost("1,000", 5.0, 2.0)])
    assert [(slope.value, slope.met) for slope in slopes] == [(1.25, False), (1.0, True)]
    assert slopes[0].sentence == "time an endpoint in 1 process, 1,000 endpoints, of 100 endpoints'"

    only_two = Measurement(
        label="10,000 endpoints: time an endpoint", unit="us", values={"2 processes": 2.2}
    )
    (slope,) = compare_slopes([cost("1,000", 5.0, 2.0), only_two])
    assert (slope.sentence.split(",")[0], slope.value) == ("time an endpoint in 2 processes", 1.1)


def test_within_a_walk_the_runners_cost_is_judged_by_the_largest_walk_of_each() -> None:
    growths = {
        "1,000": {"1 process": 1.2, "2 processes": 1.3},
        "10,000": {"2 processes": 1.0},
    }
    targets = judge_walks(
        [
            Measurement(label=f"{size} endpoints{THIRDS}", unit="x", values=values)
            for size, values in growths.items()
        ]
    )
    assert [(target.value, target.met) for target in targets] == [(1.2, False), (1.0, True)]
    assert targets[1].sentence == (
        "processor time an endpoint in 2 processes, the last third of 10,000 endpoints, of the "
        "first third's"
    )


def test_a_size_that_one_process_did_not_walk_has_no_figure_of_it(tmp_path: Path) -> None:
    runs = {
        10: {"1 process": [Ran(1.0, 1.0, 90.0, None)], "2 processes": [Ran(0.6, 1.1, 99.0, 1.25)]},
        100: {"2 processes": [Ran(5.0, 9.0, 99.0, 1.25), Ran(7.0, 9.0, 98.0, 0.75)]},
    }
    rows = tuple(row for size, taken in runs.items() for row in make_rows(size, taken))
    runner = Table(
        name="runner", title="Runner", ours="1 process", beside=("2 processes",), rows=rows
    )
    assert [row.values for row in rows if row.label.endswith(THIRDS)] == [
        {"2 processes": 1.25},
        {"2 processes": 1.0},
    ]
    assert list(write_summary(results_of(runner)))[2:] == [
        "| campaign runner, 100 endpoints: endpoints a second | 16.7 (2 processes) |  |  |"
    ]
    assert "| 100 endpoints: endpoints a second |  | 16.7 |" in write_page(results_of(runner))
    draw_plots(results_of(runner), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["benchmarks-runner.png"]


def test_a_readme_without_the_section_stays_as_it_is() -> None:
    assert renew_readme("# A\n\n## Limits\n", results_of(WARM)) == "# A\n\n## Limits\n"


def test_the_readmes_section_is_replaced_and_nothing_else() -> None:
    renewed = renew_readme("# A\n\n## Numbers\n\nold\n\n## Limits\n\nB\n", results_of(WARM))
    assert renewed.startswith("# A\n\n## Numbers\n\nFrom one run")
    assert renewed.endswith(
        "| a warm call, median | 2 ms (ours); 2.5 ms (another) | 1.6 ms (limit) | 9 ms (usual) |\n"
        "\n## Limits\n\nB\n"
    )
    assert renew_readme(renewed, results_of(WARM)) == renewed


def test_a_table_that_is_measured_again_has_its_own_commit_and_the_others_stay() -> None:
    rows = (Measurement(label="function", unit="MB", values={"ours": 275.0}),)
    image = Table(name="image", title="Image size", ours="ours", rows=rows)
    smaller = msgspec.structs.replace(
        image, rows=(msgspec.structs.replace(rows[0], values={"ours": 235.0}),)
    )
    later = Results(
        machine=msgspec.structs.replace(MACHINE, revision="feedfacefeedface"),
        effort=1.0,
        tables=(smaller,),
    )
    renewed = results_of(WARM, image).renew(later)
    assert renewed.tables[0] == WARM
    page = write_page(renewed)
    assert "## Image size\n\nMeasured after the run, at commit `feedfacefeed`.\n" in page
    assert "| image, at commit `feedfacefeed` | 235 MB |  |  |" in page
    assert page.count("feedface") == 2

    unmeasured = msgspec.structs.replace(later, tables=(msgspec.structs.replace(image, rows=()),))
    assert results_of(image).renew(unmeasured) == results_of(image)


def test_figures_are_kept_even_if_the_page_cannot_be_written(tmp_path: Path) -> None:
    results = results_of(msgspec.structs.replace(WARM, name="a table without a plot"))
    (tmp_path / "benchmarks.md").mkdir()  # in the page's place
    with pytest.raises(OSError, match=r"benchmarks\.md"):
        publish(results, tmp_path)
    kept = (tmp_path / "benchmarks.json").read_bytes()
    assert msgspec.json.decode(kept, type=Results) == results


def test_plots_are_drawn_for_the_tables_there_are(tmp_path: Path, kept: Results) -> None:
    draw_plots(
        results_of(*(table for table in kept.tables if table.name in {"warm", "service"})), tmp_path
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "benchmarks-function.png",
        "benchmarks-service.png",
    ]
