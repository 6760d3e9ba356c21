"""The kubectl plugin, on a cluster that a stand-in for kubectl shows."""

import errno
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.kubectl_plugin import main
from pykubeproxy.cli.status_output import as_json
from pykubeproxy.explain.status.assessment import assess
from pykubeproxy.explain.status.node_state import NodeState
from tests.cli.stand_in_kubectl import PYKUBEPROXY, StandIn, pod
from tests.explain.status.nodes import TROUBLED, WELL, with_kube_proxy

ROOT = Path(__file__).parents[2]
PLUGIN = (sys.executable, "-c", "from pykubeproxy.cli.kubectl_plugin import main; main()")
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(tmp_path, monkeypatch)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def says(kubectl: StandIn, node: str, state: NodeState) -> str:
    """A script that prints what `status --output json` prints of a node."""
    path = kubectl.folder / f"status-{node}"
    path.write_text(as_json(state, assess(state)))
    return f'[ "$*" = "status --output json" ] && cat {path}'


def echo(text: str, status: int = 0) -> str:
    return f"printf '%s\\n' {shlex.quote(text)}; exit {status}"


def test_nodes_that_are_well(kubectl: StandIn) -> None:
    kubectl.nodes({node: says(kubectl, node, WELL) for node in ("node-b", "node-a")})
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "2 nodes: 2 answered, 2 in sync\n"
        "  NODE    IN SYNC  DRIFT  PROXY              BACKEND\n"
        "✔ node-a  yes      none   pykubeproxy 0.1.0  nft\n"
        "✔ node-b  yes      none   pykubeproxy 0.1.0  nft\n"
    )


