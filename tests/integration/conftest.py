"""One browser for the tests of pages, and trainings without pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser, sync_playwright

from tests.browser import CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


SAVE = Figure.savefig
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63680000"
    "00820081775d95560000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Each picture is a dot: drawing one is a good part of a small training, and nobody looks.

    A test that looks asks for `drawn`. What a picture shows is worked out all the same.
    """

    def save_dot(_: Figure, file: BinaryIO, **more: Any) -> None:
        file.write(DOT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save_dot)
        yield


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn in this test."""
    monkeypatch.setattr(Figure, "savefig", SAVE)
