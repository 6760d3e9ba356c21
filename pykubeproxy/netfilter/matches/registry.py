"""The matchers for the clauses of a rule; a match that is not known here becomes a question that cannot be decided."""

from collections.abc import Callable, Iterable, Iterator

from pykubeproxy.netfilter.match_results import Matcher, negated, undecided_matcher
from pykubeproxy.netfilter.matches import (
    address,
    connection,
    interface,
    mark,
    miscellaneous,
    recent,
    statistic,
    transport,
)
from pykubeproxy.netfilter.syntax import Clause, Option

_MODULES = (address, connection, interface, mark, miscellaneous, recent, statistic, transport)

_OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {}
_CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {}
for _module in _MODULES:
    _OPTIONS |= _module.OPTIONS
    _CLAUSES |= _module.CLAUSES
_BY_OPTION = {module for module, _ in _OPTIONS}

# Unknown match modules that give a packet the same answer whenever they are asked about it.
_LASTING = frozenset({"mac", "policy", "rpfilter", "socket", "cgroup", "geoip", "devgroup", "realm", "u32"})


def matchers(clause: Clause) -> Iterator[Matcher]:
    """The matchers of a clause, in the order in which the kernel asks them."""
    if clause.name in _CLAUSES:
        yield from _made(_CLAUSES[clause.name], clause)
    elif clause.name not in _BY_OPTION:
        yield _unknown(clause)
    else:
        for option in clause.options:
            factory = _OPTIONS.get((clause.name, option.name), _unknown_option)
            yield negated(_made_option(factory, option), inverted=option.inverted)


def _made(factory: Callable[[Clause], Iterable[Matcher]], clause: Clause) -> Iterable[Matcher]:
    try:
        return tuple(factory(clause))
    except ValueError:  # a value that makes no sense, such as a host name
        return (_unknown(clause),)


def _made_option(factory: Callable[[Option], Matcher], option: Option) -> Matcher:
    try:
        return factory(option)
    except ValueError:
        return _unknown_option(option)


def _unknown(clause: Clause) -> Matcher:
    return undecided_matcher(f"-m {clause.text}", lasting=clause.name in _LASTING)


def _unknown_option(option: Option) -> Matcher:
    return undecided_matcher(option.text)
