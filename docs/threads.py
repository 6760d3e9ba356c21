"""The threads of the daemon, and what passes between them and the loop; a test compares their names with the code.

The main thread runs the loop and owns everything that follows it. Other threads reach it through one queue
(`daemon.messages`), and three of them get work from it through a queue of their own. Besides what is listed here, any
thread that dies sends Stop (`daemon.supervision`).
"""

import msgspec

from pykubeproxy.cluster.events import Event
from pykubeproxy.daemon.messages import ForeignChange, ObjectsChanged, ObjectsListed, Stop
from pykubeproxy.flows.stale import FlowCheck


class DaemonThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread by its `name` in the log, which ends in * if there are several, and what it does.

    `sends` are the messages that it puts into the queue of the loop, `takes` is what the loop puts into its own.
    `module` of `pykubeproxy` has the code that puts or takes them, or that runs in the thread if there are none.
    """

    name: str
    does: str
    module: str
    sends: tuple[type, ...] = ()
    takes: tuple[type, ...] = ()


THREADS = (
    DaemonThread(name="MainThread", does="runs the loop: takes messages, syncs", module="daemon.loop"),
    DaemonThread(
        name="follow-*",
        does="follow one resource of the API server each",
        module="daemon.watch.api_source",
        sends=(ObjectsChanged, ObjectsListed),
    ),
    DaemonThread(
        name="manifests",
        does="reads manifests in place of the API server",
        module="daemon.watch.manifest_watcher",
        sends=(ObjectsChanged, ObjectsListed),
    ),
    DaemonThread(
        name="nftables",
        does="follows the changes of the nftables ruleset that the kernel announces",
        module="daemon.watch.drift",
        sends=(ForeignChange,),
    ),
    DaemonThread(
        name="config-file",
        does="looks whether the configuration file has changed",
        module="daemon.watch.config_file",
        sends=(Stop,),
    ),
    DaemonThread(
        name="conntrack",
        does="removes stale UDP flows after a sync",
        module="daemon.follow.flows",
        takes=(FlowCheck,),
    ),
    DaemonThread(
        name="connections",
        does="ends TCP connections to endpoints that are gone, if asked for",
        module="daemon.follow.ended_connections",
    ),
    DaemonThread(name="events", does="writes Events to the API server", module="cluster.events", takes=(Event,)),
    DaemonThread(
        name="web",
        does="serves /healthz, /metrics, and the health checks of Services",
        module="web.server",
    ),
    DaemonThread(
        name="conntrack-usage",
        does="looks how full the conntrack table is",
        module="daemon.watch.conntrack_watch",
    ),
    DaemonThread(
        name="commands",
        does="logs commands that take long",
        module="daemon.watch.slow_commands",
    ),
    DaemonThread(name="stop", does="end the follow-* and events threads", module="daemon.watch.api_source"),
)
