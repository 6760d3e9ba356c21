"""Who changes the nftables ruleset: the kernel announces every generation of it, with the process that made it.

iptables-nft keeps its rules there, so a change by another program is noticed at once. Source:
`linux/netfilter/nf_tables.h` (NFT_MSG_NEWGEN) and `nft monitor`, which shows the same.
"""

import os
import select
import threading
from collections.abc import Iterator

import msgspec

from pykubeproxy.host.netlink import NETFILTER, BufferOverrun, Netlink, NetlinkError, NetlinkMessage
from pykubeproxy.host.nfnetlink import attributes_of, big_endian, nfgenmsg, text_of

_GROUP = 7
_NEW_GENERATION = 0x0A0F
_GET_GENERATION = 0x0A10
_ID, _PID, _PROCESS = 1, 2, 3


class RulesetGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """One change to the ruleset: its number, and the process that made it, with its pid as the whole machine sees it.

    `port` is the address of the netlink socket that was used, which no other socket of the network namespace had at
    the time. By default it is the process's pid as its own container sees it; processes in other containers may have
    the same one after the other.
    """

    id: int
    pid: int = 0
    process: str = ""
    port: int = 0

    @property
    def is_known(self) -> bool:
        """False for a change of which nothing is known, because announcements were lost."""
        return self.id != 0


UNKNOWN_CHANGE = RulesetGeneration(id=0)


def current_generation() -> int | None:
    """The number of the ruleset as it is now, in the namespace of this thread; None if it cannot be read."""
    try:
        with Netlink(NETFILTER) as netlink:
            answer = netlink.ask("ask for the generation of nftables", _GET_GENERATION, nfgenmsg())
            return _generation(answer).id
    except NetlinkError:
        return None


class GenerationMonitor:
    """Announcements of generations, from when this is made until it is closed.

    One thread waits; any thread may close. Raises NetlinkError where the kernel has no nftables, or no permission for
    it.
    """

    def __init__(self) -> None:
        self._netlink = Netlink(NETFILTER, [_GROUP])
        try:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        except OSError as error:
            self._netlink.close()
            raise NetlinkError("watch nftables", error.errno) from None
        self._is_closed = False
        self._waiting = threading.Lock()
        # The same group announces every rule: a large restore would fill the buffer, and keep this thread busy.
        self._netlink.accept_only(_NEW_GENERATION)
        self._poll = select.poll()
        self._poll.register(self._netlink, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def __iter__(self) -> Iterator[RulesetGeneration]:
        """All generations until it is closed."""
        while not self._is_closed:
            yield from self.wait(None)

    def wait(self, timeout: float | None) -> tuple[RulesetGeneration, ...]:
        """Wait up to `timeout` seconds (None: for ever); return what was announced, oldest first.

        Nothing is returned at the timeout, and once it is closed. UNKNOWN_CHANGE stands for announcements that came
        too fast and were lost.
        """
        with self._waiting:
            if self._is_closed:
                return ()
            self._poll.poll(None if timeout is None else timeout * 1000)
            found: list[RulesetGeneration] = []
            while not self._is_closed and any(fd == self._netlink.fileno() for fd, _ in self._poll.poll(0)):
                found.extend(self._receive())
            return tuple(found)

    def close(self) -> None:
        """Stop: a thread that waits returns at once. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        os.eventfd_write(self._wake, 1)
        with self._waiting:
            self._netlink.close()
            os.close(self._wake)

    def _receive(self) -> Iterator[RulesetGeneration]:
        try:
            messages = self._netlink.receive("watch nftables")
        except BufferOverrun:
            yield UNKNOWN_CHANGE
            return
        for message in messages:
            if message.kind == _NEW_GENERATION:
                yield _generation(message)


def _generation(message: NetlinkMessage) -> RulesetGeneration:
    attributes = attributes_of(message.body)
    return RulesetGeneration(
        id=big_endian(attributes.get(_ID)),
        pid=big_endian(attributes.get(_PID)),
        process=text_of(attributes.get(_PROCESS)),
        port=message.port,
    )
