"""Replays the bytes of foreign servers and a client. `INTEROP_RECORD=1 make interop` makes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from function.errors import ScorerRejected
from function.scorers.tensors import build_request, read_scores
from function.settings import Dialect
from model.bundle import load_bundle
from model.runtime import OnnxModel
from protos.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.tensor import read_contents, read_raw
from segment_scorer.service.requests import build_response, read_task
from tests.bundles import expected_scores, make_bundle, make_rows

RECORDINGS = Path(__file__).parents[1] / "recordings"
ANSWERED = sorted(RECORDINGS.glob("*/*.json"))
ASKED = sorted((RECORDINGS / "tritonclient").glob("*.request.bin"))


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.name.partition('.')[0]}"


def test_there_are_recordings_of_every_peer() -> None:
    assert {path.parent.name for path in (*ANSWERED, *ASKED)} == {
        "mlserver",
        "kserve",
        "triton",
        "tritonclient",
    }


@pytest.mark.parametrize("path", ANSWERED, ids=name)
def test_sends_still_what_the_peer_understood(path: Path) -> None:
    sent = path.with_suffix(".request.bin").read_bytes()
    request = ModelInferRequest.FromString(sent)
    (tensor,) = request.inputs
    if request.raw_input_contents:
        values = read_raw(tensor.datatype, tensor.shape, request.raw_input_contents[0])
    else:
        values = read_contents(tensor.datatype, tensor.shape, tensor.contents)
    dialect = Dialect(**json.loads(path.read_text())["dialect"])
    assert build_request(values.astype(np.float32), dialect).SerializeToString() == sent


@pytest.mark.parametrize("path", ANSWERED, ids=name)
def test_reads_what_the_peer_answered(path: Path) -> None:
    facts = json.loads(path.read_text())
    answer = ModelInferResponse.FromString(path.with_suffix(".answer.bin").read_bytes())
    dialect, rows = Dialect(**facts["dialect"]), len(facts["scores"])
    if facts["refused"] is not None:
        with pytest.raises(ScorerRejected, match=facts["refused"]):
            read_scores(answer, rows, dialect)
    else:
        assert np.allclose(read_scores(answer, rows, dialect), facts["scores"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", ASKED, ids=name)
def test_our_service_still_answers_the_foreign_client_as_it_did(path: Path, tmp_path: Path) -> None:
    request = ModelInferRequest.FromString(path.read_bytes())
    answered = ModelInferResponse.FromString(
        path.with_name(path.name.replace("request", "answer")).read_bytes()
    )
    model = OnnxModel(load_bundle(make_bundle(tmp_path / "bundle")))
    task = read_task(request, model.facts, 100)
    assert np.array_equal(task.matrix, make_rows(5), equal_nan=True)
    answer = build_response(request, task, model.compute(task.matrix), model.facts)
    assert [(o.name, o.datatype, list(o.shape)) for o in answer.outputs] == [
        (o.name, o.datatype, list(o.shape)) for o in answered.outputs
    ]
    assert (answer.id, bool(answer.raw_output_contents)) == (
        answered.id,
        bool(answered.raw_output_contents),
    )
    for response in (answer, answered):
        assert np.allclose(
            read_scores(response, 5, Dialect(model="tiny")),
            expected_scores(make_rows(5)),
            rtol=0,
            atol=1e-6,
        )
