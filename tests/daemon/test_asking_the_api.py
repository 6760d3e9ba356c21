"""`diff` and `trace` on a node of a cluster: the live rules beside what the API server says of the objects."""

import subprocess

from e2e.proxies import FLAGS
from tests.apiserver import testing
from tests.daemon.node import NAME, Node
from tests.daemon.traffic import lay_out

WEB, EMPTY = "10.96.0.20", "10.96.0.21"
CLIENT = "10.244.0.99"


def ask(node: Node, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the program on the node, as its administrator would."""
    its = (f"--kubeconfig={node.kubeconfig}", f"--hostname-override={NAME}", *FLAGS[:3])
    return node.machine.pykubeproxy(*words, *its)


def test_before_and_after_a_change(node: Node) -> None:
    lay_out(node, "10.244.0.5", "10.244.0.6")
    node.machine.set_sysctls(1, ["ipv4/ip_forward"])
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.api.create(testing.service("web", clusterIP=WEB))
    node.api.create(testing.endpoint_slice("web", "10.244.0.5", "10.244.0.6"))
    node.api.create(testing.service("empty", clusterIP=EMPTY))
    first = ask(node, "diff")
    assert (first.returncode, "default/web:http" in first.stdout) == (1, True), first.stdout + first.stderr

    daemon = node.start().wait_synced()
    same = ask(node, "diff")
    assert (same.returncode, same.stdout.startswith("No changes.")) == (0, True), same.stdout + same.stderr

    found = ask(node, "trace", "--source", "api", "--from", CLIENT, "--to", "default/web")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "10.244.0.5:8080" in found.stdout
    assert "10.244.0.6:8080" in found.stdout
    refused = ask(node, "trace", "--source", "api", "--from", CLIENT, "--to", "default/empty:http")
    assert refused.returncode == 1
    assert "no endpoints" in refused.stdout

    daemon.end()
    node.api.apply(testing.endpoint_slice("web", "10.244.0.5"))
    changed = ask(node, "diff")
    assert changed.returncode == 1
    assert "endpoint 10.244.0.6:8080 removed" in changed.stdout
    # The trace walks the rules that are in force, whatever the API says by now.
    still = ask(node, "trace", "--source", "api", "--from", CLIENT, "--to", "default/web")
    assert "10.244.0.6:8080" in still.stdout


def test_the_running_proxy_says_how_it_is_configured(node: Node) -> None:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.api.create(testing.service("web", clusterIP=WEB))
    node.api.create(testing.endpoint_slice("web", "10.244.0.5"))
    node.start("--dispatch=linear", "--cluster-cidr=10.244.0.0/16", "--masquerade-all").wait_synced()
    same = node.machine.pykubeproxy("diff")
    assert (same.returncode, same.stdout) == (0, "No changes. The node matches the cluster.\n"), same.stderr
    assert same.stderr.startswith("configuration of the running proxy (pid ")
    assert same.stderr.count("\n") == 1
    other = node.machine.pykubeproxy("diff", "--masquerade-all=false")
    assert (other.returncode, "10.244.0.0/16" in other.stdout) == (1, True), other.stdout
    for words in (("trace", "--from", CLIENT, "--to", "default/web"), ("top", "--once", "--interval", "0.1")):
        assert "configuration of the running proxy" in node.machine.pykubeproxy(*words).stderr


def test_a_node_that_is_not_there_and_what_it_may_be_called(node: Node) -> None:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    wrong = node.machine.pykubeproxy("diff", f"--kubeconfig={node.kubeconfig}", "--hostname-override=nod-a")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "Error: --hostname-override nod-a: there is no Node of this name; did you mean node-a?\n"
