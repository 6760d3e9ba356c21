"""What the health server and the metrics server answer, by path.

Source: `docs/reference/health-and-metrics.md` sections 2 and 5.
"""

import gzip
from collections.abc import Callable, Mapping

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from pykubeproxy.config.types import KubeProxyConfiguration
from pykubeproxy.config.write import as_api_object
from pykubeproxy.explain.status.published import PATH, ProxyStatus
from pykubeproxy.observe.about import build
from pykubeproxy.observe.clock import Clock, now
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.logs import set_verbosity
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.zpages import Statusz, change_verbosity, flagz
from pykubeproxy.web.messages import Handler, Request, Response, json_response, not_found, text_response

_NO_PROFILES = "404 page not found: there are no Go profiles, for this proxy is not written in Go"


class HealthPages:
    """The health server: whether the proxy keeps up, and the node should get new traffic."""

    def __init__(self, health: ProxyHealth, metrics: Metrics) -> None:
        self._health = health
        self._metrics = metrics

    def __call__(self, request: Request) -> Response:
        """Answer."""
        if request.path == "/healthz":
            response = self._health.healthz()
            self._metrics.healthz_answered(response.status)
        elif request.path == "/livez":
            response = self._health.livez()
            self._metrics.livez_answered(response.status)
        else:
            response = not_found()
        return response


class MetricsPages:
    """The metrics server, with the other pages that Kubernetes components serve there.

    `flags` are all flags of the command line with their values, as `pykubeproxy.config.flags.texts` lists them;
    `status` gives what `pykubeproxy status` asks for. Where profiling is enabled, clients may change how much is
    logged.
    """

    def __init__(
        self,
        metrics: Metrics,
        config: KubeProxyConfiguration,
        flags: Mapping[str, str],
        status: Callable[[], ProxyStatus],
        clock: Clock = now,
    ) -> None:
        self._ping = _Ping()
        configz = msgspec.json.encode({"kubeproxy.config.k8s.io": as_api_object(config)})
        self._pages: dict[str, Handler] = {
            "/metrics": lambda request: _exposition(request, metrics.registry),
            "/metrics/slis": lambda request: _exposition(request, self._ping.registry),
            "/healthz": self._ping,
            "/healthz/ping": self._ping,
            "/proxyMode": lambda _: text_response("iptables"),
            "/configz": lambda _: json_response(configz),
            "/flagz": lambda request: flagz(request, flags),
            PATH: lambda _: json_response(msgspec.json.encode(status())),
        }
        listed = ("/configz", "/flagz", "/healthz", "/metrics", "/proxyMode")
        if config.enable_profiling:
            self._pages["/debug/flags/v"] = lambda request: change_verbosity(request, set_verbosity)
        self._pages["/statusz"] = Statusz(build(), listed, clock)

    def __call__(self, request: Request) -> Response:
        """Answer."""
        page = self._pages.get(request.path)
        if page is not None:
            return page(request)
        return not_found(_NO_PROFILES) if request.path.startswith("/debug/pprof") else not_found()


class _Ping:
    """/healthz of the metrics server: says only that the server answers, and nothing about the proxy's health."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._result = Gauge(
            "kubernetes_healthcheck",
            "[STABLE] This metric records the result of a single healthcheck.",
            ("name", "type"),
            registry=self.registry,
        )
        self._results = Counter(
            "kubernetes_healthchecks_total",
            "[STABLE] This metric records the results of all healthcheck.",
            ("name", "status", "type"),
            registry=self.registry,
        )

    def __call__(self, request: Request) -> Response:
        self._result.labels("ping", "healthz").set(1)
        self._results.labels("ping", "success", "healthz").inc()
        if request.path == "/healthz" and request.asks("verbose"):
            return text_response("[+]ping ok\nhealthz check passed\n")
        return text_response("ok")


def _exposition(request: Request, registry: CollectorRegistry) -> Response:
    body, content_type = expose(registry, request.headers.get("accept", ""))
    accepted = (word.partition(";")[0].strip() for word in request.headers.get("accept-encoding", "").split(","))
    if "gzip" not in accepted:
        return Response(content_type=content_type, headers=(), body=body)
    packed = gzip.compress(body, compresslevel=1)
    return Response(content_type=content_type, headers=(("Content-Encoding", "gzip"),), body=packed)
