"""`run`: the daemon, or one sync of it."""

import time
from contextlib import ExitStack
from queue import Empty

from pykubeproxy import logger
from pykubeproxy.daemon.follow.heap import set_malloc
from pykubeproxy.daemon.messages import FatalError, NotInSync, Stop
from pykubeproxy.daemon.node_daemon import Daemon
from pykubeproxy.daemon.setup.node_view import host_name
from pykubeproxy.daemon.setup.run_settings import RunSettings
from pykubeproxy.daemon.signals import Terminated, terminating_on_signals
from pykubeproxy.daemon.supervision import faults_logged, threads_supervised
from pykubeproxy.daemon.watch.config_file import ConfigFileWatch
from pykubeproxy.daemon.watch.slow_commands import SlowCommands

log = logger.get()


def init(settings: RunSettings) -> None:
    """Make the kernel settings, which need more rights than anything else does. Raises HostError."""
    Daemon(settings, host_name()).prepare()


def run_once(settings: RunSettings) -> bool:
    """Sync once with the objects as they are now, and remove stale UDP flows.

    True if the kernel is in sync with all objects. Raises HostError, FatalError also if none of the manifests can be
    read, and NotInSync if the objects were not all known in time.
    """
    with ExitStack() as closing, faults_logged():
        set_malloc()
        _watch_commands(closing)
        daemon = Daemon(settings, host_name())
        closing.enter_context(threads_supervised(daemon.loop.inbox))
        daemon.prepare()
        flows = daemon.follow_flows(closing)
        daemon.follow_objects(closing)
        timeout = settings.timeouts.once
        deadline = time.monotonic() + timeout
        while daemon.loop.waits_for:
            if settings.manifests is not None and daemon.loop.inbox.empty():
                raise FatalError(f"nothing of {settings.manifests} can be used; the rules in force stay")
            try:
                daemon.loop.take(daemon.loop.inbox.get(timeout=max(deadline - time.monotonic(), 0)))
            except Empty:
                raise NotInSync(f"not in sync after {timeout:g} s: {daemon.missing_objects}") from None
        is_in_sync = daemon.loop.sync() and not daemon.loop.unread and not daemon.would_write
        flows.finish()
        while not daemon.loop.inbox.empty():
            daemon.loop.take(daemon.loop.inbox.get_nowait())
        return is_in_sync


def run(settings: RunSettings) -> None:
    """Follow the objects until a SIGTERM or SIGINT; the rules stay in force then. Raises HostError, FatalError."""
    with ExitStack() as closing:
        try:
            with terminating_on_signals(), faults_logged():
                set_malloc()
                _watch_commands(closing)
                daemon = Daemon(settings, host_name())
                with threads_supervised(daemon.loop.inbox):
                    daemon.prepare()
                    daemon.watch(closing)
                    _watch_config_file(settings, daemon, closing)
                    daemon.follow_objects(closing)
                    daemon.loop.run()
        except Terminated as ending:
            log.info("stopping; the rules stay in force", why=str(ending))


def _watch_commands(closing: ExitStack) -> None:
    """Begin before the first command is run: it may hang, too."""
    commands = SlowCommands()
    closing.callback(commands.stop)
    commands.start()


def _watch_config_file(settings: RunSettings, daemon: Daemon, closing: ExitStack) -> None:
    if settings.config_file is None:
        return
    try:
        watch = ConfigFileWatch(*settings.config_file, daemon.loop.inbox)
    except OSError as error:
        daemon.loop.inbox.put(Stop(f"{error.filename}: {error.strerror}"))
        return
    closing.callback(watch.join)
    watch.start()
