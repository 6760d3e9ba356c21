"""Removes what labs have left behind that were killed with SIGKILL: `python -m e2e.sweep`.

Every namespace of a lab carries the process id of its maker in its name. Where that process is gone, so should the
namespace be; labs that run now are left alone.
"""

import re
from pathlib import Path

from e2e import netns
from e2e.lab import NAME_PREFIX


def orphans() -> list[str]:
    """The namespaces whose makers are no more."""
    pattern = re.compile(rf"{NAME_PREFIX}(\d+)-")
    named = ((name, pattern.match(name)) for name in netns.existing(NAME_PREFIX))
    return [name for name, match in named if match and not Path("/proc", match[1]).exists()]


def main() -> None:
    """Removes the orphans and says so."""
    for name in orphans():
        netns.remove(name)
        print(f"removed network namespace {name}")


if __name__ == "__main__":
    main()
