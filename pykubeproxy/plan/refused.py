"""What a refused rule tells: the extension that the kernel lacks, and the Service that the rule belongs to.

iptables-restore takes all rules of a table or none. The nft tools name the line that was refused; the legacy ones hand
the whole table to the kernel at its COMMIT, and name that. Only some versions name the extension.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.options import RejectUnused, RuleOptions
from pykubeproxy.rules.owners import Owners
from pykubeproxy.rules.reading import title_of
from pykubeproxy.rules.ruleset import Ruleset


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """A match, target or option that a kernel may lack: its name, how rules say it, and the module that has it."""

    name: str
    text: str
    module: str

    def is_in(self, line: str) -> bool:
        """True if a rule uses it."""
        return self.text in f"{line} "


RECENT = Extension(name="recent", text=" -m recent ", module="xt_recent")
SCTP = Extension(name="sctp", text=" -m sctp ", module="xt_sctp")
RANDOM_FULLY = Extension(name="--random-fully", text=" --random-fully ", module="xt_MASQUERADE")
ADDRTYPE = Extension(name="addrtype", text=" -m addrtype ", module="xt_addrtype")
STATISTIC = Extension(name="statistic", text=" -m statistic ", module="xt_statistic")

# The rarest first: where a rule uses several, that one is more likely to be missing.
EXTENSIONS = (RECENT, SCTP, RANDOM_FULLY, ADDRTYPE, STATISTIC)

# How the tools and the kernel say that they do not know something.
_MISSING = re.compile(
    r"missing kernel module|[Cc]ouldn't load|No such file or directory|No chain/target/match by that name"
    r"|[Nn]ot supported|[Uu]nknown option"
)


def suspect(complaint: str, line: str) -> Extension | None:
    """The extension that is missing, as far as a complaint about a line tells; None if it is about something else."""
    for extension in EXTENSIONS:
        if re.search(rf"(?:[Ee]xtension|[Mm]atch|[Tt]arget|option) [`'\"]?{re.escape(extension.name)}\b", complaint):
            return extension
    if RANDOM_FULLY.is_in(line):
        return RANDOM_FULLY  # older kernels only say that the rule is not valid
    used = (extension for extension in EXTENSIONS if extension.is_in(line))
    return next(used, None) if _MISSING.search(complaint) else None


def used_in(plan: Plan) -> tuple[Extension, ...]:
    """The extensions that rules of a Plan use."""
    return tuple(extension for extension in EXTENSIONS if any(extension.is_in(line) for _, line in _written(plan)))


def without(options: RuleOptions, missing: Iterable[Extension]) -> RuleOptions:
    """Options whose fixed rules do without these extensions.

    Without addrtype, node ports answer only on the node's own address, and unused ports of load-balancer IPs are not
    refused, since such an address may be the node's own.
    """
    missing = frozenset(missing)
    if RANDOM_FULLY in missing:
        options = replace(options, random_fully=False)
    if ADDRTYPE in missing and options.node_port_addresses is None:
        addresses = () if options.node_ip is None else (options.node_ip.text,)
        options = replace(options, node_port_addresses=addresses)
    if ADDRTYPE in missing and options.reject_unused is RejectUnused.ALL:
        options = replace(options, reject_unused=RejectUnused.CLUSTER_IPS)
    return options


class Blame:
    """Finds the Services that lines of a Plan belong to.

    `chains` are the chains of Services, by name, as they are to be; `before` are the rules before the Plan, which
    know those that go.
    """

    def __init__(self, chains: Mapping[str, ServiceKey], before: Ruleset) -> None:
        self._chains = chains
        self._before = Owners(before)

    def service(self, line: str) -> ServiceKey | None:
        """The Service that a line of restore input belongs to: a rule, or one that creates or deletes a chain."""
        _, _, rest = line.replace(":", "- ", 1).partition(" ") if line.startswith(":") else line.partition(" ")
        chain = rest.partition(" ")[0]
        if chain in self._chains:
            return self._chains[chain]
        title = title_of(line) or self._before.title(chain)
        return ServiceKey.of_title(title) if title else None

    def users(self, plan: Plan, extensions: Iterable[Extension]) -> set[ServiceKey]:
        """The Services of which a Plan writes a rule that uses one of these extensions."""
        wanted = tuple(extensions)
        found = (self.service(line) for _, line in _written(plan) if any(each.is_in(line) for each in wanted))
        return {service for service in found if service is not None}


def _written(plan: Plan) -> Iterator[tuple[str, str]]:
    """All rules that a Plan writes, by table: also those of a changed chain that stay as they are."""
    for change in plan.chains:
        for line in change.after or ():
            yield change.table, line
