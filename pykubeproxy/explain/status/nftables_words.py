"""The words for what a move to kube-proxy's nftables mode would change on a node."""

from pykubeproxy.explain.status import nftables_move as seen
from pykubeproxy.explain.status.observations import Observation

_NAMED = 3


def move_texts(observation: Observation) -> tuple[str, str]:  # noqa: C901, PLR0911, PLR0912  one case for each kind
    """What is the case, and what to do about it: nothing if it stays as it is."""
    match observation:
        case seen.KernelTooOld(release=release):
            return f"Linux {release}: nftables mode needs 5.13 or later", "stay in iptables mode, or get a newer kernel"
        case seen.KernelLacksNftables(release=release):
            return f"Linux {release} without nftables", "load the kernel module: `modprobe nf_tables`"
        case seen.KernelSuits(release=release):
            return f"Linux {release}", ""
        case seen.NodePortsStay(count=0):
            return "there are none", ""
        case seen.NodePortsStay(count=count, configured=configured):
            where = f", as nodePortAddresses says: {', '.join(configured)}" if configured else ""
            return f"{count:,} answer on the same addresses as before{where}", ""
        case seen.NodePortsNarrowed(addresses=addresses):
            says = f"they will not answer any more on {addresses} other addresses of this node; nobody uses that now"
            return says, "to keep them there, set nodePortAddresses: [all]"
        case seen.NodePortsElsewhere(uses=uses):
            used = ", ".join(f"{use.address} ({use.connections:,} open connections)" for use in uses[:_NAMED])
            more = f" and {len(uses) - _NAMED} more" if len(uses) > _NAMED else ""
            return f"used on addresses where they will not answer any more: {used}{more}", (
                "send clients to the node's primary address, or set nodePortAddresses: [all]"
            )
        case seen.LocalhostUsed(counted=counted, connections=connections):
            parts = [f"{counted:,} connections were counted"] if counted else []
            parts += [f"{connections:,} are open"] if connections else []
            return f"node ports are used on loopback addresses: {', '.join(parts)}", (
                "use the node's address, or kube-proxy's feature gate KubeProxyNFTablesLocalhostNodePorts (TCP only)"
            )
        case seen.LocalhostNotCounted():
            says = "no connection is open to a node port on a loopback address; past ones were not counted"
            return says, "look at it again at other times; the module nfnetlink_acct makes it count"
        case seen.LocalhostUnused():
            return "nobody uses node ports on 127.0.0.0/8", ""
        case seen.InvalidPackets(count=count, is_fixed=is_fixed):
            says = f"{count:,} packets of unknown connections were dropped; they will pass, and may reset connections"
            hint = "this kernel needs that hardly any more (6.1); to be safe, " if is_fixed else ""
            return says, f"{hint}set conntrack.tcpBeLiberal: true"
        case seen.NoInvalidPackets():
            return "no packet of an unknown connection was dropped", ""
        case seen.HealthChecksLetThrough(count=count):
            says = f"{count:,} health check node ports are let through whatever a firewall says, which ends"
            return says, "open these ports, and those of node ports, in the firewall of this node"
        case seen.NothingLetThrough():
            return "no rule of the proxy opens it", ""
        case seen.OthersLeadHere(rules=rules):
            more = f" and {len(rules) - _NAMED} more" if len(rules) > _NAMED else ""
            says = f"lead to chains that will not be there any more: {'; '.join(rules[:_NAMED])}{more}"
            return says, "see which program writes them, and whether it knows nftables mode"
        case seen.NobodyLeadsHere():
            return "none lead to the proxy's chains", ""
        case seen.OptionsLost(options=options):
            return f"without effect in nftables mode: {', '.join(options)}", "set what it has in the section nftables"
        case seen.OptionsAssumed():
            return "no proxy answers: its options are taken for the defaults", (
                "start it, or give the address of its metrics server with --metrics-bind-address"
            )
        case seen.OptionsCount():
            return "none loses its effect", ""
    raise TypeError(observation)
