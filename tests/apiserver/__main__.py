"""The test API server as a process of its own: ``python -m tests.apiserver --kubeconfig FILE --load DIR``.

Prints one line with its URL once it listens, and runs until SIGTERM or SIGINT. Faults are ordered over HTTP, see
``tests/apiserver/control.py``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.apiserver.cluster import is_served, read_objects
from tests.apiserver.errors import ApiError
from tests.apiserver.server import ApiServer, Settings


def main(arguments: list[str] | None = None) -> int:
    """Run a server; return the exit status."""
    options = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        server = ApiServer(_settings(options))
    except OSError as error:
        sys.stderr.write(f"cannot listen at {options.address} port {options.port}: {error}\n")
        return 1
    with server:
        for path in options.load:
            _load(server, path)
        if options.kubeconfig:
            server.kubeconfig(options.kubeconfig, auth=options.auth)
        sys.stdout.write(f"listening at {server.url}\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


def _load(server: ApiServer, path: Path) -> None:
    for obj in read_objects(path):
        name = f"{obj.get('kind')} {obj.get('metadata', {}).get('namespace', '')}/{obj.get('metadata', {}).get('name')}"
        if not is_served(obj):
            sys.stderr.write(f"{path}: {name}: not served, left out\n")
            continue
        try:
            server.apply(obj)
        except ApiError as error:
            sys.stderr.write(f"{path}: {name}: {error.message}\n")


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        host=options.address,
        port=options.port,
        tls=not options.no_tls,
        sans=options.san,
        token=options.token,
        service_cidrs=options.service_cluster_ip_range.split(","),
        bookmark_interval=options.bookmark_interval,
        kubernetes_service=not options.no_kubernetes_service,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.apiserver", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--address", default="127.0.0.1", help="the address to listen at (default %(default)s)")
    add("--port", type=int, default=0, help="the port; 0 takes a free one (default)")
    add("--san", action="append", default=[], help="one more address or name for the certificate; repeatable")
    add("--no-tls", action="store_true", help="plain HTTP")
    add("--token", default="", help="the bearer token (default: a random one, in the kubeconfig)")
    add("--kubeconfig", type=Path, help="write a kubeconfig to this file")
    add("--auth", default="token", help="token, token-file, exec, client-certificate or none (default %(default)s)")
    add("--load", type=Path, action="append", default=[], help="objects: a YAML or JSON file or folder; repeatable")
    add("--service-cluster-ip-range", default="10.96.0.0/12,fd00:10:96::/112", help="default %(default)s")
    add("--bookmark-interval", type=float, default=60.0, help="seconds between bookmarks (default %(default)s)")
    add("--no-kubernetes-service", action="store_true", help="leave the Service default/kubernetes out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
