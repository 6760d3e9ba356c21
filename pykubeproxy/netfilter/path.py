"""The way of a packet: its steps, the first of which many branches share."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.events import Event


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to the packet.

    `hook`, `table` and `chain` say where; the routing decision has no table, and the policy of a chain has no rule.
    `rule` is the line as iptables-save prints it, `comment` what its author wrote there, `position` its number in the
    chain, from 1: the rules between two steps of a chain did not match. `callers` are the chains whose jumps led here,
    the built-in one first. `event` is what happened. `probability` is the share of all packets that take this step, if
    what was assumed before it (steps with the action `undecided`) is right.
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
    """The steps up to one moment, as a list that grows at its end and shares its beginning with other branches."""

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
