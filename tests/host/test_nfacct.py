"""The kernel's counters by name."""

from functools import partial

import pytest

from pykubeproxy.host import nfacct
from pykubeproxy.host.netlink import NetlinkError
from tests.host.namespace import namespace, needs_root

pytestmark = needs_root


def test_a_counter_is_made_once_and_read() -> None:
    with namespace() as node:
        assert node.run(partial(nfacct.packets, "counter")) is None
        try:
            node.run(partial(nfacct.ensure, "counter"))
        except NetlinkError as error:
            pytest.skip(f"this kernel has no nfacct: {error}")
        node.run(partial(nfacct.ensure, "counter"))
        assert node.run(partial(nfacct.packets, "counter")) == 0
        assert node.run(partial(nfacct.packets, "another")) is None


def test_a_name_that_the_kernel_does_not_take_is_an_error() -> None:
    with namespace() as node, pytest.raises(NetlinkError, match="cannot make the counter "):
        node.run(partial(nfacct.ensure, "x" * 100))
