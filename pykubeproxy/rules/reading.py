"""The one reader of rules: what a line of iptables-save, written by kube-proxy or by this program, means.

`read` takes a whole rule apart. A node may have 231,000 rules, and some questions are asked of most of them: which
ServicePort a rule is for (`title_of`), what for (`kind_of`), where it leads (`target_of`, `endpoint_of`), and which
chain it is in (`chain_of`). Those are answered several times faster, without taking the rule apart.

Source: `docs/reference/iptables-rules.md` sections 7, 8 and 17. Rules of other programs are read as well, as far as
they use the same options; nothing here ever fails.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from pykubeproxy.rules.parse import words
from pykubeproxy.rules.text import RuleKind


class RuleView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one rule says. A field is empty, or 0, where the rule does not say it.

    `source` and `destination` are networks as printed, with `! ` before them where all others are meant. `protocol` is
    in lower case. `ports` is a destination port or a range of them (`80`, `80:95`). `title` is the ServicePort that the
    comment names, `namespace/name:port`, and `kind` what the comment says beside it. `target` is the chain that the
    rule leads to, or its verdict; `endpoint` is where DNAT sends packets, as `ip:port`. A rule with `affinity_seconds`
    is for clients that its endpoint has seen within that time.
    """

    chain: str = ""
    source: str = ""
    destination: str = ""
    protocol: str = ""
    ports: str = ""
    comment: str = ""
    title: str = ""
    kind: RuleKind | None = None
    target: str = ""
    endpoint: str = ""
    affinity_seconds: int = 0

    @property
    def address(self) -> str:
        """The only address that the rule is for, as printed; empty for a network, or for any destination."""
        if self.destination.startswith("!"):
            return ""
        address, _, prefix = self.destination.partition("/")
        return address if prefix == ("128" if ":" in address else "32") else ""

    @property
    def port(self) -> int:
        """The only destination port that the rule is for; 0 for a range, or for any port."""
        return int(self.ports) if self.ports.isdecimal() else 0

    @property
    def refuses(self) -> bool:
        """True for a rule that refuses a Service's traffic because no endpoint may serve it."""
        return self.kind in (RuleKind.NO_ENDPOINTS, RuleKind.NO_LOCAL_ENDPOINTS)


# The field of RuleView for each option. The value of the others may be any text, options included: it is passed over.
_FIELDS = {
    "-A": "chain",
    "-s": "source",
    "-d": "destination",
    "-p": "protocol",
    "--dport": "ports",
    "--comment": "comment",
    "-j": "target",
    "-g": "target",
    "--to-destination": "endpoint",
    "--seconds": "affinity_seconds",
    "--name": "",
    "--string": "",
    "--log-prefix": "",
    "--nflog-prefix": "",
}

_TITLE = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*(?::[a-z0-9][-a-z0-9]*)?")
_KINDS = {str(kind): kind for kind in RuleKind}


@lru_cache(maxsize=1024)
def read(line: str) -> RuleView:
    """Take one rule apart; of options that are there twice, the first counts."""
    found: dict[str, str] = {}
    sign = ""
    rest = iter(words(line))
    for word in rest:
        if word == "!":
            sign = "! "
            continue
        field = _FIELDS.get(word)
        if field is not None:
            found.setdefault(field, sign + next(rest, ""))
        sign = ""
    comment, ports = found.get("comment", ""), found.get("ports", "")
    title = title_in(comment)
    seconds = found.get("affinity_seconds", "")
    return RuleView(
        chain=found.get("chain", ""),
        source=found.get("source", ""),
        destination=found.get("destination", ""),
        protocol=found.get("protocol", ""),
        ports=ports,
        comment=comment,
        title=title,
        kind=RuleKind.NODE_PORT if ports and title and title == comment else _kind(comment, title),
        target=found.get("target", ""),
        endpoint=found.get("endpoint", ""),
        affinity_seconds=int(seconds) if seconds.isdecimal() else 0,
    )


def title_of(line: str) -> str:
    """The ServicePort that a rule's comment names, as `namespace/name:port`; empty if it names none."""
    if "\\" in line:
        return read(line).title
    return title_in(_comment_of(line))


def kind_of(line: str) -> RuleKind | None:
    """What a rule's comment says beside the ServicePort; None as well for a node port, which it does not tell."""
    comment = _comment_of(line)
    return _kind(comment, title_in(comment))


def target_of(line: str) -> str:
    """The chain that a rule leads to, or its verdict; empty for a rule that only counts packets."""
    rest = line.partition(" -j ")[2]
    if not rest or rest.startswith("-") or " -j " in rest or '"' in rest:
        return read(line).target  # other programs' rules may have all this in a comment
    return rest.partition(" ")[0]


def endpoint_of(line: str) -> str:
    """Where a rule with the target DNAT sends packets, as `ip:port`; empty for any other rule."""
    return line.partition(" --to-destination ")[2].partition(" ")[0]


def chain_of(line: str) -> str:
    """The chain that a rule is in."""
    return line.split(" ", 2)[1]


def networks_of(line: str) -> Iterator[str]:
    """The source and the destination that a rule is for, or is not for, as CIDRs."""
    for option in (" -s ", " -d "):
        network = line.partition(option)[2].partition(" ")[0]
        if network:
            yield network


def without_counter(line: str) -> str:
    """A rule without its match that counts packets in an nfacct object, which always holds."""
    before, match, name = line.partition(" -m nfacct --nfacct-name ")
    return f"{before} {name.lstrip().partition(' ')[2]}" if match else line


def title_in(text: str) -> str:
    """The first `namespace/name:port`, or `namespace/name`, in a text; empty if there is none."""
    found = _TITLE.search(text)
    return "" if found is None else found[0]


def _comment_of(line: str) -> str:
    return line.partition(' --comment "')[2].partition('"')[0]


def _kind(comment: str, title: str) -> RuleKind | None:
    """What a comment says before the name of the ServicePort, or else behind it."""
    if not title:
        return RuleKind.UNUSED_PORTS if comment == RuleKind.UNUSED_PORTS else None
    before, _, behind = comment.partition(title)
    if before:
        return _KINDS.get(before.rstrip())
    behind = behind.strip()
    for kind in (RuleKind.TO_ENDPOINT, RuleKind.NOT_IN_SOURCE_RANGES):
        if behind.startswith(kind):
            return kind
    return _KINDS.get(behind)
