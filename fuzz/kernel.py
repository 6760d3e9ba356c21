"""States in a real kernel: every rule is taken, printed back as it was written, and found to need no change.

Each in a network namespace of its own, with the nft and the legacy tools where the machine has them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from e2e.netns import LabError
from fuzz.compiling import chains_of, options_for, snapshot_of
from fuzz.findings import Finding, expect
from fuzz.states import NODE, State
from pykubeproxy.model.ip import Family
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.payload import Payload
from pykubeproxy.plan.sections import sections
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, Ruleset, render
from tests.kernel.machine import KINDS, Kind, Machine, machine, why_no_machine, why_without

_SECTION = 10


@contextmanager
def open_kernel() -> Iterator["Kernel"]:
    """The kernel of this machine; the namespace is removed at the end."""
    with machine() as fresh:
        yield Kernel(fresh, [kind for kind in KINDS if why_without(kind) is None])


def why_no_kernel() -> str | None:
    """Why rules cannot be loaded into this machine's kernel, or None."""
    return why_no_machine() or (None if any(why_without(kind) is None for kind in KINDS) else "there are no iptables")


class Kernel:
    """A namespace, and the kinds of iptables that work in it."""

    def __init__(self, its: Machine, kinds: list[Kind]) -> None:
        self._machine = its
        self.kinds = kinds

    def check(self, state: State) -> None:
        """Load what the state was before, then what leads to the state from there. Raises Finding."""
        for index, kind in enumerate(self.kinds):
            dispatch = tuple(Dispatch)[(state.number + index // 2) % 2]
            try:
                self._check(state, kind, dispatch)
            except (LabError, Finding) as problem:
                raise Finding(f"{kind}, {dispatch}: {problem}") from None

    def _check(self, state: State, kind: Kind, dispatch: Dispatch) -> None:
        old = _compiled(state, (*state.objects[::2], *state.history), kind.family, dispatch)
        new = _compiled(state, state.objects, kind.family, dispatch)
        self._machine.clear(kind)
        self._machine.load(kind, _text(render(old)))
        live = self._machine.rules(kind)
        _compare(old, live)
        expect(holds=diff(old, live).is_empty, otherwise="what was written is not what was meant: a permanent change")
        self._machine.load(kind, _text(Payload(*sections(diff(new, live), _SECTION))), "--counters")
        live = self._machine.rules(kind)
        _compare(new, live)
        expect(holds=diff(new, live).is_empty, otherwise="a Plan that was carried out leaves something to do")


def _compiled(state: State, objects: tuple[dict[str, object], ...], family: Family, dispatch: Dispatch) -> Ruleset:
    snapshot = snapshot_of(objects)
    return compile_ruleset(snapshot, options_for(state.flags, snapshot.nodes.get(NODE), family, dispatch))


def _compare(written: Ruleset, live: Ruleset) -> None:
    """Every chain reads back as it was written, and there are no others."""
    ours, theirs = chains_of(written), chains_of(live)
    for chain in sorted(ours.keys() | theirs.keys()):
        if ours.get(chain, ()) != theirs.get(chain, ()) or (
            (chain in ours) != (chain in theirs) and chain[1] not in BUILTIN_CHAINS[chain[0]]
        ):
            raise Finding(f"{' '.join(chain)} reads back otherwise\n  {ours.get(chain)}\n  {theirs.get(chain)}")


def _text(lines: object) -> str:
    return "".join(f"{line}\n" for line in lines)  # type: ignore[attr-defined]
