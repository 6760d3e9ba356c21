"""The steps of a packet on its way, in lists that branches share."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.events import Event


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to the packet.

    `hook`, `table` and `chain` say where: a routing decision has no table, and the policy of a chain has no rule.
    `rule` is the line as iptables-save prints it, `comment` its comment, and `position` its number in the chain, from
    1; rules that did not match have no step. `callers` are the chains whose jumps led here, the built-in one first.
    `probability` is the share of all packets that take this step, provided that the assumptions before it are right.
    """

    hook: str
    table: str = ""
    chain: str = ""
    rule: str = ""
    comment: str = ""
    position: int = 0
    callers: tuple[str, ...] = ()
    action: Action
    event: Event
    probability: Fraction

    @property
    def depth(self) -> int:
        """The number of jumps that led here."""
        return len(self.callers)


class LinkedPath:
    """All steps up to one moment, as the last step and the path before it; branches share the path before they part."""

    __slots__ = ("before", "step")

    def __init__(self, before: "LinkedPath | None", step: Step | None) -> None:
        self.before = before
        self.step = step

    def then(self, step: Step) -> "LinkedPath":
        """This path, one step longer."""
        return LinkedPath(self, step)

    def backwards(self) -> Iterator[Step]:
        """The steps, the latest first."""
        path: LinkedPath | None = self
        while path is not None and path.step is not None:
            yield path.step
            path = path.before

    def steps(self) -> tuple[Step, ...]:
        """The steps in their order."""
        return tuple(reversed(tuple(self.backwards())))
