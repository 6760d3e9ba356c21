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
from pykubeproxy.model.ip import Family
from tests.daemon.node import Daemon, Node
from tests.kernel.objects import web, write

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
    def die() -> None:
        raise KeyError("KUBE-SVC-X")

    inbox: SimpleQueue[Message] = SimpleQueue()
    with capture_logs(), threads_supervised(inbox):
        for act in (die, sys.exit):
            thread = threading.Thread(target=act, name="helper")
            thread.start()
            thread.join()
    assert inbox.get_nowait() == Stop("internal error in thread helper: KeyError: 'KUBE-SVC-X' (see the log)")
    assert inbox.empty(), "to end on purpose is no fault"


@pytest.mark.parametrize("error", [KeyError("x"), HostError("x"), SourceError("x"), FatalError("x")], ids=repr)
def test_what_users_can_mend_has_no_traceback(error: Exception) -> None:
    is_fault = isinstance(error, KeyError)
    with capture_logs() as logs, pytest.raises(Exception, match="x") as raised, faults_logged():
        raise error
    assert (raised.value is not error) is is_fault
    assert [line.get("exc_info") for line in logs] == ([True] if is_fault else [])


def fail(node: Node, thread: str, *flags: str) -> Daemon:
    """Have a thread of the program fail, and wait for its end."""
    source = write(node.folder / "objects.json", web(Family.IPV4))
    program = (sys.executable, "-c", FAILING, THREADS[thread], "run", *flags, f"--source={source}")
    daemon = node.run(*program, "--family=ipv4", "--hostname-override=node-a", *FLAGS)
    assert daemon.wait_ended() == 2
    return daemon


@pytest.mark.parametrize("thread", THREADS)
def test_every_thread_of_the_daemon(node: Node, thread: str) -> None:
    daemon, name = fail(node, thread), thread.partition(" ")[0]
    (told,) = daemon.told("internal error; the process ends", thread=name)
    assert "Traceback" in told["exception"]
    assert "nobody thought of this" in told["exception"]
    (last,) = re.findall("^Error: .*", daemon.log, re.MULTILINE)
    assert last.startswith(f"Error: internal error in thread {name}: KeyError")


def test_a_single_sync(node: Node) -> None:
    assert "Traceback" in fail(node, "conntrack", "--once").log
