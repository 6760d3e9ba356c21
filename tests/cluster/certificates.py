"""Certificates with something wrong about them, from an authority that the client trusts."""

import subprocess
from pathlib import Path

from msgspec.structs import replace

from tests.apiserver import kubeconfig, pki
from tests.apiserver.pki import KeyPair, Pki
from tests.apiserver.server import ApiServer

VALID = ("20200101000000Z", "20491231000000Z")
EXPIRED = ("20200101000000Z", "20200102000000Z")
NOT_YET = ("20491230000000Z", "20491231000000Z")
OWN = "IP:127.0.0.1"
OTHER = "IP:127.0.0.9,DNS:other.example"

_CONFIG = """
[ca]
default_ca = test
[test]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
certificate = ca.crt
private_key = ca.key
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
extendedKeyUsage = {usage}
subjectAltName = {names}
"""


def present(server: ApiServer, folder: Path, *, period: tuple[str, str], names: str, usage: str = "serverAuth") -> Path:
    """Let a server present a certificate for `names`, valid in `period`; a kubeconfig that trusts who signed it."""
    its = _issued(folder, period, names, usage)
    server._listener.context = pki.server_context(its)
    return kubeconfig.write(folder / "kubeconfig", replace(server.access, pki=its))


def _issued(folder: Path, period: tuple[str, str], names: str, usage: str) -> Pki:
    (folder / "ca.conf").write_text(_CONFIG.format(names=names, usage=usage))
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    usages = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(folder, "req", "-x509", *key, *usages, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    _openssl(folder, "req", *key, "-subj", "/CN=api", "-keyout", "tls.key", "-out", "tls.csr")
    dates = ("-startdate", period[0], "-enddate", period[1])
    _openssl(folder, "ca", "-batch", "-notext", "-config", "ca.conf", *dates, "-in", "tls.csr", "-out", "tls.crt")
    pair = KeyPair(certificate=(folder / "tls.crt").read_bytes(), key=(folder / "tls.key").read_bytes())
    return Pki(authority=(folder / "ca.crt").read_bytes(), server=pair, client=pair)


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
