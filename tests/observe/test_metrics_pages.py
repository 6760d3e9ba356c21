"""The pages of the metrics server."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pykubeproxy.config.completed import complete
from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.config.flag_table import FLAGS
from pykubeproxy.config.flags import put_at, texts
from pykubeproxy.explain.status.published import PATH, ProxyStatus
from pykubeproxy.observe.exposition import OPEN_METRICS, TEXT_FORMAT
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.pages import MetricsPages
from pykubeproxy.web.messages import Request, Response
from tests.explain.status.nodes import STATUS
from tests.observe.client import Ticking

WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is"
    " for debugging purposes only."
)
TEXT = "text/plain; charset=utf-8"
CONFIGZ = Path(__file__).parents[1] / "config" / "data" / "configz.json"
VERBOSE = "[+]ping ok\nhealthz check passed\n"
NO_PROFILES = "404 page not found: there are no Go profiles, for this proxy is not written in Go\n"


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def pages(clock: Ticking) -> MetricsPages:
    return MetricsPages(Metrics(), DEFAULTS, dict(texts(FLAGS, {})), lambda: STATUS, clock)


def get(pages: MetricsPages, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Response:
    path, _, query = target.partition("?")
    lowered = {name.replace("_", "-"): value for name, value in headers.items()}
    return pages(Request(method=method, path=path, query=query, headers=lowered, body=body))


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        ("/healthz", 200, "ok"),
        ("/healthz/ping", 200, "ok"),
        ("/healthz?verbose", 200, VERBOSE),
        ("/proxyMode", 200, "iptables"),
        ("/", 404, "404 page not found\n"),
        ("/debug/flags/v", 404, "404 page not found\n"),
        ("/debug/pprof/heap", 404, NO_PROFILES),
    ],
)
def test_plain_page(pages: MetricsPages, target: str, status: int, body: str) -> None:
    response = get(pages, target)
    assert (response.status, response.content_type, response.body.decode()) == (status, TEXT, body)
    assert response.headers == (("X-Content-Type-Options", "nosniff"),)


@pytest.mark.parametrize(
    ("method", "body", "status", "words"),
    [
        ("PUT", b"4", 200, "successfully set klog.logging.verbosity to 4"),
        ("PUT", b"x", 400, 'failed set klog.logging.verbosity x: parsing "x": invalid syntax'),
        ("PUT", b"", 400, 'failed set klog.logging.verbosity : parsing "": invalid syntax'),
        ("POST", b"4", 406, "unsupported http method"),
    ],
)
def test_the_page_that_sets_the_verbosity(
    monkeypatch: pytest.MonkeyPatch, method: str, body: bytes, status: int, words: str
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("pykubeproxy.observe.pages.set_verbosity", asked.append)
    profiling = MetricsPages(Metrics(), put_at(DEFAULTS, "enable_profiling", value=True), {}, lambda: STATUS, Ticking())
    response = get(profiling, "/debug/flags/v", method, body)
    assert (response.status, response.content_type, response.body.decode()) == (status, TEXT, words)
    assert asked == ([int(body)] if status == 200 else [])


def test_configz_of_the_reference() -> None:
    flags = {"cluster-cidr": "10.0.0.0/8,fd00:10::/64", "hostname-override": "test-node", "profiling": True, "v": 9}
    config = complete({**flags, "kube-api-content-type": "application/json"}, None, "x").config
    for field in ("max_per_core", "tcp_established_timeout", "tcp_close_wait_timeout"):
        config = put_at(config, f"conntrack.{field}", type(getattr(config.conntrack, field))(0))
    response = get(MetricsPages(Metrics(), config, {}, lambda: STATUS), "/configz")
    assert (response.status, response.content_type) == (200, "application/json")
    assert response.body.decode() == CONFIGZ.read_text().rstrip("\n")


@pytest.mark.parametrize("encodings", ["", "gzip", "br, gzip;q=0.5"])
def test_metrics_in_the_format_and_packing_asked_for(pages: MetricsPages, encodings: str) -> None:
    response = get(pages, "/metrics", accept_encoding=encodings)
    assert response.content_type == TEXT_FORMAT
    assert response.headers == ((("Content-Encoding", "gzip"),) if encodings else ())
    text = gzip.decompress(response.body) if encodings else response.body
    assert b"\nkubeproxy_sync_proxy_rules_service_changes_total 0\n" in text
    assert get(pages, "/metrics", accept="application/openmetrics-text").content_type == OPEN_METRICS


def test_slis(pages: MetricsPages) -> None:
    def slis() -> dict[str, float]:
        text = get(pages, "/metrics/slis").body.decode()
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return {f"{sample.name}{sorted(sample.labels.items())}": sample.value for sample in samples}

    assert not any(name.startswith("kubernetes_") for name in slis())
    assert any(name.startswith("process_start_time_seconds") for name in slis())
    get(pages, "/healthz")
    get(pages, "/healthz/ping")
    assert {name: value for name, value in slis().items() if name.startswith("kubernetes_")} == {
        "kubernetes_healthcheck[('name', 'ping'), ('type', 'healthz')]": 1,
        "kubernetes_healthchecks_total[('name', 'ping'), ('status', 'success'), ('type', 'healthz')]": 2,
    }


@pytest.mark.usefixtures("utc")
def test_statusz_for_people(pages: MetricsPages, clock: Ticking) -> None:
    clock.seconds = 3600 * 25 + 61.9
    lines = get(pages, "/statusz").body.decode().splitlines()
    assert lines.pop(6).startswith("Go version: none (python3.")
    assert lines == [
        *("", "kube-proxy statusz", WARNING, ""),
        *("Started: Sun Nov 22 12:34:28 UTC 2026", "Up: 25 hr 01 min 01 sec"),
        *("Binary version: 1.37", "Emulation version: 1.37", "Paths: /configz /flagz /healthz /metrics /proxyMode"),
    ]


def test_flagz(pages: MetricsPages) -> None:
    lines = get(pages, "/flagz").body.decode().splitlines()
    note = "Note: This shows flags and their defaults, not the effective configuration: see /configz."
    assert lines[:6] == ["", "kube-proxy flagz", WARNING, "", note, ""]
    assert lines[6:] == [f"{name}:{text}" for name, text in sorted(texts(FLAGS, {}))]
    response = get(pages, "/flagz", accept="application/json;v=v1beta1;g=config.k8s.io;as=Flagz")
    body = json.loads(response.body)
    assert (body["kind"], body["flags"]["healthz-bind-address"]) == ("Flagz", "0.0.0.0:10256")


def test_the_status_is_read_back_as_it_was(pages: MetricsPages) -> None:
    response = get(pages, PATH)
    assert (response.status, response.content_type) == (200, "application/json")
    assert msgspec.json.decode(response.body, type=ProxyStatus) == STATUS
