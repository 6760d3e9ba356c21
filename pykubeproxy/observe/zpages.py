"""/statusz and /flagz, for people or for programs that ask for it; and /debug/flags/v, which changes the verbosity.

Source: `docs/reference/health-and-metrics.md` sections 5, 7 and 8D.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec

from pykubeproxy.observe.about import Build
from pykubeproxy.observe.clock import Clock, Timestamp
from pykubeproxy.web.messages import Request, Response, json_response, media_ranges, text_response

COMPONENT = "kube-proxy"
_API = {"apiVersion": "config.k8s.io/v1beta1", "metadata": {"name": COMPONENT}}
_WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for"
    " debugging purposes only."
)

_NUMBER = re.compile(r"[-+]?[0-9]{1,9}", re.ASCII)
_VERBOSITY_FLAG = "klog.logging.verbosity"
_FLAGS_ONLY = "Note: This shows flags and their defaults, not the effective configuration: see /configz."


def flagz(request: Request, flags: Mapping[str, str]) -> Response:
    """Every flag of the command line with its value."""
    lines = [f"{name}:{flags[name]}" for name in sorted(flags)]
    text = "\n".join((_FLAGS_ONLY, "", *lines))
    return _negotiated(request, "Flagz", lambda: text, lambda: {"flags": dict(flags)})


def change_verbosity(request: Request, change: Callable[[int], None]) -> Response:
    """PUT a number as the body: `change` is called with it."""
    if request.method != "PUT":
        return text_response("unsupported http method", HTTPStatus.NOT_ACCEPTABLE)
    text = request.body.decode("utf-8", "replace")
    if not _NUMBER.fullmatch(text):
        return text_response(
            f'failed set {_VERBOSITY_FLAG} {text}: parsing "{text}": invalid syntax', HTTPStatus.BAD_REQUEST
        )
    change(int(text))
    return text_response(f"successfully set {_VERBOSITY_FLAG} to {text}")


class Statusz:
    """What runs here, and since when. `paths` are the pages of the server."""

    def __init__(self, build: Build, paths: tuple[str, ...], clock: Clock) -> None:
        self._build = build
        self._paths = sorted(paths)
        self._clock = clock
        self._started = clock()

    def __call__(self, request: Request) -> Response:
        """Answer."""
        moment = self._clock()
        return _negotiated(request, "Statusz", lambda: self._text(moment), lambda: self._fields(moment))

    @property
    def _version(self) -> str:
        return f"{self._build.major}.{self._build.minor}"

    def _text(self, moment: Timestamp) -> str:
        started = time.strftime("%a %b %e %H:%M:%S %Z %Y", time.localtime(self._started.wall // 10**9))
        minutes, seconds = divmod(self._uptime(moment), 60)
        return "\n".join(
            (
                f"Started: {started}",
                f"Up: {minutes // 60} hr {minutes % 60:02d} min {seconds:02d} sec",
                f"Go version: none ({self._build.go_version})",
                f"Binary version: {self._version}",
                f"Emulation version: {self._version}",
                f"Paths: {' '.join(self._paths)}",
            )
        )

    def _fields(self, moment: Timestamp) -> dict[str, object]:
        return {
            "startTime": datetime.fromtimestamp(self._started.wall // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "uptimeSeconds": self._uptime(moment),
            "goVersion": self._build.go_version,
            "binaryVersion": self._version,
            "emulationVersion": self._version,
            "paths": self._paths,
        }

    def _uptime(self, moment: Timestamp) -> int:
        return int(moment.monotonic - self._started.monotonic)


def _negotiated(
    request: Request, kind: str, text: Callable[[], str], fields: Callable[[], dict[str, object]]
) -> Response:
    """The page in the form that the client likes best; `fields` are those of the API object `kind`."""
    if request.method not in ("GET", "HEAD"):
        refused = text_response("Method Not Allowed\n", HTTPStatus.METHOD_NOT_ALLOWED)
        return msgspec.structs.replace(refused, headers=(*refused.headers, ("Allow", "GET, HEAD")))
    wanted = {"v": "v1beta1", "g": "config.k8s.io", "as": kind}
    for name, parameters in media_ranges(request.headers.get("accept", "") or "*/*"):
        if name == "application/json" and parameters == wanted:
            return json_response(msgspec.json.encode({"kind": kind, **_API, **fields()}))
        if name in ("text/plain", "text/*", "*/*"):
            return text_response(f"\n{COMPONENT} {kind.lower()}\n{_WARNING}\n\n{text()}\n")
    as_json = ";".join(("application/json", *(f"{key}={value}" for key, value in wanted.items())))
    return text_response(f"there is text/plain and {as_json}\n", HTTPStatus.NOT_ACCEPTABLE)
