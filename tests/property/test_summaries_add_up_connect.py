"""Law, on Connect: received = kept + filtered + failed, for any segment and any replies."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from function.hosts.pinpoint import LARGEST_BATCH
from model.score_kind import RESPONSE, UPLIFT
from segment_scorer.runner.asking.host_rules import Attempt
from segment_scorer.runner.chunks import Chunk
from segment_scorer.runner.config import RunConfig
from segment_scorer.runner.reading.batches import cut_slices, make_finder
from segment_scorer.runner.summary import make_summary
from segment_scorer.runner.worker import process_chunk

CONFIG = RunConfig(
    host="connect", scheduled_time="2026-07-03T10:04:00.000Z", activity_id="a", knows_decisions=True
)
IDS = st.sampled_from([*"abcdefgh", "a/b", 'q"u,o\nte'])
# The reply for a profile: a decision, nonsense, or nothing. `fail` fails the whole batch.
ACTIONS = st.sampled_from(["keep", "drop", "keep", "perhaps", "silent", "fail"])
PROFILES = st.builds(
    lambda id_, action: json.dumps({"ProfileId": id_, "Attributes": {"Action": action}}).encode(),
    IDS,
    ACTIONS,
)
ENDPOINTS = st.builds(
    lambda id_, action: json.dumps({"Id": id_, "Attributes": {"Action": [action]}}).encode(),
    IDS,
    ACTIONS,
)
LINES = st.lists(
    st.one_of(PROFILES, ENDPOINTS, st.sampled_from([b"{", b'{"ProfileId":""}'])), max_size=120
)


class ConnectHook:
    """Answers each profile by what its attribute says."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.events: list[dict[str, Any]] = []

    def call(self, event: dict[str, Any]) -> Attempt:
        self.events.append(event)
        answers = []
        for item in event["Items"]["CustomerProfiles"]:
            data = json.loads(item["CustomerData"])
            action = (data.get("attributes") or data.get("Attributes"))["Action"]
            if action == "fail":
                return Attempt(problem="raised OnPurpose")
            if action != "silent":
                answers.append(
                    {
                        "Id": item["ProfileId"],
                        "ResultData": {"decision": action, "reason": "score", "score": self.score},
                    }
                )
        return Attempt(reply={"Items": {"CustomerProfiles": answers}})

    def take_log(self) -> str:
        return ""


@given(lines=LINES, score=st.sampled_from([0.5, -0.5, -1.0]))
def test_every_profile_has_exactly_one_outcome(lines: list[bytes], score: float) -> None:
    """With scores of responses, and with effects below 0."""
    hook = ConnectHook(score)
    config = msgspec.structs.replace(CONFIG, score=UPLIFT if score < 0 else RESPONSE)
    slices = list(cut_slices(enumerate(lines, 1), make_finder(None, include_opted_out=False)))
    result = process_chunk(Chunk(file="f", header=None, slices=slices, position=0), hook, config)
    summary = make_summary(result.counts, config, 0.0)
    assert summary.received + summary.rejected == len(lines)
    assert all(len(event["Items"]["CustomerProfiles"]) <= LARGEST_BATCH for event in hook.events)
    rows = list(csv.reader(io.StringIO(result.parts["decisions.csv"].decode(), newline="")))
    assert (
        sum(row[4] == "true" for row in rows),
        sum(row[4] == "false" and row[5] != "failed" for row in rows),
        sum(row[5] == "failed" for row in rows),
    ) == (summary.kept, summary.filtered, summary.failed)
    assert len(rows) == summary.received
    assert {float(row[6]) for row in rows if row[6]} <= {score}
    data = result.parts["segment.jsonl.gz"]
    assert len(gzip.decompress(data).splitlines() if data else []) == summary.kept
