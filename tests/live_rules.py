"""Random live rules: what a node may hold when a Service proxy comes to it.

Some of the wanted chains as they should be, some spoilt, some missing; chains of Services that are no more; chains and
rules of other programs, which may lead into ours; some of the jumps, anywhere. Always something that a kernel could
hold: every target exists.
"""

from random import Random

from hypothesis import strategies as st

from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, TABLES, Lines, Ruleset, Table, is_builtin
from tests.builders import snapshot
from tests.strategies import clusters, rule_options

VERDICTS = frozenset({"ACCEPT", "DROP", "RETURN", "REJECT", "DNAT", "MASQUERADE", "MARK", ""})
FOREIGN_CHAINS = ("DOCKER", "KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY", "MY-KUBE-SVC-COPY", "ufw-user-input")
STALE_CHAINS = ("KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-SEP-BBBBBBBBBBBBBBBB", "KUBE-FW-OLD", "KUBE-SVC-10.96.0.0/12")
FOREIGN_MATCHES = ("-s 9.9.9.9/32", "-p tcp", '-m comment --comment "KUBE-SERVICES -j DROP"', "-i docker0")


@st.composite
def desired_and_live(draw: st.DrawFn) -> tuple[Ruleset, Ruleset]:
    """What should be, and what is."""
    its: RuleOptions = draw(rule_options())
    desired = compile_ruleset(snapshot(*draw(clusters)), its)
    former = draw(st.sampled_from(["same", "none", "other cluster", "other options"]))
    before = Ruleset(tables={name: Table(chains={}) for name in TABLES})
    if former == "same":
        before = desired.copy()
    elif former == "other cluster":
        before = compile_ruleset(snapshot(*draw(clusters)), its)
    elif former == "other options":
        before = compile_ruleset(snapshot(*draw(clusters)), draw(rule_options()))
    return desired, _spoilt(before, desired, draw(st.randoms(use_true_random=False)), draw(st.integers(0, 3)))


def _spoilt(before: Ruleset, desired: Ruleset, random: Random, disorder: int) -> Ruleset:
    """The rules from before, after other programs have been at it; `disorder` 0 leaves ours as they were."""
    live = Ruleset(tables={})
    for name in TABLES:
        chains = dict(before.tables[name].chains)
        foreign = [*FOREIGN_CHAINS, *(STALE_CHAINS if disorder else ())]
        chains |= dict.fromkeys(random.sample(foreign, random.randint(0, len(foreign))), ())
        chains = dict.fromkeys(BUILTIN_CHAINS[name], ()) | chains
        if disorder:
            chains = {c: lines for c, lines in chains.items() if is_builtin(name, c) or random.randrange(8)}
            chains = {c: _disturbed(lines, random, disorder) for c, lines in chains.items()}
        targets = [*VERDICTS, *chains]
        for chain, lines in chains.items():
            if is_builtin(name, chain) or chain in foreign or (name, chain) in desired.shared:
                chains[chain] = _mixed(lines, [_foreign_rule(chain, targets, random) for _ in range(3)], random)
        chains = {
            chain: tuple(line for line in lines if target_of(line) in VERDICTS | chains.keys() - {chain})
            for chain, lines in chains.items()
        }
        live.tables[name] = Table(chains=chains, policies=dict.fromkeys(BUILTIN_CHAINS[name], "ACCEPT [1:60]"))
    return live


def _disturbed(lines: Lines, random: Random, disorder: int) -> Lines:
    changed = list(lines)
    for _ in range(random.randrange(disorder + 1)):
        match random.randrange(4) if changed else 3:
            case 0:
                changed.pop(random.randrange(len(changed)))
            case 1:
                changed.append(random.choice(changed))
            case 2:
                random.shuffle(changed)
            case _:
                pass
    return tuple(changed)


def _foreign_rule(chain: str, targets: list[str], random: Random) -> str:
    target = random.choice(targets)
    return f"-A {chain} {random.choice(FOREIGN_MATCHES)}{f' -j {target}' if target else ''}"


def _mixed(lines: Lines, others: list[str], random: Random) -> Lines:
    mixed = list(lines)
    for other in others:
        if random.randrange(2):
            mixed.insert(random.randint(0, len(mixed)), other)
    return tuple(mixed)
