"""IP:port texts, and what is shown of URLs."""

import pytest

from pykubeproxy.config.addresses import default_addresses, is_port, split_host_port, with_port, without_secrets


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1.2.3.4:80", ("1.2.3.4", "80")),
        ("[::1]:80", ("::1", "80")),
        ("localhost:http", ("localhost", "http")),
        (":80", ("", "80")),
        ("1.2.3.4:", ("1.2.3.4", "")),
        ("1.2.3.4", None),
        ("::1", None),
        ("::1:80", None),
        ("[::1]", None),
        ("[::1]80", None),
        ("[::1:80", None),
        ("[[::1]]:80", None),
        ("", None),
    ],
)
def test_split(text: str, parts: tuple[str, str] | None) -> None:
    assert split_host_port(text) == parts


@pytest.mark.parametrize(
    ("text", "valid"),
    [("1", True), ("65535", True), ("0", False), ("65536", False), ("", False), ("-1", False), ("http", False)],
)
def test_port(text: str, *, valid: bool) -> None:
    assert is_port(text) is valid


@pytest.mark.parametrize(
    ("address", "complete"),
    [
        ("1.2.3.4", "1.2.3.4:10256"),
        ("::1", "[::1]:10256"),
        ("1.2.3.4:80", "1.2.3.4:80"),
        ("[::1]:80", "[::1]:80"),
        ("localhost", "localhost"),
        ("", ""),
    ],
)
def test_a_bare_ip_gets_the_port(address: str, complete: str) -> None:
    assert with_port(address, 10256) == complete


@pytest.mark.parametrize(
    ("bind_address", "addresses"),
    [
        ("0.0.0.0", ("0.0.0.0:10256", "127.0.0.1:10249")),  # noqa: S104
        ("10.0.0.1", ("0.0.0.0:10256", "127.0.0.1:10249")),
        ("::", ("[::]:10256", "[::1]:10249")),
        ("fd00::1", ("[::]:10256", "[::1]:10249")),
    ],
)
def test_defaults_follow_the_bind_address(bind_address: str, addresses: tuple[str, str]) -> None:
    assert default_addresses(bind_address) == addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
        ("https://user:s3cr3t@10.0.0.1:6443/a@b", "https://xxxxx@10.0.0.1:6443/a@b"),
        ("https://s3cr3t@[fd00::1]:6443", "https://xxxxx@[fd00::1]:6443"),
        ("https://s3@cr3t@host", "https://xxxxx@host"),
        ("https://s3cr3t@", "https://xxxxx@"),
        ("user:s3cr3t@10.0.0.1:6443", "xxxxx@10.0.0.1:6443"),
        ("//s3cr3t@10.0.0.1", "//xxxxx@10.0.0.1"),
        ("10.0.0.1:6443", "10.0.0.1:6443"),
        ("https://10.0.0.1?a@b", "https://10.0.0.1?a@b"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
