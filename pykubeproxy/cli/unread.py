"""What is said of tables that iptables cannot print in full."""

from collections.abc import Iterator, Mapping

from pykubeproxy.cli.common import complain
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import Ruleset, Unread


def complain_of_unread(rules: Mapping[Family, Ruleset]) -> None:
    """Say on stderr which rules of other programs could not be read."""
    for family, ruleset in rules.items():
        for line in unread_lines(ruleset.unread):
            complain(f"not read: {family} {line}")


def unread_lines(unread: Mapping[str, Unread]) -> Iterator[str]:
    """One line for each table of which some rules could not be read."""
    for table, its in unread.items():
        where = f" (in {', '.join(its.chains)})" if its.chains else ""
        yield f"table {table}: rules of other programs{where}, which iptables cannot print: nft list table shows them"
