"""A packet in one table at one hook: the rules of its chains in order, jumps, and returns."""

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

# A trace is given up beyond so many branches in one chain, all in different states.
MOST_BRANCHES = 256

# Targets that are verdicts even if a chain has the same name.
_VERDICTS = frozenset({"", "ACCEPT", "DROP", "RETURN", "QUEUE"})

# The verdict of a rule or chain, and the branch that got it. RETURN of a chain: the branch goes on behind the jump.
BranchVerdict = tuple[RuleVerdict, Branch]


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in a chain of a table, or without a rule the chain as a whole.

    `chains` are the built-in chain, those to which jumps led from there, and the rule's own as the last one.
    """

    table: str
    chains: tuple[str, ...]
    position: int = 0
    rule: Rule | None = None

    @property
    def chain(self) -> str:
        """The chain that holds the rule."""
        return self.chains[-1]

    def at(self, position: int, rule: Rule) -> "Location":
        """The location of a rule in the same chain."""
        return Location(table=self.table, chains=self.chains, position=position, rule=rule)

    def into(self, chain: str) -> "Location":
        """The location of the chain to which this rule jumps."""
        return Location(table=self.table, chains=(*self.chains, chain))

    def step(self, branch: Branch, action: Action, event: Event) -> Step:
        """The step of something that happens to a branch here."""
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
    """Follows branches through the chains of a Ruleset."""

    def __init__(self, ruleset: IndexedRuleset, context: TraceContext, splitter: BranchSplitter) -> None:
        self._ruleset = ruleset
        self._context = context
        self._splitter = splitter

    def traverse(self, table: str, branch: Branch) -> Iterator[BranchVerdict]:
        """Follow a branch through the built-in chain of its hook, policy included. No verdict is CONTINUE or RETURN."""
        here = Location(table=table, chains=(branch.state.hook,))
        policy = self._ruleset.policy(table, here.chain)
        if self._ruleset.is_empty(table, here.chain) and policy == "ACCEPT":
            yield RuleVerdict.ACCEPT, branch
            return
        returned = []
        for verdict, after in self._walk(here, branch):
            if verdict is RuleVerdict.RETURN:
                returned.append(after)
            else:
                yield verdict, after
        policy_verdict = RuleVerdict.ACCEPT if policy == "ACCEPT" else RuleVerdict.DROP
        for after in merged(returned):
            yield policy_verdict, after.then(here.step(after, Action.POLICY, PolicyApplied(policy, here.chain)))

    def _walk(self, here: Location, branch: Branch) -> Iterator[BranchVerdict]:
        """Follow a branch through a chain; the verdict at the end of the chain is RETURN."""
        branches = [branch]
        address = self._context.address_text(branch.state.destination)
        port = branch.state.destination_port
        for position, rule in self._ruleset.candidates(here.table, here.chain, address, port):
            location = here.at(position, rule)
            continuing: list[Branch] = []
            for each in branches:
                for verdict, after in self._meet(location, rule, each):
                    if verdict is RuleVerdict.CONTINUE:
                        continuing.append(after)
                    else:
                        yield verdict, after
            branches = merged(continuing)
            if len(branches) > MOST_BRANCHES:
                yield from (_given_up(location, each, Limit.BRANCHES) for each in branches)
                return
            if not branches:
                break
        for each in branches:
            yield RuleVerdict.RETURN, each

    def _meet(self, location: Location, rule: Rule, branch: Branch) -> Iterator[BranchVerdict]:
        """Apply a rule to a branch, if it matches."""
        found = match_rule(rule, branch.state, self._context)
        if found is None:
            yield RuleVerdict.CONTINUE, branch
            return
        if found.state is not branch.state:
            branch = branch.but(state=found.state)
        if not found.share:
            yield RuleVerdict.CONTINUE, branch
        elif found.share == 1 and not found.questions:
            yield from self._apply(location, rule, branch)
        elif rule.is_passive:
            # Whether it matches makes no difference: no need to divide the branch.
            event = MayMatch(rule.target_name)
            yield RuleVerdict.CONTINUE, branch.then(location.step(branch, Action.NOTE, event))
        else:
            yield from self._split(location, rule, branch, found)

    def _split(self, location: Location, rule: Rule, branch: Branch, found: RuleMatch) -> Iterator[BranchVerdict]:
        """Apply a rule that matches with some probability, or depending on questions that cannot be decided."""
        question = _open_question(branch, found.questions)
        if question is False:
            yield RuleVerdict.CONTINUE, branch
            return
        if isinstance(question, Undecided):
            sides = self._splitter.split(branch, question)
            if sides is None:
                yield _given_up(location, branch)
                return
            matching, other = reversed(sides) if question.inverted else sides
            yield RuleVerdict.CONTINUE, _assuming(location, other, question)
            branch = _assuming(location, matching, question)
        if found.share != 1:
            yield RuleVerdict.CONTINUE, branch.but(weight=branch.weight * (1 - found.share))
            branch = branch.but(weight=branch.weight * found.share)
        yield from self._apply(location, rule, branch)

    def _apply(self, location: Location, rule: Rule, branch: Branch) -> Iterator[BranchVerdict]:
        """Apply the target of a rule that matches the whole branch."""
        if rule.target_name not in _VERDICTS and self._ruleset.has_chain(location.table, rule.target_name):
            yield from self._jump(location, rule, branch)
            return
        sides: dict[bool, Branch] = {}
        for effect in rule.target(branch.state, self._context):
            if effect.assumption and not sides:
                split = self._splitter.split(branch, Undecided(effect.assumption))
                if split is None:
                    yield _given_up(location, branch)
                    return
                sides = dict(zip((True, False), split, strict=True))
            after = sides.get(effect.holds, branch)
            after = after.but(state=effect.state, weight=after.weight * effect.share)
            yield effect.verdict, after.then(location.step(after, effect.action, effect.event))

    def _jump(self, location: Location, rule: Rule, branch: Branch) -> Iterator[BranchVerdict]:
        """Follow a jump, which comes back behind this rule, or a goto, which comes back behind the jump before it."""
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
    """The questions that the branch has no answer to yet, as one; True or False if its answers decide the match."""
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


def _assuming(location: Location, side: Branch, question: Undecided) -> Branch:
    """A branch with a step that says which answer it assumes."""
    event = Assumed(question.question, side.assumptions[-1].holds)
    return side.then(location.step(side, Action.UNDECIDED, event))


def _given_up(location: Location, branch: Branch, limit: Limit = Limit.QUESTIONS) -> BranchVerdict:
    return RuleVerdict.UNDECIDED, branch.then(location.step(branch, Action.UNDECIDED, LimitReached(limit)))
