"""The checks of one State, by name. Each raises Finding, or whatever it stumbles over."""

from collections.abc import Callable

from fuzz.compiling import compiled, limits_of
from fuzz.kernel import Kernel
from fuzz.meaning import check_meaning
from fuzz.order import check_order
from fuzz.parser_targets import targets
from fuzz.parsers import check_parser
from fuzz.rule_lines import check_lines
from fuzz.states import State
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.options import Dispatch

Check = Callable[[State], None]

# Inputs for each parser with each state.
INPUTS = 3


def check_rules(state: State) -> None:
    """Both families in both layouts: every line is one that is meant, and packets fare as is promised."""
    with limits_of(state):
        for family in Family:
            for dispatch in Dispatch:
                ruleset = compiled(state, family, dispatch)
                check_lines(ruleset)
                check_meaning(state, family, ruleset)


def check_history(state: State) -> None:
    """One family in one layout, which take turns: any order of events gives the same rules, and safely."""
    with limits_of(state):
        check_order(state, tuple(Family)[state.number % 2], tuple(Dispatch)[state.number // 2 % 2])


def check_parsers(state: State) -> None:
    """Every parser bears some inputs."""
    for target in targets():
        check_parser(target, state.number, INPUTS)


def kernel_check(kernel: Kernel, every: int) -> Check:
    """A check of every so many states in a real kernel."""

    def check_kernel(state: State) -> None:
        if state.number % every == 0:
            with limits_of(state):
                kernel.check(state)

    return check_kernel


CHECKS: dict[str, Check] = {"meaning": check_rules, "order": check_history, "parsers": check_parsers}
