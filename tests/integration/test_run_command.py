"""`segment-scorer run` as a person types it: outputs, exit statuses, and errors in one sentence."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segment_scorer.cli.main import main
from tests.fake_hooks import person, write_segment
from tests.fakes import make_bundle
from tools.image.emulator import ROOT, run_emulator

Run = Callable[..., int]
PEOPLE = [person(i, i / 129) for i in range(130)]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def run(tmp_path: Path, bundle: Path) -> Run:
    def run(segment: Path, *more: object, out: Path = tmp_path / "out", local: bool = True) -> int:
        return main(
            [
                "run",
                str(segment),
                "--out",
                str(out),
                *(["--bundle", str(bundle)] if local else []),
                *map(str, more),
            ]
        )

    return run


def summary_of(out: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_clean_segment_ends_with_0_and_all_files(run: Run, tmp_path: Path) -> None:
    segment = write_segment(tmp_path / "people.jsonl.gz", PEOPLE)
    assert run(segment, "--scheduled-time", "2026-01-31T20:00:00+01:00") == 0
    out = tmp_path / "out"
    assert names(out) == {
        "segment.jsonl.gz",
        "scores.csv",
        "decisions.csv",
        "rejected.jsonl",
        "batches.jsonl",
        "report.html",
        "summary.json",
    }
    summary = summary_of(out)
    assert {
        key: summary[key]
        for key in (
            "received",
            "kept",
            "filtered",
            "failed",
            "batches",
            "attempts",
            "model",
            "mode",
        )
    } == {
        "received": 130,
        "kept": 65,
        "filtered": 65,
        "failed": 0,
        "batches": 3,
        "attempts": 3,
        "model": "tiny@1",
        "mode": "filter",
    }
    assert summary["scheduled_time"] == "2026-01-31T19:00:00.000Z"
    with gzip.open(out / "segment.jsonl.gz", "rt") as file:
        kept = [json.loads(line) for line in file]
    assert [row["Id"] for row in kept] == [f"person-{i}" for i in range(65, 130)]
    assert kept[-1] == {**PEOPLE[-1], "Attributes": {"Plan": ["gold"], "Score": ["1.0000"]}}
    scores = list(csv.reader((out / "scores.csv").read_text().splitlines()))
    assert (scores[0], scores[1], len(scores)) == (
        ["Id", "Metrics.Score"],
        ["person-0", "0.0000"],
        131,
    )
    decisions = list(csv.DictReader((out / "decisions.csv").read_text().splitlines()))
    assert decisions[64] == {
        "Id": "person-64",
        "UserId": "",
        "selected": "false",
        "holdout": "false",
        "sent": "false",
        "reason": "score",
        "score": "0.4961",
        "band": "",
        "treatment": "",
    }
    assert (
        len(
            [
                line
                for line in (out / "batches.jsonl").read_text().splitlines()
                if '"message":"batch"' in line
            ]
        )
        == 3
    )


def test_a_second_run_in_the_same_process_has_a_log_of_its_own(run: Run, tmp_path: Path) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    assert run(segment, out=tmp_path / "one") == run(segment, out=tmp_path / "two") == 0
    assert (tmp_path / "two" / "batches.jsonl").read_text().count('"message":"batch"') == 3


def test_the_policy_of_the_campaign_decides(run: Run, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'threshold = 0.9\nmetric = "Buys"\n'
        '[[override]]\ncampaign_id = "spring"\nmode = "annotate"\ndecimals = 1\n'
    )
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    assert run(segment, "--policy", policy, out=tmp_path / "any") == 0
    assert run(segment, "--policy", policy, "--campaign-id", "spring", out=tmp_path / "spring") == 0
    any_, spring = summary_of(tmp_path / "any"), summary_of(tmp_path / "spring")
    assert (any_["mode"], any_["kept"], any_["would_filter"]) == ("filter", 13, 0)
    assert (spring["mode"], spring["kept"], spring["filtered"]) == ("annotate", 130, 0)
    assert spring["would_filter"] > 100
    assert (tmp_path / "spring" / "scores.csv").read_text().splitlines()[:2] == [
        "Id,Metrics.Buys",
        "person-0,0.0",
    ]


def test_rejected_lines_are_named_by_number_and_end_with_4(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = write_segment(
        tmp_path / "people.jsonl", [PEOPLE[0], "secret nonsense", "", '{"Id": ""}', PEOPLE[129]]
    )
    assert run(segment) == 4
    printed = capsys.readouterr().err
    assert "people.jsonl, line 2: expected one JSON object" in printed
    assert "people.jsonl, line 4: $.Id: expected" in printed
    assert "secret" not in printed
    assert "person-" not in printed
    summary = summary_of(tmp_path / "out")
    assert (summary["received"], summary["rejected"], summary["batches"]) == (2, 2, 1)
    assert [
        json.loads(line)["line"]
        for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()
    ] == [2, 4]


def test_warns_of_a_scorer_that_is_down_before_any_figure(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_TARGET", "127.0.0.1:9")
    monkeypatch.setenv("SCORER_FALLBACK", "none")
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    assert run(segment, "--rehearse") == 0, "the policy decides about people without a score"
    printed = capsys.readouterr().err
    assert printed.startswith(
        "No score for 130 of 130 people: ScorerUnavailable: the scoring service cannot "
        "be reached: nothing listens at the target's port or socket (gRPC UNAVAILABLE); "
        "kept because on_error = keep.\n"
    )
    assert "If the scores are calibrated" not in printed
    monkeypatch.setenv("SCORER_FALLBACK", "bundled")
    assert run(segment, "--rehearse") == 0
    assert capsys.readouterr().err.startswith(
        "The first scorer failed and the fallback scored in 3 of 3 calls: ScorerUnavailable: "
        "the scoring service cannot be reached: nothing listens at the target's port or socket "
        "(gRPC UNAVAILABLE).\n"
    )


def test_calls_expected_responses_and_unwanted_events_by_their_names(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    policy = tmp_path / "policy.toml"
    for text, printed in (
        (
            "threshold = 0.5",
            "65 responses are expected of all people with a score, 49 of them from those messaged.",
        ),
        (
            'keep = "below"\nthreshold = 0.5',
            (
                "65 unwanted events are expected of all people with a score: 16 of those messaged, "
                "and at most 49 are avoided."
            ),
        ),
    ):
        policy.write_text(text)
        assert run(segment, "--policy", policy, "--rehearse") == 0
        assert printed in capsys.readouterr().err


def test_several_files_are_one_segment(run: Run, tmp_path: Path) -> None:
    one, two = (
        write_segment(tmp_path / "one.jsonl", PEOPLE[:60]),
        write_segment(tmp_path / "two.jsonl.gz", PEOPLE[60:]),
    )
    assert run(one, two) == 0
    assert summary_of(tmp_path / "out")["received"] == 130


def test_an_earlier_run_is_replaced_only_with_force(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    assert run(segment) == 0
    before = (tmp_path / "out" / "summary.json").read_bytes()
    capsys.readouterr()
    assert run(segment) == 1
    assert "found the outputs of an earlier run" in capsys.readouterr().err
    assert (tmp_path / "out" / "summary.json").read_bytes() == before
    assert run(segment, "--force") == 0


def test_over_http_the_same_people_are_kept_and_what_cannot_be_known_is_null(
    run: Run, tmp_path: Path, bundle: Path
) -> None:
    people = [*PEOPLE, "broken", person(777, 0.9, OptOut="ALL")]
    segment = write_segment(tmp_path / "people.jsonl", people)
    assert run(segment, out=tmp_path / "local") == 4
    with run_emulator(environ={"SCORER_BUNDLE": str(bundle)}) as emulator:
        assert run(segment, "--hook", emulator.url, out=tmp_path / "http", local=False) == 4
    local, http = summary_of(tmp_path / "local"), summary_of(tmp_path / "http")
    unknown = {"held_out", "unreadable", "unscored", "sparse", "would_filter", "model", "mode"}
    unknown |= {
        "budget_users",
        "treatments",
        "excluded",
        "excluded_by",
        "users_selected",
        "users_held_out",
    }
    unknown |= {"threshold", "keep", "holdout_percent", "holdout_salt_digest", "policy_digest"}
    assert {name for name, value in http.items() if value is None} == unknown
    assert {name for name in local if local[name] == http[name]} >= set(local) - unknown - {
        "seconds",
        "scheduled_time",
        "options",
    }
    assert names(tmp_path / "http") == {
        "segment.jsonl.gz",
        "scores.csv",
        "decisions.csv",
        "rejected.jsonl",
        "report.html",
        "summary.json",
    }
    assert (local["users"], http["users"]) == (131, 131)
    rows = [
        list(csv.DictReader((tmp_path / name / "decisions.csv").read_text().splitlines()))
        for name in ("local", "http")
    ]
    assert [(row["Id"], row["sent"]) for row in rows[0]] == [
        (row["Id"], row["sent"]) for row in rows[1]
    ]
    assert {row["holdout"] for row in rows[1]} == {""}
    # The same people in the same order; the emulated function writes a person's fields in its own.
    kept, kept_over_http = (
        list(
            map(
                json.loads,
                gzip.decompress((tmp_path / name / "segment.jsonl.gz").read_bytes()).splitlines(),
            )
        )
        for name in ("local", "http")
    )
    assert kept == kept_over_http
    scores = (tmp_path / "local" / "scores.csv").read_text().splitlines()
    assert (tmp_path / "http" / "scores.csv").read_text().splitlines() == [scores[0], *scores[66:]]


def test_on_connect_every_decision_is_known_over_http_too(
    run: Run, tmp_path: Path, bundle: Path
) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    assert run(segment, out=tmp_path / "local") == 0
    with run_emulator(environ={"SCORER_BUNDLE": str(bundle)}) as emulator:
        assert (
            run(
                segment,
                "--hook",
                emulator.url,
                "--host",
                "connect",
                out=tmp_path / "http",
                local=False,
            )
            == 0
        )
    assert (tmp_path / "http" / "decisions.csv").read_bytes() == (
        tmp_path / "local" / "decisions.csv"
    ).read_bytes()
    summary = summary_of(tmp_path / "http")
    assert {name for name, value in summary.items() if value is None} == {
        "would_filter",
        "model",
        "mode",
        "threshold",
        "keep",
        "holdout_percent",
        "holdout_salt_digest",
        "policy_digest",
        "budget_users",
        "treatments",
    }
    assert (summary["kept"], summary["filtered"], summary["held_out"], summary["host"]) == (
        65,
        65,
        0,
        "connect",
    )


def test_a_rehearsal_can_be_repeated_into_its_folder_and_a_run_can_follow(
    run: Run, tmp_path: Path
) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    for _ in range(2):
        assert run(segment, "--rehearse") == 0
        assert names(tmp_path / "out") == {"report.html"}
    assert run(segment) == 0
    assert (
        "What this run did"
        not in (tmp_path / "out" / "report.html").read_text().partition("</head>")[0]
    )
    assert summary_of(tmp_path / "out")["received"] == 130


def test_a_function_that_fails_costs_its_batch_three_attempts_and_the_run_ends_with_4(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    with run_emulator("tests.handlers.unimportable.handle") as emulator:
        assert run(segment, "--hook", emulator.url, local=False) == 4
    summary = summary_of(tmp_path / "out")
    assert (
        summary["failed"],
        summary["kept"],
        summary["filtered"],
        summary["batches"],
        summary["attempts"],
    ) == (130, 0, 0, 3, 9)
    assert "9 x the hook crashed or could not start" in capsys.readouterr().err
    assert (tmp_path / "out" / "segment.jsonl.gz").read_bytes() == gzip.compress(b"", 1, mtime=0), (
        "no bytes at all are no gzip file"
    )


def absent(tmp_path: Path) -> list[object]:
    return [tmp_path / "absent.jsonl"]


def empty(tmp_path: Path) -> list[object]:
    return [write_segment(tmp_path / "empty.jsonl", [])]


def blank(tmp_path: Path) -> list[object]:
    return [write_segment(tmp_path / "blank.jsonl", ["", " ", "\t"])]


def gzip_of_nothing(tmp_path: Path) -> list[object]:
    return [write_segment(tmp_path / "nothing.jsonl.gz", [])]


def semicolons(tmp_path: Path) -> list[object]:
    (tmp_path / "people.csv").write_text("Id;ChannelType\na;EMAIL\n")
    return [tmp_path / "people.csv"]


def an_array(tmp_path: Path) -> list[object]:
    return [write_segment(tmp_path / "people.json", ["[", '{"Id": "a"},', "]"])]


def cut_off(tmp_path: Path) -> list[object]:
    path = tmp_path / "people.jsonl.gz"
    path.write_bytes(write_segment(path, PEOPLE).read_bytes()[:-10])
    return [path]


def people(tmp_path: Path, *more: object) -> list[object]:
    return [write_segment(tmp_path / "people.jsonl", PEOPLE), *more]


def no_bundle(tmp_path: Path) -> list[object]:
    return people(tmp_path, "--bundle", tmp_path / "absent")


def other_model(tmp_path: Path) -> list[object]:
    bundle = make_bundle(tmp_path / "changed")
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"x")
    return people(tmp_path, "--bundle", bundle)


def other_columns(tmp_path: Path) -> list[object]:
    bundle = make_bundle(tmp_path / "changed")
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "columns": ["another"]}))
    return people(tmp_path, "--bundle", bundle)


def policy_with_a_typo(tmp_path: Path) -> list[object]:
    (tmp_path / "policy.toml").write_text("treshold = 0.5\n")
    return people(tmp_path, "--policy", tmp_path / "policy.toml")


def out_below_a_file(tmp_path: Path) -> list[object]:
    (tmp_path / "file").touch()
    return people(tmp_path, "--out", tmp_path / "file" / "out")


def nobody_listens(tmp_path: Path) -> list[object]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return people(tmp_path, "--hook", f"http://127.0.0.1:{probe.getsockname()[1]}")


BAD = {
    absent: "absent.jsonl: expected a file of people, found none",
    empty: "empty.jsonl: expected people, one per line, found an empty file",
    blank: "blank.jsonl: expected people, one per line, found only empty lines",
    gzip_of_nothing: "nothing.jsonl.gz: expected people, one per line, found only empty lines",
    semicolons: "people.csv: expected a comma between the columns of the header, found ;",
    an_array: "expected JSON lines, each one object, found an array of objects; convert it with",
    cut_off: "people.jsonl.gz: expected a whole, undamaged file, found an end or damage after line",
    no_bundle: "absent: expected a bundle: a directory with manifest.json and model.onnx",
    other_model: "model.onnx: expected the SHA-256 that manifest.json names",
    other_columns: "manifest.json: expected columns to be the 1 that its spec makes",
    policy_with_a_typo: "policy.toml: treshold: unknown key; expected one of",
    out_below_a_file: "expected a folder that can be written (Not a directory)",
    nobody_listens: (
        "--hook: no runtime interface emulator listens at that address (Connection refused)"
    ),
    lambda tmp_path: people(
        tmp_path, "--hook", "carrier-pigeon"
    ): "--hook: expected local, lambda:NAME, or http://host:port",
    lambda tmp_path: people(
        tmp_path, "--host", "nobody"
    ): "--host: expected one of pinpoint, connect",
    lambda tmp_path: people(
        tmp_path, "--also", "xml"
    ): "--also xml: expected one of csv, parquet, profiles",
    lambda tmp_path: people(tmp_path, "--engine", "dask"): "--engine: expected local or ray",
    lambda tmp_path: people(
        tmp_path, "--engine", "ray", "--hook", "http://127.0.0.1:1"
    ): "an emulator takes one call at a time",
    lambda tmp_path: people(
        tmp_path, "--processes", 0
    ): "--processes: expected 1 or more, with --hook local",
    lambda tmp_path: people(
        tmp_path, "--concurrency", 0
    ): "--concurrency: expected 1 to 100 calls at once",
    lambda tmp_path: people(
        tmp_path, "--rehearse", "--resume"
    ): "--rehearse: expected neither --resume nor --also",
    lambda tmp_path: people(
        tmp_path, "--resume", "--force"
    ): "--resume, --force: expected one of them",
    lambda tmp_path: people(
        tmp_path, "--scheduled-time", "noon"
    ): "--scheduled-time: expected a time in ISO 8601",
    lambda tmp_path: people(
        tmp_path, "--scheduled-time", "0001-01-01T00:00+14:00"
    ): "--scheduled-time: expected a time in ISO 8601",
    lambda tmp_path: people(
        tmp_path, "--hook", "http://127.0.0.1:1", "--bundle", tmp_path
    ): "--bundle: expected only with --hook local",
}


@pytest.mark.parametrize(("prepare", "sentence"), BAD.items())
def test_says_in_one_sentence_what_is_wrong_and_writes_nothing(
    prepare: Callable[[Path], list[object]],
    sentence: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    segment, *more = prepare(tmp_path)
    assert (
        run(Path(str(segment)), *more, local="--hook" not in more and "--bundle" not in more) == 1
    )
    printed = capsys.readouterr().err
    assert printed.startswith("segment-scorer run: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert names(tmp_path / "out") == set()


@pytest.mark.parametrize("name", ["--out", "--policy", "--bundle"])
def test_an_empty_path_is_wrong_usage_and_not_the_folder_one_is_in(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    segment = str(write_segment(tmp_path / "people.jsonl", PEOPLE))
    for words in ([name, ""], [f"{name}="]):
        assert main(["run", segment, *(["--out", "out"] if name != "--out" else []), *words]) == 2
        assert (
            capsys.readouterr().err
            == f"segment-scorer run: expected text after {name}, found nothing\n"
        )
    assert names(tmp_path) == {"people.jsonl"}


def test_warns_of_columns_that_are_not_read_and_of_rows_that_span_lines(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "people.csv").write_text(
        'Id,Metric.score,Attributes.Note\na,0.9,x\nb,0.9,"x\ny"\nc,0.9,"x\n\ny"\n'
    )
    assert run(tmp_path / "people.csv") == 0
    path = tmp_path / "people.csv"
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"{path}: no model and no policy reads Metric.score (meant: Metrics.score?)",
        f"{path}: 2 rows span several lines, the longest lines 5 to 7",
    ]
    assert summary_of(tmp_path / "out")["received"] == 3


def test_an_unknown_setting_in_the_environment_is_an_error(tmp_path: Path, bundle: Path) -> None:
    environ = {**os.environ, "SCORER_TRESHOLD": "1"}
    done = subprocess.run(
        command_of(tmp_path, bundle),
        check=False,
        env=environ,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "segment-scorer run: SCORER_TRESHOLD: unknown setting\n",
    )


# `segment-scorer run`, with a checkpoint after each chunk.
RUNNER = """
import sys
from segment_scorer.cli.endings import end_in_a_sentence
from segment_scorer.cli.run import run_and_print
from segment_scorer.runner.config import RunOptions
out, hook, *segment = sys.argv[1:]
with end_in_a_sentence("run"):
    run_and_print(RunOptions(segment=segment, out=out, hook=hook, checkpoint_seconds=0.0))
