"""Changes a manifest under running proxies, and watches connections follow."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from e2e.asking import Destination, Fate, ask
from e2e.proxies import Proxy, require_running

CHANGE_SECONDS = 10.0
SYNC_PAUSE_SECONDS = 1.0  # --iptables-min-sync-period: a change that comes sooner after another waits for its turn
GROWING = "no-endpoints.yaml"
SERVICE = "default/coming-soon"
NO_ENDPOINTS = "endpoints: []"
ONE_ENDPOINT = """endpoints:
  - addresses: [10.244.1.11]
    nodeName: node-b
    targetRef: {kind: Pod, namespace: default, name: web-3}
    conditions: {ready: true}"""


class Change(Struct, frozen=True, kw_only=True):
    """A change of a manifest on disk, and the seconds until all nodes' connections followed; None: they never did."""

    what: str
    seconds: float | None


def grow_and_shrink(proxies: Sequence[Proxy], folder: Path, destination: Destination) -> Iterator[Change]:
    """Gives the Service without endpoints its first one, then takes it away again.

    `folder` is what the proxies read, a copy of examples/; `destination` is the Service's cluster IP. Raises LabError
    if a proxy ends meanwhile.
    """
    manifest = folder / GROWING
    empty = manifest.read_text()
    for what, text, fate in (
        ("a first endpoint", empty.replace(NO_ENDPOINTS, ONE_ENDPOINT), Fate.ANSWERED),
        ("no endpoint again", empty, Fate.REFUSED),
    ):
        time.sleep(SYNC_PAUSE_SECONDS)
        started = time.monotonic()
        replace_file(manifest, text)
        followed = [_follow(proxy, destination, fate, started + CHANGE_SECONDS) for proxy in proxies]
        yield Change(what=what, seconds=time.monotonic() - started if all(followed) else None)


def replace_file(path: Path, text: str) -> None:
    """Puts a new file in the place of the old one in one step, as editors and ConfigMaps do."""
    new = path.parent.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


def _follow(proxy: Proxy, destination: Destination, fate: Fate, deadline: float) -> bool:
    """Asks from a proxy's node until this becomes of it; False if it has not by the deadline (monotonic clock)."""
    while ask(proxy.node, destination, seconds=1.0).fate is not fate:
        require_running(proxy)
        if time.monotonic() > deadline:
            return False
    return True
