"""Every rule line is one that this program means to write: known words in known places, and nothing else.

The grammar is written down here a second time, so that no text of an object can turn into an option, a target or a
line of its own, whatever it holds (`docs/reference/iptables-rules.md` section 17).
"""

import re

from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Ruleset

LONGEST_COMMENT = 255
LONGEST_CHAIN = 28

_IP = r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f:]+(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?)"
_NETWORK = rf"{_IP}/[0-9]{{1,3}}"
_CHAIN = r"KUBE-[A-Z0-9][A-Za-z0-9./:-]*"
_MARK = r"0x[0-9a-f]{1,8}"
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TITLE = rf"{_NAME}/{_NAME}(?::{_NAME})?"

# What a comment may say. Titles are the only part that comes from objects, beside endpoints.
_COMMENTS = (
    rf"{_TITLE}",
    rf"{_TITLE} (?:cluster IP|external IP|loadbalancer IP)",
    rf"{_TITLE} has no (?:local )?endpoints",
    rf"{_TITLE} health check node port",
    rf"{_TITLE} traffic not accepted by {_CHAIN}",
    rf"{_TITLE} -> (?:{_IP}:[0-9]{{1,5}}|\[{_IP}\]:[0-9]{{1,5}}|one of [0-9]+ endpoints)",
    rf"masquerade traffic for {_TITLE} external destinations",
    rf"(?:pod|masquerade LOCAL|route LOCAL) traffic for {_TITLE} external destinations",
    rf"other traffic to {_TITLE} will be dropped by KUBE-PROXY-FIREWALL",
    r"kubernetes (?:externally-visible service portals|service portals|load balancer firewall)",
    r"kubernetes (?:health check service ports|forwarding rules|forwarding conntrack rule|postrouting rules)",
    r"kubernetes service nodeports; NOTE: this must be the last rule in this chain",
    r"kubernetes service traffic requiring SNAT",
    r"block incoming localnet connections",
)
_MATCHES = (
    r"(?:! )?-s " + _NETWORK,
    r"(?:! )?-d " + _NETWORK,
    r"(?:! )?-i [a-z0-9]+\+?",
    r"-p (?:tcp|udp|sctp)",
    rf'-m comment --comment "(?P<comment>{"|".join(_COMMENTS)})"',
    r"-m (?:tcp|udp|sctp)(?: --dport [0-9]{1,5}(?::[0-9]{1,5})?)?",
    r"-m nfacct --nfacct-name  localhost_nps_accepted_pkts",
    r"-m (?:addrtype --(?:dst|src)-type LOCAL|conntrack (?:! )?--ctstate [A-Z,]+)",
    rf"-m mark (?:! )?--mark {_MARK}/{_MARK}",
    r"-m statistic --mode random --probability [01]\.[0-9]{11}",
    rf"-m recent (?:--set|--rcheck --seconds [0-9]+ --reap) --name {_CHAIN} --mask {_IP} --rsource",
)
_TARGETS = (
    _CHAIN,
    r"ACCEPT|DROP|RETURN",
    r"REJECT --reject-with icmp6?-port-unreachable",
    rf"DNAT --to-destination (?:{_IP}:[0-9]{{1,5}}|\[{_IP}\]:[0-9]{{1,5}})",
    rf"MARK --set-xmark {_MARK}/{_MARK}",
    r"MASQUERADE(?: --random-fully)?",
)
_MATCH = re.compile("|".join(f"(?:{each})" for each in _MATCHES), re.ASCII)
_TARGET = re.compile("|".join(f"(?:{each})" for each in _TARGETS), re.ASCII)
_PREFIX = re.compile(rf"-A (?P<chain>{_CHAIN}|[A-Z]+)(?: |$)", re.ASCII)


def check_lines(ruleset: Ruleset) -> None:
    """Fail for the first line that says anything but what it should."""
    for name, table in ruleset.tables.items():
        for chain, lines in table.chains.items():
            is_builtin = chain in BUILTIN_CHAINS[name]
            is_ours = len(chain) <= LONGEST_CHAIN and re.fullmatch(_CHAIN, chain)
            assert is_builtin or is_ours, f"{name} {chain!r} is no name for a chain of ours"
            for line in lines:
                problem, target = _problem(line, chain), _jump(line)
                assert not problem, f"{name} {chain}: {problem}: {line!r}"
                assert not target or target in table.chains, f"{name} {chain}: there is no chain {target}: {line!r}"


def _problem(line: str, chain: str) -> str:
    """What is wrong with a line; empty if nothing is."""
    start = _PREFIX.match(line)
    if start is None or start["chain"] != chain:
        return "not a rule of this chain"
    position = start.end()
    while position < len(line) and not line.startswith("-j ", position):
        found = _MATCH.match(line, position)
        if found is None:
            return f"nothing to be written at {line[position : position + 20]!r}"
        if len(found["comment"] or "") > LONGEST_COMMENT:
            return "a comment that the kernel would cut"
        position = found.end()
        if position < len(line):
            if line[position] != " ":
                return f"nothing to follow at {line[position : position + 20]!r}"
            position += 1
    if position < len(line) and not _TARGET.fullmatch(line, position + len("-j ")):
        return "no target of ours"
    return "" if not line.endswith(" ") else "a space at its end"


def _jump(line: str) -> str:
    target = line.rpartition(" -j ")[2] if " -j " in line else ""
    return target if target.startswith("KUBE-") else ""
