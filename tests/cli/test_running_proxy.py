"""Commands on a node take their configuration from the proxy that runs there; what is given by hand wins."""

import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import click
import msgspec
import pytest
from click.testing import CliRunner

from pykubeproxy.cli import running_proxy
from pykubeproxy.cli.options import our_options
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.cli.running_proxy import NodeConfig, config_of_node, options_of_node
from pykubeproxy.config.types import KubeProxyConfiguration
from pykubeproxy.config.write import as_api_object
from pykubeproxy.daemon.setup.run_settings import CommitMode, OwnOptions
from pykubeproxy.explain.status.published import ObjectSource, ProxyStatus
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.proxy_endpoints import RunningProxy
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.rules.options import Dispatch
from tests.explain.status.nodes import ANSWER, FAMILIES, KUBE_PROXY, PROCESS, STATUS

SHOWN = KubeProxyConfiguration(cluster_cidr="10.244.0.0/16", hostname_override="node-a", detect_local_mode="NodeCIDR")
ADDRESS = IP(Family.IPV4, "192.0.2.7")
CHOSEN = msgspec.structs.replace(
    STATUS,
    dispatch="linear",
    commit="single",
    only_family=Family.IPV4,
    host_addresses=(ADDRESS.text,),
    source=ObjectSource(manifests="/srv/objects"),
    master="https://10.0.0.9",
    families=FAMILIES[:1],
)


NONE = RunningProxy()
STOPPED = RunningProxy(processes=(msgspec.structs.replace(PROCESS, state="T"),))
BY_HAND = "what follows is by the command line alone; `pykubeproxy status` says more\n"


def running(
    status: ProxyStatus | None = STATUS, config: KubeProxyConfiguration = SHOWN, owner: int | None = os.geteuid()
) -> RunningProxy:
    shown = msgspec.json.encode(as_api_object(config))
    process = PROCESS if status is not None else KUBE_PROXY
    answer = msgspec.structs.replace(ANSWER, status=status, owner=owner, is_trusted=owner == os.geteuid())
    return RunningProxy(processes=(process,), process=process, answer=answer, config=shown)


def ask(its: RunningProxy, *arguments: str, objects: tuple[str, ...] = ()) -> tuple[NodeConfig, str]:
    """What a command is told of a node on which this runs, and what it says on stderr."""
    found: list[NodeConfig] = []

    @click.command()
    @our_options
    @kube_proxy_flags()
    def command(own_options: OwnOptions, flags: Mapping[str, object]) -> None:
        found.append(config_of_node(flags, own_options, objects))

    with patch.object(running_proxy, "find_running", lambda: its):
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    return found[0], result.stderr


def test_where_none_runs_the_command_line_is_all_there_is() -> None:
    node, said = ask(NONE, "--cluster-cidr=10.1.0.0/16", "--dispatch=linear")
    assert node.completed.cluster_cidrs == ("10.1.0.0/16",)
    assert (node.own_options, said) == (OwnOptions(dispatch=Dispatch.LINEAR), "")


def test_everything_is_as_in_the_running_proxy() -> None:
    node, said = ask(running(CHOSEN))
    assert (node.completed.config.cluster_cidr, node.completed.cluster_cidrs) == ("10.244.0.0/16", ("10.244.0.0/16",))
    assert node.completed.config.detect_local_mode == "NodeCIDR"
    assert (node.completed.node_name, node.completed.master) == ("node-a", "https://10.0.0.9")
    assert node.own_options == OwnOptions(
        families=(Family.IPV4,),
        backend=Backend.NFT,
        dispatch=Dispatch.LINEAR,
        commit=CommitMode.SINGLE,
        host_addresses=(ADDRESS,),
    )
    assert (node.objects, said) == (("/srv/objects",), "configuration of the running proxy (pid 4711)\n")


def test_what_is_given_by_hand_wins() -> None:
    node, said = ask(
        running(CHOSEN),
        *("--cluster-cidr=10.1.0.0/16", "--hostname-override=node-b", "--master=https://10.0.0.1"),
        *("--dispatch=tree", "--commit=auto", "--backend=auto", "--family=ipv6", "--host-address=192.0.2.8"),
        objects=("here",),
    )
    assert node.completed.cluster_cidrs == ("10.1.0.0/16",)
    assert node.completed.config.detect_local_mode == "NodeCIDR", "which was not given by hand"
    assert (node.completed.node_name, node.completed.master) == ("node-b", "https://10.0.0.1")
    assert node.own_options == OwnOptions(families=(Family.IPV6,), host_addresses=(IP(Family.IPV4, "192.0.2.8"),))
    assert node.objects == ("here",)
    assert said == "configuration of the running proxy (pid 4711)\n", "and nothing of flags that are ignored"


def test_a_configuration_file_given_by_hand_is_all_there_is(tmp_path: Path) -> None:
    file = tmp_path / "file"
    kind = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    file.write_text(f"{kind}clusterCIDR: 10.9.0.0/16\n")
    node, said = ask(running(CHOSEN), f"--config={file}")
    assert (node.completed.cluster_cidrs, said) == (("10.9.0.0/16",), "")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (running(owner=4242), "its metrics server belongs to user 4242, who is neither root nor you"),
        (running(owner=None), "its metrics server belongs to somebody unknown, who is neither root nor you"),
        (running(None, msgspec.structs.replace(SHOWN, mode="nftables")), "nftables"),
    ],
    ids=["another user's", "nobody's", "another mode"],
)
def test_a_configuration_that_cannot_be_used(found: RunningProxy, why: str) -> None:
    node, said = ask(found, "--cluster-cidr=10.1.0.0/16")
    assert node.completed.cluster_cidrs == ("10.1.0.0/16",)
    assert said.startswith("note: the configuration of the running ")
    assert why in said


@pytest.mark.parametrize(
    ("its", "dispatch", "said"),
    [
        (NONE, Dispatch.TREE, ""),
        (STOPPED, Dispatch.TREE, f"note: pykubeproxy (pid 4711) is stopped: {BY_HAND}"),
        (running(None), Dispatch.TREE, ""),
        (running(CHOSEN, owner=4242), Dispatch.TREE, ""),
        (running(CHOSEN), Dispatch.LINEAR, "configuration of the running proxy (pid 4711)\n"),
    ],
)
def test_commands_that_need_only_our_own_options(its: RunningProxy, dispatch: Dispatch, said: str) -> None:
    @click.command()
    @our_options
    def command(own_options: OwnOptions) -> None:
        assert options_of_node(own_options).dispatch is dispatch

    with patch.object(running_proxy, "find_running", lambda: its):
        assert CliRunner().invoke(command, [], catch_exceptions=False).stderr == said
