"""KubeProxyConfiguration v1alpha1 (`kubeproxy.config.k8s.io`), as frozen values.

Every field is there, also those of other modes and platforms, so that any existing file loads;
`docs/reference/lifecycle.md` section 2 says which ones mean something here. Field order is the API's, which `/configz`
shows. A field's default is kube-proxy's. Where the API has a pointer, an absent or null field is the default and an
explicit zero is kept; for the other fields `pykubeproxy.config.defaults` applies the rules for zeros.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, field

from pykubeproxy.config.duration import Duration, DurationOrNanoseconds
from pykubeproxy.config.quantity import Quantity

API_VERSION = "kubeproxy.config.k8s.io/v1alpha1"
KIND = "KubeProxyConfiguration"

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class LocalMode(StrEnum):
    """How traffic from this node's own pods is recognised (`detectLocalMode`)."""

    CLUSTER_CIDR = "ClusterCIDR"
    NODE_CIDR = "NodeCIDR"
    BRIDGE_INTERFACE = "BridgeInterface"
    INTERFACE_NAME_PREFIX = "InterfaceNamePrefix"


class NodePortWord(StrEnum):
    """A word among the networks of `nodePortAddresses`; words and CIDRs may be combined in any way.

    PRIMARY stands for the addresses that the node is known by, loopback ones left out; LOCALHOST for 127.0.0.0/8 and
    ::1/128; ALL for every address. Source: `docs/reference/since-1.36.md`, KEP-6032.
    """

    PRIMARY = "primary"
    LOCALHOST = "localhost"
    ALL = "all"


class Section(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A mapping of the configuration file; attributes are the API's field names in snake case."""


class ClientConnection(Section, frozen=True, kw_only=True):
    """How to talk to the API server. `qps` and `burst` limit requests on this side."""

    kubeconfig: str = ""
    accept_content_types: str = ""
    content_type: str = "application/vnd.kubernetes.protobuf"
    qps: float = 5.0
    burst: Int32 = 10


class VModuleItem(Section, frozen=True, kw_only=True):
    """A log verbosity for source files whose name matches a pattern."""

    file_pattern: str = ""
    verbosity: UInt32 = 0


class OutputRouting(Section, frozen=True, kw_only=True):
    """Options of one log format (alpha)."""

    split_stream: bool = False
    info_buffer_size: Quantity = Quantity("0")


class FormatOptions(Section, frozen=True, kw_only=True):
    """Options of the log formats."""

    text: OutputRouting = OutputRouting()
    json: OutputRouting = OutputRouting()


class Logging(Section, frozen=True, kw_only=True):
    """What is logged, and in which format (`text` or `json`)."""

    format: str = "text"
    flush_frequency: DurationOrNanoseconds = DurationOrNanoseconds.parse("5s")
    verbosity: UInt32 = 0
    vmodule: tuple[VModuleItem, ...] = ()
    options: FormatOptions = FormatOptions()


class IPTables(Section, frozen=True, kw_only=True):
    """iptables mode. Attention: `sync_period` is no resync interval (`docs/reference/lifecycle.md` section 11)."""

    masquerade_bit: Int32 = 14
    masquerade_all: bool = False
    localhost_node_ports: bool = True
    sync_period: Duration = Duration.parse("30s")
    min_sync_period: Duration = Duration.parse("1s")


class IPVS(Section, frozen=True, kw_only=True):
    """ipvs mode: accepted, without effect."""

    sync_period: Duration = Duration(0)
    min_sync_period: Duration = Duration(0)
    scheduler: str = ""
    exclude_cidrs: tuple[str, ...] = field(default=(), name="excludeCIDRs")
    strict_arp: bool = field(default=False, name="strictARP")
    tcp_timeout: Duration = Duration(0)
    tcp_fin_timeout: Duration = Duration(0)
    udp_timeout: Duration = Duration(0)


class NFTables(Section, frozen=True, kw_only=True):
    """nftables mode: accepted, without effect."""

    masquerade_bit: Int32 = 14
    masquerade_all: bool = False
    sync_period: Duration = Duration(0)
    min_sync_period: Duration = Duration(0)


class Winkernel(Section, frozen=True, kw_only=True):
    """Windows: accepted, without effect."""

    network_name: str = ""
    source_vip: str = ""
    enable_dsr: bool = field(default=False, name="enableDSR")
    root_hns_endpoint_name: str = ""
    forward_health_check_vip: bool = False


class DetectLocal(Section, frozen=True, kw_only=True):
    """What the local modes BridgeInterface and InterfaceNamePrefix need."""

    bridge_interface: str = ""
    interface_name_prefix: str = ""


class Conntrack(Section, frozen=True, kw_only=True):
    """Connection tracking sysctls; zero leaves a sysctl alone (`docs/reference/lifecycle.md` section 8)."""

    max_per_core: Int32 = 32768
    min: Int32 = 131072
    tcp_established_timeout: Duration = Duration.parse("24h")
    tcp_close_wait_timeout: Duration = Duration.parse("1h")
    tcp_be_liberal: bool = False
    udp_timeout: Duration = Duration(0)
    udp_stream_timeout: Duration = Duration(0)


class KubeProxyConfiguration(Section, frozen=True, kw_only=True):
    """The whole configuration. Without arguments: kube-proxy's defaults."""

    kind: str = KIND
    api_version: str = API_VERSION
    feature_gates: dict[str, bool] = field(default_factory=dict)
    client_connection: ClientConnection = ClientConnection()
    logging: Logging = Logging()
    hostname_override: str = ""
    bind_address: str = "0.0.0.0"  # noqa: S104  the API's default; nothing is bound to it
    healthz_bind_address: str = "0.0.0.0:10256"
    metrics_bind_address: str = "127.0.0.1:10249"
    bind_address_hard_fail: bool = False
    enable_profiling: bool = False
    show_hidden_metrics_for_version: str = ""
    mode: str = "iptables"
    iptables: IPTables = IPTables()
    ipvs: IPVS = IPVS()
    nftables: NFTables = NFTables()
    winkernel: Winkernel = Winkernel()
    detect_local_mode: str = LocalMode.CLUSTER_CIDR.value
    detect_local: DetectLocal = DetectLocal()
    cluster_cidr: str = field(default="", name="clusterCIDR")
    node_port_addresses: tuple[str, ...] = ()
    oom_score_adj: Int32 = -999
    conntrack: Conntrack = Conntrack()
    config_sync_period: Duration = Duration.parse("15m")
    port_range: str = ""
    windows_run_as_service: bool = False
