"""Which kernel settings a Service proxy needs, computed from its configuration.

Source: `docs/reference/lifecycle.md` section 8.

Where kube-proxy's versions differ, as the newest: the sizes of the connection table are only raised
(`docs/reference/since-1.36.md`, pull request 142035).
"""

from collections.abc import Iterator

import msgspec

from pykubeproxy.model.ip import Family

# Whatever the configuration says, the table is not sized for more connections than this.
MOST_CONNECTIONS = 1 << 20


class Sysctl(msgspec.Struct, frozen=True):
    """One setting: its name, and its value.

    The name is below /proc/sys, with slashes; one that begins with a slash is a whole path. A setting that is
    `only_raised` may be larger as well.
    """

    name: str
    value: int
    only_raised: bool = False

    def is_met_by(self, current: int) -> bool:
        """True if a setting that is `current` may stay as it is."""
        return current >= self.value if self.only_raised else current == self.value


CONNTRACK_MAX = "net/netfilter/nf_conntrack_max"
TCP_BE_LIBERAL = "net/netfilter/nf_conntrack_tcp_be_liberal"
# The number of buckets of the table that finds a packet's connection: a parameter of the module.
HASH_SIZE = "/sys/module/nf_conntrack/parameters/hashsize"
_CONNECTIONS_IN_A_BUCKET = 4

FORWARDING = {Family.IPV4: "net/ipv4/ip_forward", Family.IPV6: "net/ipv6/conf/all/forwarding"}
"""The settings without which the node forwards no packets of a family: to pods, or to other nodes."""

# Lets packets from outside reach 127.0.0.0/8: node ports answer on localhost only with it.
ROUTE_LOCALNET = Sysctl("net/ipv4/conf/all/route_localnet", 1)


class ConntrackSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `conntrack` section of a KubeProxyConfiguration. Timeouts are in seconds; 0 leaves a setting alone."""

    max_per_core: int = 32768
    min: int = 131072
    tcp_established_timeout: float = 86400
    tcp_close_wait_timeout: float = 3600
    tcp_be_liberal: bool = False
    udp_timeout: float = 0
    udp_stream_timeout: float = 0


def conntrack_max(settings: ConntrackSettings, cpus: int) -> int | None:
    """How many connections the table shall hold on a machine with `cpus` online CPUs; None to leave it alone."""
    if settings.max_per_core <= 0:
        return None
    scaled = settings.max_per_core * cpus
    # kube-proxy's limit takes precedence over a larger minimum, whether or not that was meant.
    if scaled > MOST_CONNECTIONS:
        return MOST_CONNECTIONS
    return max(scaled, settings.min) or None


def conntrack_sysctls(settings: ConntrackSettings, cpus: int) -> Iterator[Sysctl]:
    """The settings to make, in the order in which kube-proxy makes them."""
    connections = conntrack_max(settings, cpus)
    if connections is not None:
        yield Sysctl(CONNTRACK_MAX, connections, only_raised=True)
        yield Sysctl(HASH_SIZE, connections // _CONNECTIONS_IN_A_BUCKET, only_raised=True)
    yield from _timeout("tcp_timeout_established", settings.tcp_established_timeout)
    yield from _timeout("tcp_timeout_close_wait", settings.tcp_close_wait_timeout)
    if settings.tcp_be_liberal:
        yield Sysctl(TCP_BE_LIBERAL, 1)
    yield from _timeout("udp_timeout", settings.udp_timeout)
    yield from _timeout("udp_timeout_stream", settings.udp_stream_timeout)


def _timeout(name: str, seconds: float) -> Iterator[Sysctl]:
    if seconds > 0:
        # The kernel counts whole seconds; a fraction of one must not become 0, which forgets a connection at once.
        yield Sysctl(f"net/netfilter/nf_conntrack_{name}", max(int(seconds), 1))
