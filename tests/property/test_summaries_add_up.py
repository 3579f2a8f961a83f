"""Law: received = kept + filtered + failed, and no endpoint is lost, doubled or moved."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from function.hosts.pinpoint import LARGEST_BATCH
from model.people.columns import RecordError
from model.people.records import make_decoder
from model.score_kind import RESPONSE, UPLIFT
from segment_scorer.runner.chunks import Chunk
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import cut_slices, make_finder
from segment_scorer.runner.summary import make_summary
from segment_scorer.runner.worker import process_chunk
from tests.fake_hooks import DecidingHook

IDS = st.sampled_from([*"abcdefgh", "a/b", "", 'q"u,o\nte'])
ACTIONS = st.sampled_from(["keep", "drop", "fail", "keep", "keep"])
GONE = st.sampled_from(
    [{}, {}, {}, {"OptOut": "ALL"}, {"OptOut": "NONE"}, {"EndpointStatus": "INACTIVE"}]
)
PEOPLE = st.builds(
    lambda id_, action, gone: json.dumps({"Id": id_, "Action": action, **gone}).encode(),
    IDS,
    ACTIONS,
    GONE,
)
BROKEN = st.sampled_from(
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b"7",
        b'{"Id":7.5}',
        b'{"Id":"a","m":1e400}',
        b'{"Id":"a\xff"}',
        b'{"Id":"a","Id":"b"}',
    ]
)
LINES = st.lists(
    st.one_of(PEOPLE, PEOPLE, BROKEN, st.binary(max_size=12)).map(
        lambda text: text.replace(b"\n", b" ") + b"\n"
    ),
    max_size=130,
)
VERDICTS: dict[object, bool | None] = {"keep": True, "drop": False, "fail": None}


@given(
    lines=LINES,
    include=st.booleans(),
    shows=st.booleans(),
    score=st.sampled_from([0.5, -0.5, -0.0001, -1.0]),
)
def test_every_line_has_exactly_one_outcome(
    lines: list[bytes], include: bool, shows: bool, score: float
) -> None:
    """With scores of responses, and with effects below 0."""
    hook = DecidingHook(
        lambda document: VERDICTS.get(document.get("Action"), True), shows=shows, score=score
    )
    config = RunConfig(
        scheduled_time="t",
        activity_id="a",
        include_opted_out=include,
        knows_decisions=shows,
        score=UPLIFT if score < 0 else RESPONSE,
    )
    pairs = [(number, line) for number, line in enumerate(lines, 1) if not line.isspace()]
    slices = list(cut_slices(pairs, make_finder(None, include_opted_out=include)))
    assert [
        pair for piece in slices for pair in zip(piece.numbers, piece.records, strict=True)
    ] == pairs
    result = process_chunk(Chunk(file="f", header=None, slices=slices, position=0), hook, config)
    summary = make_summary(result.counts, config, 0.0)

    readable = read_all(lines)
    assert summary.received == len(readable)
    assert summary.received + summary.rejected + sum(line.isspace() for line in lines) == len(lines)
    assert summary.rejected == len(result.parts["rejected.jsonl"].splitlines())
    assert all(len(event["Endpoints"]) <= LARGEST_BATCH for event in hook.events)
    assert summary.attempts == len(hook.events) >= summary.batches

    data = result.parts["segment.jsonl.gz"]
    kept = [json.loads(line)["Id"] for line in gzip.decompress(data).splitlines()] if data else []
    assert len(kept) == summary.kept
    assert is_subsequence(kept, [id_ for id_, *_ in readable])
    decisions = list(csv.reader(io.StringIO(result.parts["decisions.csv"].decode(), newline="")))
    assert [row[0] for row in decisions] == [id_ for id_, *_ in readable]
    assert (
        sum(row[4] == "true" for row in decisions),
        sum(row[4] == "false" and row[5] != "failed" for row in decisions),
        sum(row[5] == "failed" for row in decisions),
    ) == (summary.kept, summary.filtered, summary.failed)
    scores = [float(row[6]) for row in decisions if row[6]]
    assert set(scores) <= {score}
    counted = result.statistics.scores
    assert sum(counted.values()) == len(scores)
    assert all((bucket < 0) == (score < 0) for bucket in counted)


@given(LINES)
def test_cutting_and_walking_agree_on_who_is_sent(lines: list[bytes]) -> None:
    find_id = make_finder(None, include_opted_out=True)
    for id_, _, line in read_all(lines):
        assert find_id(line) == id_, (
            "an id that cutting does not see could be sent twice in one event"
        )


def read_all(lines: list[bytes]) -> list[tuple[str, dict[str, Any], bytes]]:
    decode = make_decoder(None)
    readable = []
    for line in lines:
        if line.isspace():
            continue
        try:
            document = decode(line).document
        except RecordError:
            continue
        readable.append((document["Id"], document, line))
    return readable


def is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)
