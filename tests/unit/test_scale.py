"""tools/scale: the arithmetic of the table, on cases computed by hand."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tools.benchmarks.documents import (
    BlockError,
    fill_block,
    write_image,
    write_service,
    write_speed,
    write_web,
)
from tools.benchmarks.records import Measurement, Results, Table, Target
from tools.benchmarks.rows.runner import CLOCK, THIRDS, RunError
from tools.scale.inputs import describe_local, describe_ray, draw_line, read_sizes
from tools.scale.measure import find_middle
from tools.scale.records import Measured, Run, Segment
from tools.scale.shown import show_dollars, show_quota, show_size, show_time
from tools.scale.watch import measure_folder, read_seconds, read_shared, watch
from tools.scale.ways import (
    EngineSlopes,
    Walk,
    draw_slope,
    estimate_machines,
    estimate_walk,
)

from .test_benchmarks_page import results_of

# 10 us of processor time a person, 2 of them the first process's.
ENGINE = EngineSlopes(
    start=1.0,
    processor=10e-6,
    parent=2e-6,
    rest=2e-6,
    disk=200.0,
    packed=50.0,
    output=100.0,
    parent_memory=100e6,
    worker_memory=80e6,
)
FREE = {"ebs_gb_month": 0.0, "s3_get": 0.0, "s3_put": 0.0}
WALK = Walk(
    batch=50,
    plain=500.0,
    call=0.003,
    memory_mb=1024,
    child=0.1,
    log_bytes=1000.0,
    transitions=4,
    limit=86_400.0,
)
QUOTAS = {
    "map_file_bytes": 10e9,
    "map_items": 100e6,
    "map_starts": 1000.0,
    "map_child_transitions": 1.0,
}
NOTHING = {
    "standard_transition": 0.0,
    "express_request": 0.0,
    "express_gb_second": 0.0,
    "lambda_request": 0.0,
    "lambda_gb_second": 0.0,
    "log_gb": 0.0,
}


def test_a_slope_leaves_out_what_both_sizes_pay_once() -> None:
    line = draw_slope((100, 3.0), (1100, 13.0))
    assert (line.start, line.each, line.at(2100)) == (2.0, 0.01, 23.0)
    assert draw_slope((100, 1.0), (200, 4.0)).start == 0.0


def test_more_cores_divide_only_the_workers_time() -> None:
    # 1 s, and a million times 2 us and 8 us divided by the cores.
    assert ENGINE.seconds(1_000_000, 1) == pytest.approx(1 + 10)
    assert ENGINE.seconds(1_000_000, 2) == pytest.approx(1 + 2 + 4)
    assert ENGINE.seconds(1_000_000, 4) == pytest.approx(1 + 2 + 2)
    assert ENGINE.half_speed_cores == pytest.approx(4)
    assert ENGINE.seconds(1_000_000, 4) - 1 == pytest.approx(2 * ENGINE.least * 1e6)
    assert ENGINE.most_people_a_second == pytest.approx(500_000)


def test_a_person_takes_no_less_than_the_first_process_needs() -> None:
    busy = replace(ENGINE, rest=0.5e-6)  # most of its work is done while the workers work
    assert busy.seconds(1_000_000, 2) == pytest.approx(1 + 0.5 + 4)
    assert busy.seconds(1_000_000, 1000) == pytest.approx(1 + 2)
    assert busy.most_people_a_second == pytest.approx(500_000)
    assert busy.half_speed_cores == pytest.approx(8 / 3.5)
    slow = replace(ENGINE, rest=4e-6)
    assert slow.most_people_a_second == pytest.approx(250_000)


def test_memory_grows_with_cores_and_not_with_people() -> None:
    assert ENGINE.memory(2) == 260e6
    assert ENGINE.memory(16) == 1380e6


def test_every_machine_is_paid_until_the_run_ends() -> None:
    one = estimate_machines(ENGINE, 1_000_000, machines=1, cores=4, hourly=7.2, prices=FREE)
    assert one.seconds == pytest.approx(5)
    assert one.dollars == pytest.approx(7.2 * 5 / 3600)
    four = estimate_machines(ENGINE, 1_000_000, machines=4, cores=4, hourly=7.2, prices=FREE)
    assert four.seconds == pytest.approx(1 + 2 + 0.5)
    assert four.dollars == pytest.approx(4 * 7.2 * 3.5 / 3600)
    assert four.memory == ENGINE.memory(4)  # of the first machine


def test_the_disk_holds_segment_and_outputs_and_is_paid_by_the_month() -> None:
    prices = {**FREE, "ebs_gb_month": 730.0}
    found = estimate_machines(ENGINE, 4_000_000, machines=1, cores=4, hourly=0.0, prices=prices)
    assert found.disk == pytest.approx(1e9)
    assert found.dollars == pytest.approx(found.seconds / 3600)


def test_s3_is_asked_once_for_each_part() -> None:
    prices = {**FREE, "s3_get": 1.0, "s3_put": 10.0}
    found = estimate_machines(ENGINE, 1_000_000, machines=1, cores=4, hourly=0.0, prices=prices)
    assert found.dollars == 6 + 12 * 10  # 50 MB read, 100 MB written, in parts of 8 MiB


@pytest.mark.parametrize(
    ("price", "dollars"),
    [
        ("standard_transition", 20_000 + 4),  # a child each, and the walk's own states
        ("express_request", 20_000),
        ("express_gb_second", 20_000 * 0.1 / 16),  # 64 of 1,024 MB
        ("lambda_request", 20_000),
        ("lambda_gb_second", 20_000 * 0.006),  # 3 ms at 1024/1769 of a core is 5.2 ms
        ("log_gb", 20_000 * 1000 / 1e9),
    ],
)
def test_a_walk_of_a_million_pays_by_the_batch(price: str, dollars: float) -> None:
    prices = {**NOTHING, price: 1.0}
    found = estimate_walk(WALK, 1_000_000, at_once=10, prices=prices, quotas=QUOTAS)
    assert found.dollars == pytest.approx(dollars)


def test_a_call_has_at_most_a_core() -> None:
    def billed(memory_mb: int) -> int:
        return replace(WALK, memory_mb=memory_mb).billed_ms

    assert (billed(128), billed(1024), billed(1769), billed(3538)) == (42, 6, 3, 3)


@pytest.mark.parametrize(("at_once", "seconds"), [(10, 200.0), (100, 20.0), (1000, 20.0)])
def test_a_walk_is_as_fast_as_its_children_until_no_more_may_be_started(
    at_once: int, seconds: float
) -> None:
    found = estimate_walk(WALK, 1_000_000, at_once=at_once, prices=NOTHING, quotas=QUOTAS)
    assert found.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("people", "pieces"), [(20_000_000, 1), (20_000_001, 2), (100_000_000, 5), (100_000_001, 6)]
)
def test_a_segment_beyond_a_files_limit_is_several(people: int, pieces: int) -> None:
    prices = {**NOTHING, "standard_transition": 1.0}
    found = estimate_walk(WALK, people, at_once=10, prices=prices, quotas=QUOTAS)
    assert found.pieces == pieces
    assert found.dollars == -(-people // 50) + 4 * pieces


def test_items_bound_a_file_of_small_people() -> None:
    small = replace(WALK, plain=10.0)
    found = estimate_walk(small, 100_000_001, at_once=10, prices=NOTHING, quotas=QUOTAS)
    assert found.pieces == 2


def a_run(engine: str, processes: int, people: int, **more: float) -> Run:
    values = {
        "seconds": 10.0,
        "processor_seconds": 10.0,
        "parent_seconds": 2.0,
        "memory_mb": 300.0,
        "parent_mb": 100.0,
        "others_mb": 160.0,
        **more,
    }
    return msgspec.convert(
        {
            "engine": engine,
            "processes": processes,
            "budget": bool(more.get("disk")),
            "people": people,
            "disk_bytes": people * int(more.get("disk", 150)),
            "output_bytes": people * 100,
            **values,
        },
        type=Run,
    )


MEASURED = Measured(
    revision="0123456789abcdef",
    started="2026-01-31 19:00 UTC",
    processor="a processor",
    cores=2,
    load=(0.1, 0.2),
    ray="2",
    segments=(
        Segment(people=100, packed_bytes=6000, plain_bytes=50_000),
        Segment(people=1100, packed_bytes=66_000, plain_bytes=550_000),
    ),
    runs=(
        a_run("local", 2, 100, processor_seconds=3.0, parent_seconds=1.0),
        a_run("local", 2, 1100, processor_seconds=13.0, parent_seconds=3.0),
        *(a_run("local", 1, people, others_mb=0.0) for people in (100, 1100)),
        a_run("local", 2, 100, disk=200),
        a_run("local", 2, 1100, disk=200),
        *(a_run("ray", 1, people, others_mb=120.0) for people in (100, 1100)),
        a_run("ray", 2, 100, seconds=20.0, processor_seconds=5.0, parent_seconds=1.0),
        a_run("ray", 2, 1100, seconds=30.0, processor_seconds=20.0, parent_seconds=4.0),
    ),
)


def runner_of(*rows: tuple[str, str, float, float]) -> Table:
    return Table(
        name="runner",
        title="The runner",
        ours="1 process",
        beside=("2 processes",),
        rows=tuple(
            Measurement(
                label=f"{size} endpoints: {kind}",
                unit="us",
                values={"1 process": one, "2 processes": two},
            )
            for size, kind, one, two in rows
        ),
    )


RUNNER = runner_of(
    ("1,000", "time an endpoint", 30.0, 22.0),
    ("1,000", "processor time an endpoint", 30.0, 33.0),
    ("11,000", "time an endpoint", 20.0, 12.0),
    ("11,000", "processor time an endpoint", 20.0, 21.0),
)


def test_the_runners_slopes_are_absolute_and_its_shares_those_of_one_session() -> None:
    # 22 ms at 1,000 and 132 ms at 11,000: 11 us each and 11 ms to start. 33 and 231 ms of
    # processor time: 19.8 us each, of which 2 s in 10 s, a fifth, is the first process's.
    found = describe_local(RUNNER, MEASURED)
    assert found.start == pytest.approx(0.011)
    assert found.processor == pytest.approx(19.8e-6)
    assert found.parent == pytest.approx(3.96e-6)
    assert found.rest == pytest.approx(3.08e-6)  # 11 less 15.84 / 2
    assert found.seconds(11_000, 2) == pytest.approx(11_000 * 12e-6)  # as measured
    assert (found.disk, found.packed, found.output) == (200, 60, 100)
    assert found.memory(4) == 100e6 + 4 * 80e6
    slower = runner_of(*((f"{n}", "time an endpoint", 20.0, 20.0) for n in (100, 1000)))
    assert describe_local(slower, MEASURED).rest == pytest.approx(12e-6)  # 20 less 16 / 2


def test_rays_slopes_differ_from_the_runners_as_its_runs_of_the_same_session_do() -> None:
    local = describe_local(RUNNER, MEASURED)
    ray = describe_ray(local, MEASURED)
    assert ray.processor == pytest.approx(1.5 * local.processor)  # 15 s of 10 s
    assert ray.parent == pytest.approx(0.2 * ray.processor)  # 3 s of 15 s
    assert ray.start == pytest.approx(19.0)
    # Of the runner's 3.96 us of the first process 3.08 are alone; Ray's first has 5.94.
    assert ray.rest == pytest.approx(3.08e-6 * 5.94 / 3.96)
    # 160 MB of others with two workers, 120 with one: 40 a worker, 80 of Ray's own processes.
    assert ray.memory(1) == (100 + 80 + 40) * 1e6


def test_of_several_rounds_the_run_with_the_median_processor_time_stays() -> None:
    runs = [a_run("local", 2, 100, processor_seconds=each) for each in (9.0, 3.0, 5.0)]
    assert find_middle(runs).processor_seconds == 5.0
    assert find_middle(runs[:2]).processor_seconds == 9.0


def test_one_size_is_no_slope() -> None:
    with pytest.raises(KeyError, match="two sizes"):
        draw_line({1000: 1e-5})
    with pytest.raises(KeyError, match="two runs: ray, 3 processes"):
        MEASURED.find("ray", 3)


def test_a_row_of_processor_time_is_none_of_time_by_the_clock() -> None:
    assert read_sizes(RUNNER, ": time an endpoint", "1 process") == pytest.approx(
        {1000: 30e-6, 11_000: 20e-6}
    )


def test_only_the_named_block_of_a_document_changes() -> None:
    text = "a\n<!-- made of x -->\nold\n<!-- end -->\nb\n<!-- made of y -->\nstays\n<!-- end -->\n"
    filled = fill_block(text, "x", r"new \1")
    assert filled == text.replace("old", r"new \1")
    assert fill_block(filled, "x", "old") == text
    with pytest.raises(BlockError, match="expected one block made of z, found 0"):
        fill_block(text, "z", "new")


def test_the_runners_speed_is_shown_by_size() -> None:
    page = write_speed(results_of(RUNNER))
    text = page.replace("\n", " ")
    assert "| endpoints | time an endpoint, 1 process | time an endpoint, 2 processes |" in text
    assert "\n| 1,000 | 30 µs | 22 µs | 30 µs | 33 µs |\n" in page
    assert "at commit `0123456789ab` with changes" in text
    assert "11,000 endpoints took 0 s with two processes. At 11,000, two are 1.67 times as" in text
    assert "From 1,000 to 11,000 endpoints the time an endpoint changed 0.67 times with one" in text
    assert "process, 0.55 times with two processes." in text


def test_where_one_process_walked_less_its_growth_within_the_walk_is_shown() -> None:
    figures = {
        f"1,000 endpoints{CLOCK}": {"1 process": 30.0, "2 processes": 20.0},
        f"1,000 endpoints{THIRDS}": {"1 process": 1.04},
        f"10,000 endpoints{CLOCK}": {"2 processes": 18.0},
    }
    rows = tuple(
        Measurement(label=label, unit="", values=values) for label, values in figures.items()
    )
    page = write_speed(results_of(msgspec.structs.replace(RUNNER, rows=rows)))
    text = page.replace("\n", " ")
    assert "\n| 10,000 |  | 18 |\n" in page
    assert "At 1,000, two are 1.50 times as fast as one." in text
    assert "From 1,000 to 10,000 endpoints the time an endpoint changed 0.90 times with two" in text
    assert "with one process" not in text
    assert "With 1 process, an endpoint of the last third of 1,000 took 1.04 times" in text


def test_one_person_over_http_is_shown_beside_one_of_pinpoint() -> None:
    values = {"one person over HTTP": 2.0, "one person of Pinpoint": 1.9}
    web = Table(
        name="web",
        title="One person over HTTP",
        ours="one person over HTTP",
        rows=(Measurement(label="processor time a call", unit="ms", values=values),),
        targets=(Target(sentence="over HTTP", value=1.05, bound=1.1),),
        revision="feedfacefeedface",
    )
    text = write_web(results_of(web)).replace("\n", " ")
    assert "At commit `feedfacefeed` one person took 2 ms of processor time over HTTP" in text
    assert "and 1.9 ms by Pinpoint's event" in text
    assert "The ratio was 1.05" in text
    with pytest.raises(KeyError):
        write_web(Results(machine=results_of().machine, effort=1.0, tables=()))


def test_the_image_is_shown_whole_and_beyond_its_base() -> None:
    sizes = {"function": 234.9, "function, without the base": 125.99}
    rows = tuple(
        Measurement(label=label, unit="MB", values={"ours": size}) for label, size in sizes.items()
    )
    image = Table(name="image", title="Image", ours="ours", rows=rows, revision="feedfacefeedface")
    assert write_image(results_of(image)) == (
        "The function's image has 235 MB, 126 MB of them beyond the base, at commit `feedfacefeed`."
    )


def test_a_call_of_the_service_is_shown_with_the_commit_of_its_own_table() -> None:
    row = Measurement(label="1 client: median", unit="ms", values={"our service": 0.574})
    service = Table(name="service", title="A service", ours="our service", rows=(row,))
    text = write_service(results_of(service)).replace("\n", " ")
    assert "50 rows take 0.574 ms over TCP (median, one client, at commit `0123456789ab`" in text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (show_time(119.4), "119 s"),
        (show_time(120), "2 min"),
        (show_time(7200), "2.0 h"),
        (show_dollars(0.0099), "under $0.01"),
        (show_dollars(54.114), "$54.11"),
        (show_size(27_110), "27 kB"),
        (show_size(442.4e6), "442 MB"),
        (show_size(30.25e9), "30.2 GB"),
        (show_quota(262_144), "256 KiB"),
        (show_quota(6_291_456), "6 MiB"),
    ],
)
def test_a_figure_is_shown_in_the_unit_that_one_reads(shown: str, text: str) -> None:
    assert shown == text


def test_a_process_and_a_folder_are_read_while_they_are_there(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(bytes(1000))
    (tmp_path / "b").write_bytes(bytes(10))
    assert measure_folder(tmp_path) == 1010
    assert measure_folder(tmp_path / "none") == 0
    assert read_seconds(os.getpid()) > 0
    assert read_shared(os.getpid()) > 1_000_000
    gone = 2**22  # above the largest process id
    assert read_seconds(gone) == read_shared(gone) == 0


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a clean run, found exit status 3"):
        watch([sys.executable, "-S", "-c", "raise SystemExit(3)"], tmp_path)
