"""A fault that ends a thread, whichever it is, is logged with a traceback and ends the process."""

import re
import sys
import threading
from queue import SimpleQueue

import pytest
from structlog.testing import capture_logs

from e2e.proxies import FLAGS
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.daemon.messages import FatalError, Message, Stop
from pykubeproxy.daemon.supervision import faults_logged, threads_supervised
from pykubeproxy.host.errors import HostError
from tests.daemon.node import Node

OBJECTS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.50, clusterIPs: [10.96.0.50], ipFamilies: [IPv4], ports: [{port: 80, protocol: TCP}]}
"""

# Runs the program, in which a method fails at the nth call with what nobody has thought of.
FAILING = """
import importlib, itertools, sys
module, owner, name, wanted = sys.argv.pop(1).split(":")
calls = itertools.count(1)
its = getattr(importlib.import_module(module), owner)
works = getattr(its, name)

def fails(*args, **kwargs):
    if next(calls) >= int(wanted):
        raise KeyError("nobody thought of this")
    return works(*args, **kwargs)

setattr(its, name, fails)
from pykubeproxy.cli.main import main
main()
"""

THREADS = {
    "manifests": "pykubeproxy.cluster.manifests:Manifests:poll:3",
    "conntrack-usage": "pykubeproxy.daemon.watch.conntrack_watch:ConntrackReport:look:2",
    "conntrack": "pykubeproxy.daemon.follow.flows:_Worker:_receive:1",
    "nftables": "pykubeproxy.host.generations:GenerationMonitor:wait:1",
    "web": "pykubeproxy.web.server:WebThread:_time_to_wait:3",
    "MainThread": "pykubeproxy.daemon.sync.family:FamilyProxy:sync:1",
    "MainThread at the start": "pykubeproxy.daemon.setup.node_view:NodeView:facts:1",
}


def test_a_thread_that_dies_ends_the_loop() -> None:
    inbox: SimpleQueue[Message] = SimpleQueue()

    def die() -> None:
        raise KeyError("KUBE-SVC-X")

    before = threading.excepthook
    with capture_logs() as logs, threads_supervised(inbox):
        thread = threading.Thread(target=die, name="helper")
        thread.start()
        thread.join()
        quiet = threading.Thread(target=sys.exit)
        quiet.start()
        quiet.join()
    assert threading.excepthook is before
    message = inbox.get_nowait()
    assert isinstance(message, Stop)
    assert message.reason == "internal error in thread helper: KeyError: 'KUBE-SVC-X' (see the log)"
    assert inbox.empty(), "to end on purpose is no fault"
    assert [(line["log_level"], line["thread"], type(line["exc_info"])) for line in logs] == [
        ("error", "helper", KeyError)
    ]


def test_a_fault_in_the_loop_is_told_in_one_line_and_logged_in_full() -> None:
    line = r"internal error in thread MainThread: KeyError: 'x'"
    with capture_logs() as logs, pytest.raises(FatalError, match=line), faults_logged():
        raise KeyError("x")
    assert [line.get("exc_info") for line in logs] == [True]


@pytest.mark.parametrize("error", [HostError("x"), SourceError("x"), FatalError("x")])
def test_errors_that_users_can_mend_have_no_traceback(error: Exception) -> None:
    with capture_logs() as logs, pytest.raises(type(error)) as raised, faults_logged():
        raise error
    assert raised.value is error
    assert not logs


@pytest.mark.parametrize("thread", THREADS)
def test_every_thread_of_the_daemon(node: Node, thread: str) -> None:
    source = node.folder / "objects.yaml"
    source.write_text(OBJECTS)
    name = thread.partition(" ")[0]
    program = (sys.executable, "-c", FAILING, THREADS[thread])
    daemon = node.run(*program, "run", f"--source={source}", "--family=ipv4", "--hostname-override=node-a", *FLAGS)
    assert daemon.wait_ended() == 2
    (told,) = daemon.told("internal error; the process ends", thread=name)
    assert "Traceback" in told["exception"]
    assert "nobody thought of this" in told["exception"]
    (last,) = re.findall("^Error: .*", daemon.log, re.MULTILINE)
    assert last.startswith(f"Error: internal error in thread {name}: KeyError")


@pytest.mark.parametrize("thread", ["conntrack", "MainThread"])
def test_a_single_sync(node: Node, thread: str) -> None:
    source = node.folder / "objects.yaml"
    source.write_text(OBJECTS)
    program = (sys.executable, "-c", FAILING, THREADS[thread], "run", "--once")
    daemon = node.run(*program, f"--source={source}", "--family=ipv4", "--hostname-override=node-a", *FLAGS)
    assert daemon.wait_ended() == 2
    assert "Traceback" in daemon.log
