"""Law: a mutated setting, policy, bundle or store is refused with its own error, or it is used."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from function.bootstrap import build_handler
from function.errors import BundleError, ExternalError, SettingsError
from function.external.sqlite import SqliteStore
from function.policy_file import load_policy
from function.settings import READERS, SHIPPED_POLICY, read_settings
from function.telemetry import Telemetry
from model.bundle import SHIPPED, load_bundle
from segment_scorer.external_store.rows import Row
from segment_scorer.external_store.sqlite import write_file
from tests.strategies import spoil

ROUNDS = 200
QUANTILES = [index / 100 for index in range(101)]
# What a mutation puts somewhere in a file's bytes
PIECES = (
    b"",
    b"\0",
    b"\xff",
    b'"',
    b"'",
    b"[",
    b"]" * 3,
    b"{",
    b"}",
    b"#",
    b"=",
    b",",
    b"\n",
    b"-",
    b"9" * 5_000,
    b"1e400",
    b"nan",
    b"inf",
    b"true",
    b"null",
    b"1979-05-27T07:32:00Z",
    b'"\\u0000"',
    b'"\\ud800"',
    b"[" * 5_000,
    b"\xed\xa0\x80",
)


def mutate(content: bytes, random: Random) -> bytes:
    """The content with one to four pieces replaced, left out or repeated."""
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(content) + 1)
        end = min(len(content), start + random.choice((0, 1, 1, 2, 8, 64)))
        piece = random.choice((*PIECES, content[start:end] * 2, bytes([random.randrange(256)])))
        content = content[:start] + piece + content[end:]
    return content


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_policy_raises_nothing_but_a_settings_error(tmp_path: Path, seed: int) -> None:
    random, path = Random(seed), tmp_path / "policy.toml"
    whole = SHIPPED_POLICY.read_bytes() + (
        b'threshold = { reach = 0.3 }\n[[override]]\ncampaign_id = "c"\ndecimals = 3\n'
        b'[[override.band]]\nname = "high"\nat_least = 0.5\n[override.external]\nT = "External.x"\n'
    )
    for _ in range(ROUNDS):
        path.write_bytes(mutate(whole, random))
        attempt(
            lambda: load_policy(path, threshold=0.5, quantiles=QUANTILES), SettingsError, str(path)
        )


@pytest.mark.parametrize("seed", range(4))
def test_mutated_settings_raise_nothing_but_a_settings_error(seed: int) -> None:
    random = Random(seed)
    texts = ("", "bundled", "9" * 5_000, "-1", "h:1", "true", "\udcff", "a=b", "x" * 99, "٣", "\0")
    for _ in range(ROUNDS):
        names = random.sample(sorted(READERS), random.randint(1, 5))
        environ = {name: random.choice(texts) for name in names}
        attempt(lambda environ=environ: read_settings(environ), SettingsError, "SCORER_")
        if random.random() < 0.1:
            attempt(
                lambda environ=environ: build_handler(environ, stream=io.StringIO()),
                (SettingsError, BundleError),
                "",
            )


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_manifest_raises_nothing_but_a_bundle_error(tmp_path: Path, seed: int) -> None:
    random, folder = Random(seed), tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.onnx").write_bytes((SHIPPED / "model.onnx").read_bytes())
    whole = (SHIPPED / "manifest.json").read_bytes()
    manifest = json.loads(whole)
    for index in range(ROUNDS):
        if index % 2:
            (folder / "manifest.json").write_bytes(mutate(whole, random))
        else:
            spoilt = json.dumps(spoil(manifest, random, [10**400, {"edges": [10**400]}]))
            (folder / "manifest.json").write_text(spoilt, "utf-8")
        attempt(lambda: use_manifest(folder), BundleError, "")


@pytest.mark.parametrize(
    "path",
    [
        ("threshold",),
        ("quantiles", 3),
        ("golden", "rows", 0, 0),
        ("golden", "scores", 0),
        ("drift", "score", "edges", 0),
        ("drift", "score", "missing"),
    ],
)
def test_an_integer_beyond_float64_in_a_manifest_is_a_bundle_error(
    tmp_path: Path, path: tuple[str | int, ...]
) -> None:
    manifest: Any = json.loads((SHIPPED / "manifest.json").read_bytes())
    place = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = 10**400
    (tmp_path / "model.onnx").write_bytes((SHIPPED / "model.onnx").read_bytes())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(BundleError):
        use_manifest(tmp_path)


def use_manifest(folder: Path) -> object:
    """Load a bundle, and what else of its manifest the function reads."""
    return Telemetry(bundle=load_bundle(folder), stream=io.StringIO(), level="INFO")


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_store_raises_nothing_but_its_errors(tmp_path: Path, seed: int) -> None:
    random, path = Random(seed), tmp_path / "store.sqlite"
    write_file((Row("", f"u{index}", {"tier": "gold", "n": index}) for index in range(300)), path)
    whole = path.read_bytes()
    for _ in range(ROUNDS):
        path.write_bytes(mutate_in_place(whole, random))
        attempt(lambda: use_store(path), (SettingsError, ExternalError), "")


def use_store(path: Path) -> Mapping[str, Any]:
    """Open a store and look people up."""
    return SqliteStore(path).fetch([f"u{index}" for index in range(0, 300, 7)], 1.0)


def mutate_in_place(content: bytes, random: Random) -> bytes:
    """The content with some bytes changed, of the same length: other lengths are refused first."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 200)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    if random.random() < 0.5:
        changed[:72] = content[:72]
    return bytes(changed)


def attempt(act: Callable[[], object], allowed: Any, told: str) -> None:
    """Run it. An allowed error must say `told` in one line, and no long value."""
    try:
        act()
    except allowed as error:
        sentence = str(error)
    else:
        return
    assert told in sentence
    assert "9" * 100 not in sentence
    assert sentence.isprintable()