@pytest.mark.parametrize(("when", "heading"), [("always", "\x1b[1m1 node"), ("never", "1 node"), ("auto", "1 node")])
def test_colours_are_as_asked_for(when: str, heading: str, kubectl: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    kubectl.nodes({"node-a": says(kubectl, "node-a", WELL)})
    assert run("status", "--color", when).stdout.startswith(heading)


def test_what_is_not_well_stands_below_the_table_once(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", TROUBLED), "b": says(kubectl, "b", TROUBLED), "c": says(kubectl, "c", WELL)})
    result = run("status")
    assert result.exit_code == 1
    head, *lines = result.stdout.splitlines()
    assert head == "3 nodes: 3 answered, 1 in sync, 2 with something wrong"
    assert lines[1] == "✘ a     no       iptables-restor once  pykubeproxy 0.1.0  nft"
    place = lines.index("✘ a, b: rules: the node refuses the IPv4 rules of shop/cart: Couldn't load match `recent'")
    assert lines[place + 1] == "  → load the kernel module: `modprobe -a xt_recent`"
    marks = [line[0] for line in lines[5:] if line[0] in "✘!?"]
    assert marks == sorted(marks, key="✘?!".index)


def test_what_a_newer_release_says_is_shown(kubectl: StandIn) -> None:
    document = json.loads(as_json(WELL, assess(WELL)))
    new = {"kind": "New", "topic": "new topic", "level": "dire", "says": "it is new", "advice": "", "times": {"a": 1}}
    document["observations"].append(new)
    kubectl.nodes({"a": echo(json.dumps(document))})
    result = run("status")
    assert result.stdout.splitlines()[2:] == [
        "✔ a     yes      none   pykubeproxy 0.1.0  nft",
        "",
        "? a: new topic: it is new",
    ]


def test_a_kube_proxy_cannot_say_whether_it_is_in_sync(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", with_kube_proxy())})
    assert run("status").stdout.splitlines()[2].split()[:4] == ["✔", "a", "unknown", "-"]


SILENT = {
    "slow": ("cat {folder}/fifo", "proxy-x did not answer within 2 s; --timeout gives it more"),
    "no program": (None, "proxy-x has no pykubeproxy in its image registry.example.com/pykubeproxy:0.1.0"),
    "no program for a shell": ("exit 127", "proxy-x has no pykubeproxy in its image"),
    "killed": ("exit 137", "proxy-x: the command ended with exit status 137"),
    "an error": ("echo 'Error: no such thing' >&2; exit 2", "proxy-x: no such thing"),
    "garbage": ("head -c 1000 /dev/urandom", "proxy-x printed something else than expected: "),
    "other document": ("echo '{{}}'", "proxy-x printed something else than expected: Object missing required field"),
    "other version": (
        'echo \'{{"version": 2, "exitStatus": 0, "observations": []}}\'',
        "proxy-x printed something else than expected: version 2 of the document is not known here",
    ),
    "nothing": ("true", "proxy-x printed something else than expected: "),
    "huge": ("cat /dev/zero", "proxy-x printed more than 64 MiB"),
}


@pytest.mark.parametrize(("script", "reason"), SILENT.values(), ids=SILENT.keys())
def test_a_node_that_does_not_answer_has_a_line_and_the_others_are_shown(
    kubectl: StandIn, script: str | None, reason: str
) -> None:
    os.mkfifo(kubectl.folder / "fifo")
    script = script and script.format(folder=kubectl.folder)
    kubectl.nodes({"x": script, "y": says(kubectl, "y", WELL)})
    result = run("status", "--timeout", "2s" if script and "fifo" in script else "60s")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[0] == "2 nodes: 1 answered, 1 in sync"
    assert lines[2].startswith(f"? x     no answer: {reason}")
    assert lines[3] == "✔ y     yes      none   pykubeproxy 0.1.0  nft"
    assert result.stderr == ""


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(kubectl: StandIn) -> None:
    fifo = kubectl.folder / "fifo"
    os.mkfifo(fifo)
    kubectl.nodes({"x": f"cat {fifo} | cat"})
    assert run("status", "--timeout", "1.5").exit_code == 2
    with pytest.raises(OSError, match="No such device") as caught:
        os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    assert caught.value.errno == errno.ENXIO, "somebody still reads"


def test_a_container_that_does_not_run_is_not_asked(kubectl: StandIn) -> None:
    pods = [pod("a", state=WAITING, ready=False), pod("b", ready=False)]
    kubectl.nodes({"a": "exit 3", "b": says(kubectl, "b", WELL), "c": None}, pods)
    result = run("status")
    _, _, first, second, third = result.stdout.splitlines()
    assert first == (
        "? a     no answer: proxy-a does not run: CrashLoopBackOff; "
        "try `kubectl logs -n kube-system proxy-a -c kube-proxy --previous`"
    )
    assert second.startswith("✔ b "), "it runs, though it is not ready"
    assert third == "? c     no answer: no pod there has the labels k8s-app=kube-proxy in namespace kube-system"
    assert [call.split()[3] for call in kubectl.calls() if call.startswith("exec")] == ["proxy-b"]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (pod("a", "other", state=WAITING), "proxy-a"),
        (pod("a", "other", deleted="2026-01-02T00:00:00Z", created="2026-01-02T00:00:00Z"), "proxy-a"),
        (pod("a", "other", ready=False, created="2026-01-02T00:00:00Z"), "proxy-a"),
        (pod("a", "other", created="2026-01-02T00:00:00Z"), "other"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_pods_on_a_node_one_is_asked(kubectl: StandIn, other: object, expected: str, order: int) -> None:
    kubectl.nodes({"a": "true"}, [other, pod("a")][::order])
    run("status")
    assert [call.split()[3] for call in kubectl.calls() if call.startswith("exec")] == [expected]


def test_the_flags_of_kubectl_are_handed_on(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", WELL)})
    flags = ("--context", "east", "--kubeconfig=/k", "--cluster=c", "--user=u")
    assert run(*flags, "-n", "proxies", "status", "--user=v", "-l", "app=proxy").exit_code == 0
    connected = "--context=east --kubeconfig=/k --cluster=c --user=v"
    assert sorted(kubectl.calls()) == [
        f"{connected} exec --namespace kube-system proxy-a --container kube-proxy -- pykubeproxy status --output json",
        f"{connected} get nodes --selector kubernetes.io/os=linux --output name",
        f"{connected} get pods --namespace proxies --selector app=proxy --output json",
    ]


def test_only_the_nodes_that_are_named_are_asked(kubectl: StandIn) -> None:
    kubectl.nodes({node: says(kubectl, node, WELL) for node in ("a", "b", "c")})
    result = run("status", "--node", "c", "--node", "a")
    assert [line.split()[1] for line in result.stdout.splitlines()[2:]] == ["a", "c"]


def test_who_may_not_list_nodes_sees_those_with_a_proxy(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", WELL)})
    kubectl.answer("get-nodes", "echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1")
    result = run("status")
    assert result.exit_code == 0
    assert result.stderr == (
        "note: a node without a pod of the proxy is not seen: "
        "kubectl get nodes: Error from server (Forbidden): nodes is forbidden\n"
    )


MISTAKES = {
    "no such node": (
        ["status", "--node", "worker-q"],
        "--node worker-q: there is no such node; did you mean worker-1?",
    ),
    "no such option": (["status", "--no-such"], "No such option '--no-such'"),
    "no such command": (["statsu"], "No such command 'statsu'"),
    "timeout": (["status", "--timeout", "soon"], "Invalid value for '--timeout'"),
    "no time": (["status", "--timeout", "0"], "Invalid value for '--timeout'"),
    "no place": (["trace", "--from", "10.0.0.1", "--to", "a/b"], "say on which node: --node NAME, or --from pod/"),
    "half a pod": (["trace", "--from", "pod/client", "--to", "a/b"], "write it as pod/NAMESPACE/NAME"),
    "files": (["diff", "-f", "x.yaml"], "-f: files are here, not on the nodes"),
    "a dump": (["trace", "--node", "worker-1", "--from", "node", "--live=x"], "--live=x: files are here"),
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line(kubectl: StandIn, arguments: list[str], expected: str) -> None:
    kubectl.nodes({"worker-1": "true"})
    assert_fails(run(*arguments), expected)


def assert_fails(result: Result, expected: str) -> None:
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'error: context \"x\" does not exist' >&2; exit 1", 'kubectl get pods: context "x" does not exist'),
        ("exit 1", "kubectl get pods: exit status 1"),
        ("echo no pods", "kubectl get pods printed something else than pods: "),
        ("echo '{\"items\": []}'", "no pod has the labels k8s-app=kube-proxy in namespace kube-system"),
    ],
)
def test_a_cluster_that_shows_no_pods(kubectl: StandIn, script: str, expected: str) -> None:
    kubectl.nodes({"a": "true"})
    kubectl.answer("get-pods", script)
    assert_fails(run("status"), expected)


def test_a_machine_without_kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_fails(run("status"), "kubectl cannot be run: No such file or directory")


def test_json_has_what_each_node_printed(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", TROUBLED), "b": None})
    result = run("status", "-o", "json")
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    first, second = document["nodes"]
    assert (document["version"], document["exitStatus"]) == (1, 2)
    assert (first["node"], first["pod"], first["noAnswer"]) == ("a", "proxy-a", None)
    assert first["document"] == json.loads(as_json(TROUBLED, assess(TROUBLED)))
    assert (first["status"]["inSync"], first["status"]["drift"]) == ("no", [{"program": "iptables-restor", "times": 1}])
    assert (second["node"], second["status"], second["document"]) == ("b", None, None)
    assert second["noAnswer"]["kind"] == "NoSuchProgram"
    assert second["noAnswer"]["says"].startswith("proxy-b has no pykubeproxy")


def test_what_nodes_print_alike_is_printed_once(kubectl: StandIn) -> None:
    same = echo("No difference.")
    kubectl.nodes({"a": same, "b": echo("a difference", 1), "c": same, "d": "echo 'Error: broken' >&2; exit 2"})
    result = run("diff", "--family", "ipv4")
    assert result.stdout == "a, c\nNo difference.\n\nb\na difference\n"
    assert result.stderr == "d: no answer: proxy-d: broken\n"
    assert result.exit_code == 2
    assert run("diff", "--node", "a", "--node", "b").exit_code == 1
    assert run("diff", "--node", "a").exit_code == 0
    assert next(call.partition("-- ")[2] for call in kubectl.calls() if "exec" in call) == (
        "pykubeproxy diff --output text --family ipv4"
    )


def test_documents_of_several_nodes_are_one(kubectl: StandIn) -> None:
    kubectl.nodes({"a": echo('{"services": []}'), "b": echo("[", 1)})
    result = run("services", "-nshop", "--output", "json", "--live-no-file")
    document = json.loads(result.stdout)
    assert [node["document"] for node in document["nodes"]] == [{"services": []}, None]
    assert document["nodes"][1]["noAnswer"]["kind"] == "NotUnderstood"
    assert result.exit_code == document["exitStatus"] == 2
    assert kubectl.calls()[-1].endswith("-- pykubeproxy services --output json --namespace shop --live-no-file")


def test_top_measures_once_and_waits_for_it(kubectl: StandIn) -> None:
    kubectl.nodes({"a": echo("busy"), "b": echo("idle")})
    result = run("top", "--interval", "30", "--namespace", "shop")
    assert (result.exit_code, result.stdout) == (0, "a\nbusy\n\nb\nidle\n")
    assert kubectl.calls()[-1].endswith("pykubeproxy top --output text --interval 30 --namespace shop --once")


@pytest.mark.parametrize("status", [0, 1])
def test_trace_runs_on_the_node_of_a_pod_with_its_address(kubectl: StandIn, status: int) -> None:
    kubectl.nodes({"a": "exit 9", "b": f"echo a note >&2; {echo('the way', status)}"})
    client = pod("b")
    client["spec"]["hostNetwork"] = False
    client["status"]["podIPs"] = [{"ip": "10.244.1.7"}, {"ip": "fd00::7"}]
    kubectl.print("get-pod-client", json.dumps(client))
    result = run("trace", "--from", "pod/default/client", "--to", "shop/cart")
    assert (result.exit_code, result.stdout, result.stderr) == (status, "the way\n", "a note\n")
    assert kubectl.calls()[0] == "get pod client --namespace default --output json"
    assert kubectl.calls()[-1].endswith(
        "proxy-b --container kube-proxy -- pykubeproxy trace --output text --from 10.244.1.7 --to shop/cart"
    )
    run("trace", "--from", "pod/default/client", "--to", "[fd00:96::1]:80")
    assert kubectl.calls()[-1].endswith("trace --output text --from fd00::7 --to [fd00:96::1]:80")
    run("trace", "--from", "pod/default/client", "--node", "a", "--to", "shop/cart")
    assert "proxy-a" in kubectl.calls()[-1]


def test_a_pod_with_the_address_of_its_node_is_the_node(kubectl: StandIn) -> None:
    kubectl.nodes({"b": echo("the way")})
    kubectl.print("get-pod-client", json.dumps(pod("b")))
    assert run("trace", "--from", "pod/default/client", "--to", "shop/cart").exit_code == 0
    assert kubectl.calls()[-1].endswith("trace --output text --from node --to shop/cart")


def test_a_client_that_is_nowhere(kubectl: StandIn) -> None:
    kubectl.nodes({"b": echo("the way")})
    client = pod("")
    client["status"] = {"phase": "Pending"}
    kubectl.print("get-pod-client", json.dumps(client))
    assert_fails(run("trace", "--from", "pod/a/client", "--to", "a/b"), "pod/a/client is not on any node yet")
    kubectl.answer("get-pod-other", "echo 'Error from server (NotFound): pods \"other\" not found' >&2; exit 1")
    assert_fails(run("trace", "--from", "pod/a/other", "--to", "a/b"), 'pods "other" not found')
    client["spec"] = {"nodeName": "b", "containers": []}
    kubectl.print("get-pod-client", json.dumps(client))
    assert_fails(run("trace", "--from", "pod/a/client", "--to", "a/b"), "pod/a/client has no address")


def test_a_trace_without_an_answer(kubectl: StandIn) -> None:
    kubectl.nodes({"a": None})
    assert_fails(run("trace", "--node", "a", "--from", "node", "--to", "a/b"), "a: proxy-a has no pykubeproxy")


def test_escapes_that_a_node_prints_do_not_reach_the_terminal(kubectl: StandIn) -> None:
    kubectl.nodes({"a": r"printf '\033[2Jbad\n'; printf '\033[2Jworse\n' >&2"})
    result = run("diff")
    assert result.stdout == "a\n\\x1b[2Jworse\n\\x1b[2Jbad\n"


def test_top_of_one_node_is_live_on_a_terminal(kubectl: StandIn) -> None:
    kubectl.nodes({"a": "echo interactive", "b": "exit 7"})
    ours, its = pty.openpty()
    try:
        live = subprocess.run([*PLUGIN, "top", "--node", "a"], cwd=ROOT, stdin=its, stdout=its, check=False)
        assert (live.returncode, os.read(ours, 100)) == (0, b"interactive\r\n")
        failed = subprocess.run([*PLUGIN, "top", "--node", "b"], cwd=ROOT, stdin=its, stdout=its, check=False)
        assert failed.returncode == 2
    finally:
        os.close(ours)
        os.close(its)
    live_calls = [call for call in kubectl.calls() if "exec" in call]
    assert live_calls[0].startswith("exec --stdin --tty --namespace kube-system proxy-a ")
    assert live_calls[0].endswith("-- pykubeproxy top --interval 1")


def test_the_name_is_the_one_that_kubectl_gives_it() -> None:
    helped = subprocess.run([*PLUGIN, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert helped.stdout.startswith("Usage: kubectl pykubeproxy [OPTIONS] COMMAND")


def test_the_real_program_answers_end_to_end(kubectl: StandIn) -> None:
    kubectl.nodes({"a": PYKUBEPROXY, "b": PYKUBEPROXY})
    status = subprocess.run([*PLUGIN, "status", "-o", "json"], cwd=ROOT, capture_output=True, check=False)
    nodes = json.loads(status.stdout)["nodes"]
    assert [node["noAnswer"] for node in nodes] == [None, None]
    assert all(node["document"]["observations"] for node in nodes)
    traced = subprocess.run(
        [*PLUGIN, "trace", "--node=b", "--from=nobody", "--to=a/b"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert traced.returncode == 2
    assert traced.stderr.startswith("Error: b: proxy-b: ")


def test_ctrl_c_ends_the_plugin_and_what_it_started(kubectl: StandIn) -> None:
    fifo = kubectl.folder / "fifo"
    os.mkfifo(fifo)
    kubectl.nodes({"a": f"cat {fifo}"})
    process = subprocess.Popen([*PLUGIN, "status"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # It is open as soon as the command on the node reads.
    with process, fifo.open("w"):
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=30)
    assert (process.returncode, said, complained.strip()) == (130, "", "Error: interrupted")
    with pytest.raises(OSError, match="No such device"):
        os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
