"""What is said of kube-proxy's ipvs mode; the words for tables are seen where `diff` prints them."""

import pytest

from pykubeproxy.explain.notes import ipvs_removal, ipvs_text
from pykubeproxy.model.leftovers import Leftovers

INTERFACE = Leftovers(interfaces=("kube-ipvs0",))
CLEARED = Leftovers(interfaces=("kube-ipvs0",), has_virtual_services=True)
SETS = Leftovers(ip_sets=("KUBE-6-LOOP-BACK", "KUBE-CLUSTER-IP"), has_virtual_services=True)


@pytest.mark.parametrize(
    ("leftovers", "command"),
    [
        (INTERFACE, "ip link delete kube-ipvs0"),
        (CLEARED, "ipvsadm --clear; ip link delete kube-ipvs0"),
        (SETS, "ipset destroy KUBE-6-LOOP-BACK; ipset destroy KUBE-CLUSTER-IP"),
    ],
)
def test_virtual_services_are_only_cleared_with_kube_proxys_interface(leftovers: Leftovers, command: str) -> None:
    assert ipvs_removal(leftovers) == command


def test_all_that_is_left_is_named() -> None:
    both = Leftovers(interfaces=INTERFACE.interfaces, ip_sets=SETS.ip_sets)
    assert ipvs_text(both).startswith(
        "left by kube-proxy's ipvs mode: interface kube-ipvs0; IP sets KUBE-6-LOOP-BACK, KUBE-CLUSTER-IP; to remove"
    )
