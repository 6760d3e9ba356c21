"""Questions that a trace cannot decide, as values: their answers depend on something that it does not know."""

import msgspec


class _Question(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    pass


class MatchHolds(_Question, frozen=True):
    """Does a match hold? `match` is the match in iptables' own words, such as `-m set --match-set blocked src`."""

    match: str


class ArrivesBy(_Question, frozen=True):
    """Does the packet arrive by an interface? `interface` is written as in `-i`: with `+` for any ending."""

    interface: str


class IsLocalAddress(_Question, frozen=True):
    """Is an address one of this node's? `address` is None for the one that masquerading has chosen.

    `interface` is the only interface that counts, "" if all do, None for the packet's own if that is not known.
    """

    address: str | None
    interface: str | None = ""


class HasAddressType(_Question, frozen=True):
    """Is an address of one of some types (`-m addrtype`)? `address` is None for the one of masquerading."""

    address: str | None
    types: tuple[str, ...]


class TargetLetsPass(_Question, frozen=True):
    """Does a target let the packet pass? `target` is written as in a rule, such as `NFQUEUE --queue-num 1`."""

    target: str


class QuestionPart(msgspec.Struct, frozen=True):
    """One of several questions, and the answer that is asked for: yes, or no if `inverted`."""

    question: "Question"
    inverted: bool


class AllHold(_Question, frozen=True):
    """Whether each question of `parts` has the answer that is asked for there."""

    parts: tuple[QuestionPart, ...]


Question = MatchHolds | ArrivesBy | IsLocalAddress | HasAddressType | TargetLetsPass | AllHold
"""A question that cannot be decided, with the answer yes or no, in its positive form."""
