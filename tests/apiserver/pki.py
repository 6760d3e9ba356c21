"""Certificates for one server: a throw-away authority, made with the ``openssl`` command (3.0 or later).

Nothing stays on disk: the files that openssl and the ssl module need live as long as the call.
"""

from __future__ import annotations

import functools
import ipaddress
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import msgspec

_DAYS = "3650"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256")
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes


class Pki(msgspec.Struct, frozen=True, kw_only=True):
    """An authority's certificate (PEM), and what it has signed."""

    authority: bytes
    server: KeyPair
    client: KeyPair


@functools.cache
def issue(addresses: tuple[str, ...], authority: str = "test-ca") -> Pki:
    """Make an authority and certificates for a server at these addresses (IPs or names) and for one client.

    Made once per process and arguments. Raises FileNotFoundError if there is no openssl.
    """
    if shutil.which("openssl") is None:
        raise FileNotFoundError(
            "the test API server needs the openssl command for its certificates: apt install openssl"
        )
    names = ",".join(sorted({_alternative_name(each) for each in (*_SERVER_NAMES, "127.0.0.1", "::1", *addresses)}))
    with tempfile.TemporaryDirectory(prefix="apiserver-pki-") as folder:
        home = Path(folder)
        usage = "keyUsage=critical,keyCertSign,cRLSign"
        _openssl(home, "ca", f"/CN={authority}", "basicConstraints=critical,CA:TRUE", usage)
        leaf = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature")
        _signed(home, "server", "/CN=kube-apiserver", *leaf, "extendedKeyUsage=serverAuth", f"subjectAltName={names}")
        _signed(home, "client", "/O=system:masters/CN=test-client", *leaf, "extendedKeyUsage=clientAuth")
        return Pki(authority=(home / "ca.crt").read_bytes(), server=_pair(home, "server"), client=_pair(home, "client"))


def signing_key() -> bytes:
    """Make a key for service account tokens, PEM.

    kube-apiserver takes an ECDSA key only in its own form (SEC 1: "EC PRIVATE KEY"), and `openssl req` writes PKCS #8.
    """
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def server_context(pki: Pki) -> ssl.SSLContext:
    """Return the TLS settings of a server that asks for, and checks, client certificates, but takes clients without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=pki.authority.decode())
    with tempfile.TemporaryDirectory(prefix="apiserver-pki-") as folder:
        certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        certificate.write_bytes(pki.server.certificate)
        key.write_bytes(pki.server.key)
        context.load_cert_chain(certificate, key)
    return context


def _signed(home: Path, name: str, subject: str, *extensions: str) -> None:
    _openssl(home, name, subject, *extensions, signer=("-CA", "ca.crt", "-CAkey", "ca.key"))


def _openssl(home: Path, name: str, subject: str, *extensions: str, signer: tuple[str, ...] = ()) -> None:
    command = ["openssl", "req", "-x509", *_KEY, "-days", _DAYS, "-subj", subject, *signer]
    command += ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    for extension in extensions:
        command += ["-addext", extension]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl could not make the {name} certificate: {done.stderr.strip()}")


def _pair(home: Path, name: str) -> KeyPair:
    return KeyPair(certificate=(home / f"{name}.crt").read_bytes(), key=(home / f"{name}.key").read_bytes())


def _alternative_name(address: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(address)}"
    except ValueError:
        return f"DNS:{address}"
