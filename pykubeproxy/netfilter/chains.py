"""A packet in one table at one hook: its chains, jumps and returns."""

from collections.abc import Iterator

import msgspec

from pykubeproxy.netfilter.answers import Undecided
from pykubeproxy.netfilter.branch import Branch, Forks, merged
from pykubeproxy.netfilter.effect import Action, Disposition
from pykubeproxy.netfilter.events import (
    Assumed,
    CircularJump,
    Event,
    GivenUp,
    Jumped,
    Limit,
    MetByChance,
    PolicyApplied,
)
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.program import Program
from pykubeproxy.netfilter.questions import AllHold, Part
from pykubeproxy.netfilter.rule import Judgement, Rule, judge
from pykubeproxy.netfilter.state import Scene

# Deeper than any kernel jumps (nf_tables allows 16).
DEEPEST_JUMP = 100

# Branches that may go through one chain side by side, in different states.
MOST_BRANCHES = 256

# Targets that are never looked for among the chains.
_VERDICTS = frozenset({"", "ACCEPT", "DROP", "RETURN", "QUEUE"})

# A branch, and how it left a rule or a chain. RETURN from a chain means that it goes on after the jump.
Left = tuple[Disposition, Branch]


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in a chain of a table; `chains` are those from which jumps led there, the built-in one first.

    Without a rule, it is the chain as such.
    """

    table: str
    chains: tuple[str, ...]
    position: int = 0
    rule: Rule | None = None

    @property
    def chain(self) -> str:
        """The chain that this is in."""
        return self.chains[-1]

    def at(self, position: int, rule: Rule) -> "Spot":
        """A rule in the same chain."""
        return Spot(table=self.table, chains=self.chains, position=position, rule=rule)

    def into(self, chain: str) -> "Spot":
        """The chain to which this rule jumps."""
        return Spot(table=self.table, chains=(*self.chains, chain))

    def step(self, branch: Branch, action: Action, event: Event) -> Step:
        """Something that happens here to a branch."""
        return Step(
            hook=branch.state.hook,
            table=self.table,
            chain=self.chain,
            rule=self.rule.text if self.rule else "",
            comment=self.rule.comment if self.rule else "",
            position=self.position,
            callers=self.chains[:-1],
            action=action,
            event=event,
            probability=branch.weight,
        )


class ChainWalker:
    """Walks branches through the chains of a Program."""

    def __init__(self, program: Program, scene: Scene, forks: Forks) -> None:
        self._program = program
        self._scene = scene
        self._forks = forks

    def traverse(self, table: str, branch: Branch) -> Iterator[Left]:
        """A branch through the built-in chain of the hook it is at, its policy included: ACCEPT or a worse end."""
        here = Spot(table=table, chains=(branch.state.hook,))
        policy = self._program.policy(table, here.chain)
        if self._program.is_empty(table, here.chain) and policy == "ACCEPT":
            yield Disposition.ACCEPT, branch
            return
        fallen = []
        for disposition, found in self._walk(here, branch):
            if disposition is Disposition.RETURN:
                fallen.append(found)
            else:
                yield disposition, found
        decided = Disposition.ACCEPT if policy == "ACCEPT" else Disposition.DROP
        for found in merged(fallen):
            yield decided, found.then(here.step(found, Action.POLICY, PolicyApplied(policy, here.chain)))

    def _walk(self, here: Spot, branch: Branch) -> Iterator[Left]:
        """A branch through a chain; what comes back, at the end of the chain or earlier, is RETURN."""
        live = [branch]
        address = self._scene.address_text(branch.state.destination)
        port = branch.state.destination_port
        for position, rule in self._program.candidates(here.table, here.chain, address, port):
            spot = here.at(position, rule)
            going_on: list[Branch] = []
            for each in live:
                for disposition, after in self._meet(spot, rule, each):
                    if disposition is Disposition.CONTINUE:
                        going_on.append(after)
                    else:
                        yield disposition, after
            live = merged(going_on)
            if len(live) > MOST_BRANCHES:
                yield from (_given_up(spot, each, Limit.BRANCHES) for each in live)
                return
            if not live:
                break
        for each in live:
            yield Disposition.RETURN, each

    def _meet(self, spot: Spot, rule: Rule, branch: Branch) -> Iterator[Left]:
        """A branch and one rule."""
        judgement = judge(rule, branch.state, self._scene)
        if judgement is None:
            yield Disposition.CONTINUE, branch
            return
        if judgement.state is not branch.state:
            branch = branch.but(state=judgement.state)
        if not judgement.share:
            yield Disposition.CONTINUE, branch
        elif judgement.share == 1 and not judgement.questions:
            yield from self._hit(spot, rule, branch)
        elif rule.is_passive:
            event = MetByChance(rule.target_name)
            yield Disposition.CONTINUE, branch.then(spot.step(branch, Action.NOTE, event))
        else:
            yield from self._split(spot, rule, branch, judgement)

    def _split(self, spot: Spot, rule: Rule, branch: Branch, judgement: Judgement) -> Iterator[Left]:
        """A branch and a rule that matches by chance, or nobody knows whether."""
        question = _open_question(branch, judgement.questions)
        if question is False:
            yield Disposition.CONTINUE, branch
            return
        if isinstance(question, Undecided):
            sides = self._forks.split(branch, question)
            if sides is None:
                yield _given_up(spot, branch)
                return
            matching, other = reversed(sides) if question.inverted else sides
            yield Disposition.CONTINUE, _assumed(spot, other, question)
            branch = _assumed(spot, matching, question)
        if judgement.share != 1:
            yield Disposition.CONTINUE, branch.but(weight=branch.weight * (1 - judgement.share))
            branch = branch.but(weight=branch.weight * judgement.share)
        yield from self._hit(spot, rule, branch)

    def _hit(self, spot: Spot, rule: Rule, branch: Branch) -> Iterator[Left]:
        """A branch and a rule that matches it."""
        if rule.target_name not in _VERDICTS and self._program.has_chain(spot.table, rule.target_name):
            yield from self._jump(spot, rule, branch)
            return
        sides: dict[bool, Branch] = {}
        for effect in rule.target(branch.state, self._scene):
            if effect.assumption and not sides:
                forked = self._forks.split(branch, Undecided(effect.assumption))
                if forked is None:
                    yield _given_up(spot, branch)
                    return
                sides = dict(zip((True, False), forked, strict=True))
            after = sides.get(effect.holds, branch)
            after = after.but(state=effect.state, weight=after.weight * effect.share)
            yield effect.disposition, after.then(spot.step(after, effect.action, effect.event))

    def _jump(self, spot: Spot, rule: Rule, branch: Branch) -> Iterator[Left]:
        """A jump comes back after this rule; a goto after the jump that led to this chain."""
        name = rule.target_name
        action, back = (Action.GOTO, Disposition.RETURN) if rule.is_goto else (Action.JUMP, Disposition.CONTINUE)
        jumped = branch.then(spot.step(branch, action, Jumped(name)))
        if name in spot.chains or len(spot.chains) > DEEPEST_JUMP:
            circle = spot.step(branch, Action.UNDECIDED, CircularJump(name))
            yield Disposition.UNDECIDED, jumped.then(circle)
            return
        for disposition, after in self._walk(spot.into(name), jumped):
            yield (back if disposition is Disposition.RETURN else disposition), after


def _open_question(branch: Branch, questions: tuple[Undecided, ...]) -> Undecided | bool:
    """What remains to be asked, as one question; True or False if the assumptions so far say it all."""
    unknown = []
    for question in questions:
        known = branch.known(question)
        if known is None:
            unknown.append(question)
        elif known is question.inverted:
            return False
    if len(unknown) < 2:
        return unknown[0] if unknown else True
    parts = tuple(Part(each.question, each.inverted) for each in unknown)
    return Undecided(AllHold(parts), lasting=all(each.lasting for each in unknown))


def _assumed(spot: Spot, side: Branch, question: Undecided) -> Branch:
    """One side of a fork, with a step that says which."""
    event = Assumed(question.question, side.assumptions[-1].holds)
    return side.then(spot.step(side, Action.UNDECIDED, event))


def _given_up(spot: Spot, branch: Branch, limit: Limit = Limit.QUESTIONS) -> Left:
    return Disposition.UNDECIDED, branch.then(spot.step(branch, Action.UNDECIDED, GivenUp(limit)))
