"""The one reader of rules: what a line of iptables-save, written by kube-proxy or by this program, means.

`read` takes a whole rule apart. A node may have 231,000 rules, and two questions are asked of most of them: which
ServicePort a rule is for (`title_of`), and where it leads (`target_of`). Both are answered without taking it apart.

Source: `docs/reference/iptables-rules.md` sections 7, 8 and 17. Rules of other programs are read as well, as far as
they use the same options; nothing here ever fails.
"""

import re
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
    title = _title(comment)
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
    return _title(line.partition(' --comment "')[2].partition('"')[0])


def target_of(line: str) -> str:
    """The chain that a rule leads to, or its verdict; empty for a rule that only counts packets."""
    if line.count(" -j ") != 1:
        return read(line).target
    return line.partition(" -j ")[2].partition(" ")[0]


def _title(comment: str) -> str:
    found = _TITLE.search(comment)
    return "" if found is None else found[0]


def _kind(comment: str, title: str) -> RuleKind | None:
    """What a comment says before the name of the ServicePort, or else behind it."""
    if not title:
        return None
    before, _, behind = comment.partition(title)
    if before:
        return _KINDS.get(before.rstrip())
    behind = behind.strip()
    for kind in (RuleKind.TO_ENDPOINT, RuleKind.NOT_IN_SOURCE_RANGES):
        if behind.startswith(kind):
            return kind
    return _KINDS.get(behind)
