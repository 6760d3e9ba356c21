"""What a promise is, and how it can be broken on purpose; all of them are in `promises.yaml`."""

from pathlib import Path

import msgspec
from msgspec import Struct

from tests.promises.mutation import mutated

ROOT = Path(__file__).parents[2]


class Promise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What users may rely on, `words`; the `test` that shows it, narrowed down by `only` as pytest's -k takes it.

    The test must notice if, at `place` (a file, and after a colon a function), the code `old` is `new`; `how` says so.
    Where `test` is for the night, `by_day` is a smaller one for every change.
    """

    words: str
    test: str
    only: str = ""
    by_day: str = ""
    how: str
    place: str = msgspec.field(name="in")
    old: str
    new: str

    @property
    def file(self) -> str:
        """The file that is broken."""
        return self.place.partition(":")[0]

    def broken(self, root: Path = ROOT) -> str:
        """The file as it would be. Raises ValueError if there is nothing, or too much, to replace."""
        return mutated((root / self.file).read_text(), self.place.partition(":")[2], self.old, self.new)


def read_promises() -> dict[str, tuple[Promise, ...]]:
    """All promises, by chapter."""
    text = Path(__file__).with_name("promises.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=dict[str, tuple[Promise, ...]])
