"""`diff` and `trace` on a node of a cluster: the live rules beside what the API server says of the objects."""

from e2e.proxies import FLAGS
from tests.apiserver import testing
from tests.daemon.node import NAME, Node
from tests.daemon.traffic import lay_out

CLIENT = "10.244.0.99"


def test_before_and_after_a_change(node: Node) -> None:
    def ask(*words: str) -> tuple[int, str]:
        its = (f"--kubeconfig={node.kubeconfig}", f"--hostname-override={NAME}", *FLAGS[:3])
        done = node.machine.pykubeproxy(*words, *its)
        return done.returncode, done.stdout

    def trace(service: str) -> tuple[int, str]:
        return ask("trace", "--source", "api", "--from", CLIENT, "--to", service)

    lay_out(node, "10.244.0.5", "10.244.0.6")
    node.machine.set_sysctls(1, ["ipv4/ip_forward"])
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.serve("10.244.0.5", "10.244.0.6")
    node.api.create(testing.service("empty", clusterIP="10.96.0.21"))
    status, told = ask("diff")
    assert (status, "default/web:http" in told) == (1, True), told
    daemon = node.start().wait_synced()
    assert ask("diff") == (0, "No changes. The node matches the cluster.\n")
    status, told = trace("default/web")
    assert (status, "10.244.0.5:8080" in told, "10.244.0.6:8080" in told) == (0, True, True), told
    status, told = trace("default/empty:http")
    assert (status, "no endpoints" in told) == (1, True), told

    daemon.end()
    node.move("10.244.0.5")
    status, told = ask("diff")
    assert (status, "endpoint 10.244.0.6:8080 removed" in told) == (1, True), told
    assert "10.244.0.6:8080" in trace("default/web")[1], "the rules that are in force, whatever the API says by now"
    wrong = node.machine.pykubeproxy("diff", f"--kubeconfig={node.kubeconfig}", "--hostname-override=nod-a")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "Error: --hostname-override nod-a: there is no Node of this name; did you mean node-a?\n"


def test_the_running_proxy_says_how_it_is_configured(node: Node) -> None:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.serve("10.244.0.5")
    node.start("--dispatch=linear", "--cluster-cidr=10.244.0.0/16", "--masquerade-all").wait_synced()
    same = node.machine.pykubeproxy("diff")
    assert (same.returncode, same.stdout) == (0, "No changes. The node matches the cluster.\n"), same.stderr
    assert same.stderr.startswith("configuration of the running proxy (pid ")
    other = node.machine.pykubeproxy("diff", "--masquerade-all=false")
    assert (other.returncode, "10.244.0.0/16" in other.stdout) == (1, True), other.stdout
    for words in (("trace", "--from", CLIENT, "--to", "default/web"), ("top", "--once", "--interval", "0.1")):
        assert "configuration of the running proxy" in node.machine.pykubeproxy(*words).stderr
