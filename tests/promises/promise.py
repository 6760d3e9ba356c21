"""What a promise is, and how it can be broken on purpose."""

from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]


class Broken(Struct, frozen=True, kw_only=True):
    """One way to break a promise: in `file`, `old` (which is there just once) is replaced by `new`; `how` says so."""

    how: str
    file: str
    old: str
    new: str

    def text(self, root: Path = ROOT) -> str:
        """The file as it would be. Raises ValueError if there is nothing, or too much, to replace."""
        before = (root / self.file).read_text()
        count = before.count(self.old)
        if count != 1:
            raise ValueError(f"{self.file}: {count} times instead of once: {self.old!r}")
        return before.replace(self.old, self.new)


class Promise(Struct, frozen=True, kw_only=True):
    """What users may rely on, `words`; the `test` that shows it, narrowed down by `only` as pytest's -k takes it.

    `broken` is what the test must notice.
    """

    words: str
    test: str
    only: str = ""
    broken: Broken
