"""Certificates for one server: a throw-away authority, made with the ``openssl`` command (3.0 or later).

Nothing stays on disk: the files that openssl and the ssl module need live as long as the call.
"""

import functools
import ipaddress
import ssl
import subprocess
import tempfile
from pathlib import Path

import msgspec

NAMES = "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:::1"
VALID = ("20200101000000Z", "20491231000000Z")

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
[any]
organizationName = optional
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes


class Pki(msgspec.Struct, frozen=True, kw_only=True):
    """An authority's certificate (PEM), and what it has signed."""

    authority: bytes
    server: KeyPair
    client: KeyPair


def names_of(host: str) -> str:
    """What a certificate for a server at this address is good for."""
    return f"{NAMES},IP:{ipaddress.ip_address(host)}"


@functools.cache
def issue(names: str, authority: str = "test-ca", *, period: tuple[str, str] = VALID, usage: str = "serverAuth") -> Pki:
    """Make an authority and certificates for a server with these names and for one client, once per process."""
    with tempfile.TemporaryDirectory(prefix="apiserver-pki-") as folder:
        home = Path(folder)
        (home / "index").touch()
        (home / "serial").write_text("01\n")
        usages = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl(home, "req", "-x509", *_new_key("ca", f"/CN={authority}"), *usages, "-out", "ca.crt")
        server = f"extendedKeyUsage = {usage}\nsubjectAltName = {names}\n"
        return Pki(
            authority=(home / "ca.crt").read_bytes(),
            server=_signed(home, "/CN=kube-apiserver", server, period),
            client=_signed(home, "/O=system:masters/CN=test-client", "extendedKeyUsage = clientAuth\n", VALID),
        )


def server_context(pki: Pki) -> ssl.SSLContext:
    """Return the TLS settings of a server that asks for, and checks, client certificates, but takes clients without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=pki.authority.decode())
    with tempfile.NamedTemporaryFile(prefix="apiserver-pki-") as file:
        file.write(pki.server.certificate + pki.server.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _signed(home: Path, subject: str, extensions: str, period: tuple[str, str]) -> KeyPair:
    (home / "ca.conf").write_text(_CONFIG + extensions)
    _openssl(home, "req", *_new_key("leaf", subject), "-out", "leaf.csr")
    dates = ("-extensions", "leaf", "-startdate", period[0], "-enddate", period[1])
    _openssl(home, "ca", "-batch", "-notext", "-config", "ca.conf", *dates, "-in", "leaf.csr", "-out", "leaf.crt")
    return KeyPair(certificate=(home / "leaf.crt").read_bytes(), key=(home / "leaf.key").read_bytes())


def _new_key(name: str, subject: str) -> tuple[str, ...]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    return (*curve, "-keyout", f"{name}.key", "-subj", subject)


def _openssl(home: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
