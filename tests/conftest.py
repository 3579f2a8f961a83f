"""Hypothesis's profiles: the same examples in every test run, new ones in `make fuzz`."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import session
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

from examples.cdnow import make_endpoints as cdnow
from examples.hillstrom import make_endpoints as hillstrom
from tests.made_once import make_once

# Each processor has a worker of its own. Threads beside it would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Hundreds of tests start Python: with its bytecode kept, each start takes a quarter less.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No deadline: no test asserts how long something took.
settings.register_profile(
    "tests",
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# Hypothesis remembers its examples: rounds of 2,000 keep that small. Each round has its own seed.
FUZZ_ROUND = 2_000
settings.register_profile(
    "fuzz",
    max_examples=FUZZ_ROUND,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("tests")

FEW_CORES = 4
COUNTS = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNTS] = Counter()
    gc.disable()


def pytest_collection_finish() -> None:
    """Thousands of modules and tests live to the end: the collector need not visit them again."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors: a quarter of the time, tests wait for processes.

    Few processors only: each worker imports everything.
    """
    cores = len(os.sched_getaffinity(0))
    return cores + 1 if cores <= FEW_CORES else cores


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `fuzz_round` runs once, or FUZZ_ROUNDS times."""
    if "fuzz_round" in metafunc.fixturenames:
        metafunc.parametrize("fuzz_round", range(int(os.environ.get("FUZZ_ROUNDS", "1"))))


@pytest.fixture(scope="session")
def fuzz_counts(request: pytest.FixtureRequest) -> Counter[str]:
    """Counts of the fuzz tests, printed at the end of `make fuzz`."""
    return request.config.stash[COUNTS]


@pytest.fixture(scope="session", autouse=True)
def service_descriptions() -> Iterator[None]:
    """AWS's descriptions of its services, 20 MB of JSON, are read once and not by each client.

    So is the list of them, a thousand folders.
    """
    read, make, held = JSONFileLoader.load_file, session.create_loader, {}

    def read_once(loader: JSONFileLoader, path: str) -> Any:
        if path not in held:
            held[path] = read(loader, path)
        return held[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", read_once)
        patch.setattr(session, "create_loader", functools.cache(make))
        yield


@pytest.fixture(scope="session")
def cdnow_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with CDNOW's endpoints and outcomes, of all 23,570 customers. Only to be read."""
    return make_once(tmp_path_factory, "cdnow", cdnow.write_example)


@pytest.fixture(scope="session")
def hillstrom_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files of Hillstrom's 64,000 customers. Only to be read."""
    return make_once(tmp_path_factory, "hillstrom", hillstrom.write_example)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts = config.stash[COUNTS]
    if counts and "FUZZ_ROUNDS" in os.environ:
        terminalreporter.write_line(
            "; ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
        )


# A shell that runs the tests in the background passes on an ignored SIGINT, and children inherit
# it. A terminal does not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
