"""Programs in front of the real iptables-restore, found first in PATH: they watch it, spoil its input, or hold it up.

The real tool is run in the end; everything else that the program does stays as it is.
"""

import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from pykubeproxy.host.backend import Tools
from pykubeproxy.host.iptables import IptablesHost
from tests.kernel.machine import KINDS, Kind, Machine


class StandIns:
    """A folder to be put in front of PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "log"
        folder.mkdir()

    @property
    def path(self) -> str:
        """For PATH."""
        return str(self.folder)

    @property
    def passed_on(self) -> Path:
        """A file that is there once `stopping_after` has passed on its lines."""
        return self.folder / "passed-on"

    @property
    def calls(self) -> list[str]:
        """The command lines of the iptables-restore that were run to write something, in their order."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line for line in lines if " --test" not in line]

    def watching(self) -> "StandIns":
        """Only take note of each call."""
        return self._install('exec "$real" "$@"')

    def spoiling_nat(self, while_there: Path) -> "StandIns":
        """Put a line that no tool takes at the end of the nat section, for as long as a file is there."""
        spoil = '/^\\*/ { table = $1 } /^COMMIT/ && table == "*nat" { print "-A KUBE-NO-SUCH-CHAIN -j ACCEPT" } 1'
        return self._install(f"""\
if [ -e {while_there} ]; then awk '{spoil}' | "$real" "$@"; else exec "$real" "$@"; fi""")

    def refusing(self, text: str, complaint: str = "") -> "StandIns":
        """As on a kernel that lacks something: refuse a table with such a rule, after those before it are committed.

        Like the real ones, the nft tools name the line, and the legacy ones its COMMIT; after the `complaint`, if any.
        """
        return self._install(f"""\
input=$(mktemp {self.folder}/input-XXXXXX)
cat >"$input"
line=$(grep -n -m1 -e '{text}' "$input" | cut -d: -f1)
if [ -z "$line" ]; then "$real" "$@" <"$input"; exit; fi
done=$(head -n "$line" "$input" | grep -n '^COMMIT' | tail -n1 | cut -d: -f1)
if [ -n "$done" ]; then head -n "$done" "$input" | "$real" "$@"; fi
if [ -n '{complaint}' ]; then echo '{complaint}' >&2; fi
case "$real" in
*legacy*) line=$(awk -v n="$line" 'NR > n && /^COMMIT/ {{ print NR; exit }}' "$input")
    echo "iptables-restore: line $line failed" >&2; exit 1 ;;
*) echo "line $line: RULE_APPEND failed (No such file or directory): rule in chain X" >&2; exit 4 ;;
esac""")

    def waiting(self, until_there: Path) -> "StandIns":
        """Write only once a file is there."""
        return self._install(f"""\
case "$*" in *--test*) ;; *) while [ ! -e {until_there} ]; do sleep 0.01; done ;; esac
exec "$real" "$@\"""")

    def stopping_after(self, lines: int, until_there: Path) -> "StandIns":
        """Pass some lines on, then make the file `passed_on`; pass on the others only once another file is there."""
        # Unbuffered, since what an awk has read ahead would still be passed on after its writer is dead.
        hold = f"touch {self.passed_on}; until [ -e {until_there} ]; do sleep 0.01; done; cat"
        return self._install(f"""{{ sed -u {lines}q5 || {{ {hold}; }}; }} | "$real" "$@\"""")

    def copying_to(self, file: Path) -> "StandIns":
        """Keep what is written."""
        return self._install(f"""\
case "$*" in *--test*) exec "$real" "$@" ;; esac
tee -a {file} | "$real" "$@\"""")

    def followed_by(self, command: Sequence[str]) -> "StandIns":
        """Run a command at once after the first write, before it is known to be done."""
        return self._install(f"""\
case "$*" in *--test*) exec "$real" "$@" ;; esac
"$real" "$@" || exit
mkdir {self.folder}/followed 2>/dev/null && {" ".join(command)}
exit 0""")

    def wording(self, *edits: str) -> "StandIns":
        """Print rules in other words: `edits` are those of sed, made to what the iptables-save tools print."""
        for kind in KINDS:
            if real := shutil.which(f"{kind.program}-save"):
                script = " ".join(f"-e '{edit}'" for edit in edits)
                body = f'{real} "$@" >{self.folder}/$$ && sed {script} {self.folder}/$$'
                put_script(self.folder / f"{kind.program}-save", body)
        return self

    def _install(self, action: str) -> "StandIns":
        for kind in KINDS:
            tool = f"{kind.program}-restore"
            if real := shutil.which(tool):
                put_script(self.folder / tool, f'real={real}\necho "{tool} $*" >>{self._log}\n{action}')
        return self


def put_script(path: Path, body: str) -> None:
    """Make a program, in a folder that need not be there."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(stat.S_IRWXU | stat.S_IXGRP | stat.S_IRGRP)


def host_in(machine: Machine, kind: Kind, folder: Path) -> IptablesHost:
    """A host of this process whose tools are started in the machine, by way of scripts in a folder."""
    paths = {}
    for what in ("save", "restore"):
        paths[what] = str(folder / what)
        put_script(folder / what, f'exec {" ".join(machine.argv([f"{kind.program}-{what}"]))} "$@"')
    return IptablesHost(Tools(family=kind.family, backend=kind.backend, version=(1, 8, 9), **paths))
