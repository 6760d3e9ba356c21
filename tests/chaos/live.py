"""Judging the live rules of a node."""

import sys
from collections.abc import Sequence

from e2e.netns import Namespace

SECONDS = 60.0


def is_in_sync(node: Namespace, flags: Sequence[str]) -> bool:
    """True if the live rules are those that the objects in the API amount to, as `pykubeproxy diff` sees it."""
    done = node.exec([sys.executable, "-m", "pykubeproxy", "diff", *flags], check=False, seconds=SECONDS)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0
