"""A packet in one table at one hook: its chains, jumps and returns."""

from collections.abc import Iterator

import msgspec

from pykubeproxy.netfilter.branch import Branch, BranchSplitter, merged
from pykubeproxy.netfilter.effect import Action, RuleVerdict
from pykubeproxy.netfilter.events import (
    Assumed,
    CircularJump,
    Event,
    Jumped,
    Limit,
    LimitReached,
    MayMatch,
    PolicyApplied,
)
from pykubeproxy.netfilter.indexed_ruleset import IndexedRuleset
from pykubeproxy.netfilter.match_results import Undecided
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.questions import AllHold, QuestionPart
from pykubeproxy.netfilter.rule import Rule, RuleMatch, match_rule
from pykubeproxy.netfilter.state import TraceContext

# Deeper than any kernel jumps (nf_tables allows 16).
DEEPEST_JUMP = 100

# Branches that may go through one chain side by side, in different states.
MOST_BRANCHES = 256

# Targets that are never looked for among the chains.
_VERDICTS = frozenset({"", "ACCEPT", "DROP", "RETURN", "QUEUE"})

# A branch, and how it left a rule or a chain. RETURN from a chain means that it goes on after the jump.
BranchExit = tuple[RuleVerdict, Branch]


class Location(msgspec.Struct, frozen=True, kw_only=True):
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

    def at(self, position: int, rule: Rule) -> "Location":
        """A rule in the same chain."""
        return Location(table=self.table, chains=self.chains, position=position, rule=rule)

    def into(self, chain: str) -> "Location":
        """The chain to which this rule jumps."""
        return Location(table=self.table, chains=(*self.chains, chain))

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
    """Walks branches through the chains of a IndexedRuleset."""

    def __init__(self, ruleset: IndexedRuleset, context: TraceContext, forks: BranchSplitter) -> None:
        self._ruleset = ruleset
        self._context = context
        self._splitter = forks

    def traverse(self, table: str, branch: Branch) -> Iterator[BranchExit]:
        """A branch through the built-in chain of the hook it is at, its policy included: ACCEPT or a worse end."""
        here = Location(table=table, chains=(branch.state.hook,))
        policy = self._ruleset.policy(table, here.chain)
        if self._ruleset.is_empty(table, here.chain) and policy == "ACCEPT":
            yield RuleVerdict.ACCEPT, branch
            return
        fallen = []
        for verdict, found in self._walk(here, branch):
            if verdict is RuleVerdict.RETURN:
                fallen.append(found)
            else:
                yield verdict, found
        decided = RuleVerdict.ACCEPT if policy == "ACCEPT" else RuleVerdict.DROP
        for found in merged(fallen):
            yield decided, found.then(here.step(found, Action.POLICY, PolicyApplied(policy, here.chain)))

    def _walk(self, here: Location, branch: Branch) -> Iterator[BranchExit]:
        """A branch through a chain; what comes back, at the end of the chain or earlier, is RETURN."""
        live = [branch]
        address = self._context.address_text(branch.state.destination)
        port = branch.state.destination_port
        for position, rule in self._ruleset.candidates(here.table, here.chain, address, port):
            location = here.at(position, rule)
            going_on: list[Branch] = []
            for each in live:
                for verdict, after in self._meet(location, rule, each):
                    if verdict is RuleVerdict.CONTINUE:
                        going_on.append(after)
                    else:
                        yield verdict, after
            live = merged(going_on)
            if len(live) > MOST_BRANCHES:
                yield from (_given_up(location, each, Limit.BRANCHES) for each in live)
                return
            if not live:
                break
        for each in live:
            yield RuleVerdict.RETURN, each

    def _meet(self, location: Location, rule: Rule, branch: Branch) -> Iterator[BranchExit]:
        """A branch and one rule."""
        rule_match = match_rule(rule, branch.state, self._context)
        if rule_match is None:
            yield RuleVerdict.CONTINUE, branch
            return
        if rule_match.state is not branch.state:
            branch = branch.but(state=rule_match.state)
        if not rule_match.share:
            yield RuleVerdict.CONTINUE, branch
        elif rule_match.share == 1 and not rule_match.questions:
            yield from self._hit(location, rule, branch)
        elif rule.is_passive:
            event = MayMatch(rule.target_name)
            yield RuleVerdict.CONTINUE, branch.then(location.step(branch, Action.NOTE, event))
        else:
            yield from self._split(location, rule, branch, rule_match)

    def _split(self, location: Location, rule: Rule, branch: Branch, rule_match: RuleMatch) -> Iterator[BranchExit]:
        """A branch and a rule that matches by chance, or nobody knows whether."""
        question = _open_question(branch, rule_match.questions)
        if question is False:
            yield RuleVerdict.CONTINUE, branch
            return
        if isinstance(question, Undecided):
            sides = self._splitter.split(branch, question)
            if sides is None:
                yield _given_up(location, branch)
                return
            matching, other = reversed(sides) if question.inverted else sides
            yield RuleVerdict.CONTINUE, _assumed(location, other, question)
            branch = _assumed(location, matching, question)
        if rule_match.share != 1:
            yield RuleVerdict.CONTINUE, branch.but(weight=branch.weight * (1 - rule_match.share))
            branch = branch.but(weight=branch.weight * rule_match.share)
        yield from self._hit(location, rule, branch)

    def _hit(self, location: Location, rule: Rule, branch: Branch) -> Iterator[BranchExit]:
        """A branch and a rule that matches it."""
        if rule.target_name not in _VERDICTS and self._ruleset.has_chain(location.table, rule.target_name):
            yield from self._jump(location, rule, branch)
            return
        sides: dict[bool, Branch] = {}
        for effect in rule.target(branch.state, self._context):
            if effect.assumption and not sides:
                forked = self._splitter.split(branch, Undecided(effect.assumption))
                if forked is None:
                    yield _given_up(location, branch)
                    return
                sides = dict(zip((True, False), forked, strict=True))
            after = sides.get(effect.holds, branch)
            after = after.but(state=effect.state, weight=after.weight * effect.share)
            yield effect.verdict, after.then(location.step(after, effect.action, effect.event))

    def _jump(self, location: Location, rule: Rule, branch: Branch) -> Iterator[BranchExit]:
        """A jump comes back after this rule; a goto after the jump that led to this chain."""
        name = rule.target_name
        action, back = (Action.GOTO, RuleVerdict.RETURN) if rule.is_goto else (Action.JUMP, RuleVerdict.CONTINUE)
        jumped = branch.then(location.step(branch, action, Jumped(name)))
        if name in location.chains or len(location.chains) > DEEPEST_JUMP:
            circle = location.step(branch, Action.UNDECIDED, CircularJump(name))
            yield RuleVerdict.UNDECIDED, jumped.then(circle)
            return
        for verdict, after in self._walk(location.into(name), jumped):
            yield (back if verdict is RuleVerdict.RETURN else verdict), after


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
    parts = tuple(QuestionPart(each.question, each.inverted) for each in unknown)
    return Undecided(AllHold(parts), lasting=all(each.lasting for each in unknown))


def _assumed(location: Location, side: Branch, question: Undecided) -> Branch:
    """One side of a fork, with a step that says which."""
    event = Assumed(question.question, side.assumptions[-1].holds)
    return side.then(location.step(side, Action.UNDECIDED, event))


def _given_up(location: Location, branch: Branch, limit: Limit = Limit.QUESTIONS) -> BranchExit:
    return RuleVerdict.UNDECIDED, branch.then(location.step(branch, Action.UNDECIDED, LimitReached(limit)))
