"""Stand-ins for the iptables tools, for what real ones do only on other machines, in other versions, or rarely."""

import stat
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.model.ip import Family

VERSIONS = {Backend.NFT: "iptables v1.8.9 (nf_tables)", Backend.LEGACY: "iptables v1.8.9 (legacy)"}


class FakeTools:
    """A folder of programs that is all there is in PATH, but for the shell."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        patch.setenv("PATH", str(folder))

    def add(self, name: str, said: str | bytes = "", *, complaint: str = "", status: int = 0, body: str = "") -> None:
        """A program that prints, complains, and ends with a status; `body` are further lines of its script."""
        for stream, text in (("out", said), ("err", complaint)):
            (self.folder / f"{name}.{stream}").write_bytes(text.encode() if isinstance(text, str) else text)
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        script = f"#!/bin/sh\n{body}\n/bin/cat {out}\n/bin/cat {err} >&2\nexit {status}\n"
        path = self.folder / name
        path.write_text(script)
        path.chmod(stat.S_IRWXU)

    def install(self, name: str, version: str, **dumps: str) -> None:
        """The three tools of one kind; `dumps` are what the save tool prints, by table."""
        self.add(name, f"{version}\n")
        for table, dump in dumps.items():
            (self.folder / f"{name}-{table}").write_text(dump)
        self.add(f"{name}-save", body=f'[ -e "{self.folder}/{name}-$2" ] && /bin/cat "{self.folder}/{name}-$2"')
        self.add(f"{name}-restore", body="/bin/cat >/dev/null")

    def host(self, backend: Backend = Backend.NFT) -> IptablesHost:
        """A host that runs `save` and `restore`."""
        return IptablesHost(
            Tools(family=Family.IPV4, backend=backend, save="save", restore="restore", version=(1, 8, 9))
        )