"""


def test_control_c_after_a_checkpoint_says_how_to_continue(tmp_path: Path, bundle: Path) -> None:
    """The hook answers for two people, and never for the third."""
    one, two = (
        write_segment(tmp_path / "one.jsonl", PEOPLE[:2]),
        write_segment(tmp_path / "two.jsonl", PEOPLE[2:3]),
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-c", RUNNER, str(tmp_path / "out"), url, str(one), str(two)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            server.settimeout(60)
            first, _ = server.accept()
            with first:
                first.recv(1 << 16)
                first.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            second, _ = server.accept()
            with second:
                process.send_signal(signal.SIGINT)
                _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed.splitlines()[-2:] == [
        "The work so far is saved: the same command with --resume continues.",
        "segment-scorer run: interrupted",
    ]


def test_control_c_stops_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [
            sys.executable,
            "-m",
            "segment_scorer.cli.main",
            "run",
            str(segment),
            "--out",
            str(tmp_path / "out"),
            "--hook",
            url,
        ]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(60)
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1)
                assert names(tmp_path / "out") == {".unfinished"}
                process.send_signal(signal.SIGINT)
                _, printed = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, "segment-scorer run: interrupted\n")
    assert names(tmp_path / "out") == set()


def command_of(tmp_path: Path, bundle: Path) -> list[str]:
    segment = write_segment(tmp_path / "people.jsonl", PEOPLE)
    return [
        sys.executable,
        "-m",
        "segment_scorer.cli.main",
        "run",
        str(segment),
        "--out",
        str(tmp_path / "out"),
        "--bundle",
        str(bundle),
    ]
