"""kube-proxy itself on a node of a lab: which flags it needs there, and which iptables tools it finds."""

import shutil
from pathlib import Path

from e2e.netns import LabError

TOOLS = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")

UNMANAGED = (
    "--conntrack-max-per-core=0",
    "--conntrack-min=0",
    "--conntrack-tcp-timeout-established=0s",
    "--conntrack-tcp-timeout-close-wait=0s",
)
"""What belongs to the machine as a whole cannot be set from within a network namespace."""


def plain_tools(folder: Path, backend: str) -> Path:
    """Make a folder, to be put in front of PATH, in which the plain names of the tools mean those of one backend.

    Raises LabError if they are not there.
    """
    folder.mkdir()
    for name in TOOLS:
        program, dash, action = name.partition("-")
        found = shutil.which(f"{program}-{backend}{dash}{action}")
        if found is None:
            raise LabError(f"there is no {program}-{backend}{dash}{action}")
        (folder / name).symlink_to(found)
    return folder
