"""TLS files: usable ones give credentials, others an error with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

from protos.tls import TlsFileError, TlsFiles
from tests.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> TlsFiles:
    """Copies of three usable files, for a test to damage."""
    pair = authority.sign("service")
    copies = {}
    originals = {
        "authority": authority.certificate,
        "certificate": pair.certificate,
        "key": pair.key,
    }
    for part, path in originals.items():
        copies[part] = tmp_path / f"{part}.pem"
        copies[part].write_bytes(path.read_bytes())
    return TlsFiles(**copies)


def encrypt(path: Path) -> None:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    form = serialization.PrivateFormat.PKCS8
    password = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, password))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:150])


def test_usable_files_give_credentials_for_both_sides(files: TlsFiles) -> None:
    assert isinstance(files.open_channel_credentials(), grpc.ChannelCredentials)
    assert isinstance(files.open_server_credentials(), grpc.ServerCredentials)


def test_a_client_needs_no_file_at_all() -> None:
    assert isinstance(TlsFiles().open_channel_credentials(), grpc.ChannelCredentials)


def test_a_server_needs_a_certificate(authority: Authority) -> None:
    with pytest.raises(TlsFileError, match="found none") as caught:
        TlsFiles(authority=authority.certificate).open_server_credentials()
    assert caught.value.part == "certificate"


def test_a_certificate_comes_with_its_key(files: TlsFiles) -> None:
    for one in ({"certificate": files.certificate}, {"key": files.key}):
        with pytest.raises(ValueError, match="both or neither"):
            TlsFiles(**one)


@pytest.mark.parametrize("part", ["authority", "certificate", "key"])
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (Path.unlink, "no such file or directory"),
        (replace_by_folder, "is a directory"),
        (lambda path: path.write_bytes(b""), "found an empty file"),
        (lambda path: path.write_text("-"), "found no PEM block"),
        (cut_in_half, "found "),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    files: TlsFiles, part: str, damage: Callable[[Path], object], found: str
) -> None:
    path: Path = getattr(files, part)
    damage(path)
    for open_credentials in (files.open_channel_credentials, files.open_server_credentials):
        with pytest.raises(TlsFileError) as caught:
            open_credentials()
        assert caught.value.part == part
        assert found in str(caught.value)
        assert str(path.parent) not in str(caught.value)


def test_a_key_of_another_certificate_is_told_apart(files: TlsFiles, authority: Authority) -> None:
    assert files.key
    files.key.write_bytes(authority.sign("other").key.read_bytes())
    with pytest.raises(TlsFileError, match="found another certificate's key") as caught:
        files.open_server_credentials()
    assert caught.value.part == "key"


def test_an_encrypted_key_is_told_apart(files: TlsFiles) -> None:
    assert files.key
    encrypt(files.key)
    with pytest.raises(TlsFileError, match=r"unencrypted.*found an encrypted key") as caught:
        files.open_server_credentials()
    assert caught.value.part == "key"


def test_a_certificate_where_the_key_belongs_is_told_apart(files: TlsFiles) -> None:
    assert files.certificate
    assert files.key
    files.key.write_bytes(files.certificate.read_bytes())
    with pytest.raises(TlsFileError, match=r"private key.*found a certificate") as caught:
        files.open_server_credentials()
    assert caught.value.part == "key"
