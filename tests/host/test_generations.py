"""Who changed the nftables ruleset, as the kernel tells it."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pykubeproxy.host.generations import UNKNOWN_CHANGE, GenerationMonitor, RulesetGeneration, current_generation
from tests.host.namespace import COMMAND_SECONDS, Namespace, namespace, needs_root

pytestmark = needs_root

RULE = ("iptables-nft", "-t", "nat", "-A", "OUTPUT", "-j", "ACCEPT")
FLUSHES = (("iptables-nft", "-t", "nat", "-F"), ("nft", "flush", "ruleset"))
RESTORE = ("iptables-nft-restore", "--noflush")


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@contextmanager
def watching(node: Namespace) -> Iterator[GenerationMonitor]:
    watch = node.run(GenerationMonitor)
    try:
        yield watch
    finally:
        watch.close()


def run(node: Namespace, *command: str, stdin: str = "") -> int:
    """Run a program to its end; return its pid."""
    with node.popen(*command) as process:
        process.communicate(stdin, timeout=COMMAND_SECONDS)
        assert process.returncode == 0
        return process.pid


def announced(watch: GenerationMonitor) -> tuple[RulesetGeneration, ...]:
    return watch.wait(COMMAND_SECONDS)


def test_a_change_is_announced_with_its_author(node: Namespace) -> None:
    with watching(node) as watch:
        pid = run(node, *RULE)
        generations = announced(watch)
    assert generations
    for generation in generations:
        assert (generation.pid, generation.process) == (pid, "iptables-nft")
        assert generation.port == pid


@pytest.mark.parametrize("flush", FLUSHES, ids=lambda command: command[0])
def test_a_flush_is_announced(node: Namespace, flush: tuple[str, ...]) -> None:
    if shutil.which(flush[0]) is None:
        pytest.skip("there is no nft: install the package nftables")
    run(node, *RULE)
    with watching(node) as watch:
        pid = run(node, *flush)
        [generation] = announced(watch)
    assert (generation.pid, generation.process) == (pid, flush[0])


def test_numbers_count_up(node: Namespace) -> None:
    with watching(node) as watch:
        for _ in range(3):
            run(node, *RULE)
        ids = [generation.id for generation in announced(watch)]
    assert len(ids) >= 3
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_large_restore_is_one_change(node: Namespace) -> None:
    """Each of its rules is announced to the same group; none of that may reach us, or fill the buffer."""
    rules = "".join(f"-A OUTPUT -d 10.0.{i // 250}.{i % 250}/32 -j ACCEPT\n" for i in range(3000))
    run(node, *RULE)
    with watching(node) as watch:
        pid = run(node, *RESTORE, stdin=f"*nat\n{rules}COMMIT\n")
        [generation] = announced(watch)
    assert (generation.pid, generation.port) == (pid, pid)


def test_reading_is_no_change(node: Namespace) -> None:
    run(node, *RULE)
    with watching(node) as watch:
        node.exec("iptables-nft-save")
        assert watch.wait(0) == ()


def test_a_process_in_another_pid_namespace(node: Namespace) -> None:
    """As in a container: the kernel names the pid of the machine, the program knows only its own."""
    with watching(node) as watch:
        own_pid = node.exec("unshare", "--pid", "--fork", "sh", "-c", f"echo $$; exec {' '.join(RULE)}")
        generations = announced(watch)
    assert all(generation.port == int(own_pid) for generation in generations)
    assert all(generation.pid != int(own_pid) for generation in generations)


def test_lost_announcements_are_an_unknown_change(node: Namespace) -> None:
    with watching(node) as watch:
        watch._netlink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(5):
            run(node, *RULE)
        generations = announced(watch)
        assert UNKNOWN_CHANGE in generations
        assert not UNKNOWN_CHANGE.is_known
        pid = run(node, *RULE)
        assert announced(watch)[-1].port == pid


def test_closing_ends_the_wait_of_another_thread(node: Namespace) -> None:
    watch = node.run(GenerationMonitor)
    seen: list[RulesetGeneration] = []
    waiter = threading.Thread(target=lambda: seen.extend(watch))
    waiter.start()
    watch.close()
    waiter.join(COMMAND_SECONDS)
    assert not waiter.is_alive()
    assert seen == []
    assert watch.wait(None) == ()


def test_closing_twice_is_harmless(node: Namespace) -> None:
    watch = node.run(GenerationMonitor)
    watch.close()
    watch.close()


def test_other_namespaces_do_not_matter(node: Namespace) -> None:
    with namespace() as other, watching(node) as watch:
        run(other, *RULE)
        assert watch.wait(0) == ()


def test_the_tools_are_there() -> None:
    done = subprocess.run(["iptables-nft", "--version"], capture_output=True, text=True, check=False)
    assert "nf_tables" in done.stdout


def test_the_present_one_can_be_asked_for(node: Namespace) -> None:
    before = node.run(current_generation)
    assert before is not None
    with watching(node) as watch:
        run(node, *RULE)
        last = announced(watch)[-1]
    assert node.run(current_generation) == last.id > before
