"""Every scorer through the same checks: bundled, and remote over TCP and over a Unix socket.

The remote scorer is asked in every encoding and datatype.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from function.records import Scorer
from function.scorers.bundled import BundledScorer
from function.scorers.remote import RemoteScorer
from function.settings import Dialect, RemoteSettings
from model.bundle import Bundle, load_bundle
from model.features import Matrix
from segment_scorer.service.server import Service, load_model
from segment_scorer.service.settings import ServiceSettings
from tests.bundles import make_bundle, make_uplift_bundle

ROOT = Path(__file__).parents[2]
# scorer -> the ways in which it is asked
SCORERS: dict[type[Scorer], list[str]] = {
    BundledScorer: ["bundled"],
    RemoteScorer: list(
        map("-".join, itertools.product(("tcp", "unix"), ("FP32", "FP64"), ("raw", "contents")))
    ),
}
KINDS = [kind for kinds in SCORERS.values() for kind in kinds]


@pytest.fixture(scope="module", params=["shipped", "tiny", "uplift"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    if request.param == "shipped":
        return load_bundle(ROOT / "model" / "artifact")
    make = {"tiny": make_bundle, "uplift": make_uplift_bundle}[request.param]
    return load_bundle(make(tmp_path_factory.mktemp("agree") / "bundle"))


@pytest.fixture(scope="module")
def make_scorer(
    bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Scorer]]:
    listen = ("127.0.0.1:0", f"unix:{tmp_path_factory.mktemp('sock')}/s.sock")
    service = Service(
        load_model(bundle.directory), ServiceSettings(bundle=bundle.directory, listen=listen)
    )
    targets = dict(zip(("tcp", "unix"), service.addresses, strict=True))

    def make(kind: str) -> Scorer:
        if kind == "bundled":
            return BundledScorer(bundle)
        place, datatype, encoding = kind.split("-")
        dialect = Dialect(
            model=bundle.name, datatype=datatype, encoding=encoding, score=bundle.score
        )
        return RemoteScorer(RemoteSettings(target=targets[place], dialect=dialect, call_cap=30.0))

    yield make
    service.stop()


def make_rows(bundle: Bundle, count: int) -> Matrix:
    """Rows within and far outside what the model knows, with missing values among them."""
    random = np.random.default_rng(7)
    base = bundle.golden_rows[random.integers(0, len(bundle.golden_rows), count)]
    rows: Matrix = (base * random.uniform(-2, 3, base.shape)).astype(np.float32)
    rows[random.random(rows.shape) < 0.15] = np.nan
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_scores_the_golden_rows_as_the_trainer_wrote(
    make_scorer: Callable[[str], Scorer], bundle: Bundle, kind: str
) -> None:
    scores = make_scorer(kind).score_batch(bundle.golden_rows, 30.0)
    assert (scores.dtype, scores.shape) == (np.float64, bundle.golden_scores.shape)
    assert np.allclose(scores, bundle.golden_scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("count", [1, 50, 1000])
def test_agrees_with_the_bundled_scorer_bit_for_bit(
    make_scorer: Callable[[str], Scorer], bundle: Bundle, kind: str, count: int
) -> None:
    rows = make_rows(bundle, count)
    assert np.array_equal(
        make_scorer(kind).score_batch(rows, 30.0), make_scorer("bundled").score_batch(rows, 30.0)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_gives_scores_of_the_kind_and_leaves_the_matrix_alone(
    make_scorer: Callable[[str], Scorer], bundle: Bundle, kind: str
) -> None:
    rows = make_rows(bundle, 30)
    before = rows.tobytes()
    scores = make_scorer(kind).score_batch(rows, 30.0)
    assert ((scores >= bundle.score.low) & (scores <= bundle.score.high)).all()
    assert bundle.score.is_uplift == (scores < 0).any()
    assert rows.tobytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_says_name_and_version_of_the_model(
    make_scorer: Callable[[str], Scorer], bundle: Bundle, kind: str
) -> None:
    scorer = make_scorer(kind)
    scorer.score_batch(bundle.golden_rows, 30.0)
    assert scorer.label == bundle.label
