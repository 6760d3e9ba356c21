"""The kubectl plugin, on a cluster that a stand-in for kubectl shows."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.kubectl_plugin import main
from pykubeproxy.cli.status_output import as_json
from pykubeproxy.cli.top_document import as_json as rates_json
from pykubeproxy.explain.status.assessment import assess
from pykubeproxy.explain.status.node_state import NodeState
from tests.apiserver import testing
from tests.cli.measured import rates, service
from tests.cli.stand_in_kubectl import RUNNING, StandIn, pod
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


def calls(kubectl: StandIn) -> list[tuple[str, str]]:
    """The pods in which something was run, and what; in the order of the pods."""
    execs = [call.split(" -- ") for call in kubectl.calls() if "exec " in call]
    return sorted((where.split("kube-system ")[1].split()[0], command) for where, command in execs)


def assert_unread(fifo: Path) -> None:
    with pytest.raises(OSError, match="No such device"):
        os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)


@pytest.fixture
def fifo(kubectl: StandIn) -> Path:
    os.mkfifo(kubectl.folder / "fifo")
    return kubectl.folder / "fifo"


@pytest.mark.parametrize(("when", "bold"), [("always", "\x1b[1m"), ("never", ""), ("auto", "")])
def test_nodes_that_are_well(when: str, bold: str, kubectl: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    kubectl.nodes({node: says(kubectl, node, WELL) for node in ("node-b", "node-a")})
    result = run("status", "--color", when)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{bold}2 nodes: 2 answered, 2 in sync")
    assert click.unstyle(result.stdout).splitlines()[1:] == [
        "  NODE    IN SYNC  DRIFT  PROXY              BACKEND",
        "✔ node-a  yes      none   pykubeproxy 0.1.0  nft",
        "✔ node-b  yes      none   pykubeproxy 0.1.0  nft",
    ]


def test_what_is_not_well_stands_below_the_table_once(kubectl: StandIn) -> None:
    """What one node says is seen in docs/kubectl-plugin.md."""
    later = msgspec.structs.replace(TROUBLED, time=TROUBLED.time + 7)
    states = {"a": TROUBLED, "b": later, "c": with_kube_proxy()}
    kubectl.nodes({node: says(kubectl, node, state) for node, state in states.items()})
    result = run("status")
    assert result.exit_code == 1
    head, *lines = result.stdout.splitlines()
    assert head == "3 nodes: 3 answered, 0 in sync, 2 with something wrong"
    assert lines[3].split()[:4] == ["✔", "c", "unknown", "-"]
    assert "✘ a, b: rules: the node refuses the IPv4 rules of shop/cart: Couldn't load match `recent'" in lines
    server = "API server https://10.0.0.1:6443 cannot be followed for"
    assert f"✘ a, b: objects: {server} 1 min 35 s: connect: Connection refused (the numbers of a)" in lines
    marks = [line[0] for line in lines[5:] if line[0] in "✘!?"]
    assert marks == sorted(marks, key="✘?!".index)


def test_what_a_newer_release_says_is_shown(kubectl: StandIn) -> None:
    document = json.loads(as_json(WELL, assess(WELL)))
    new = {"kind": "New", "topic": "new topic", "level": "dire", "says": "it is new", "advice": "", "times": {"a": 1}}
    document["observations"].append(new)
    kubectl.nodes({"a": echo(json.dumps(document))})
    lines = run("status").stdout.splitlines()
    assert lines[2:] == ["✔ a     yes      none   pykubeproxy 0.1.0  nft", "", "? a: new topic: it is new"]


OTHERWISE = "proxy-x printed something else than expected: "
STOPPED = "the command ended with exit status 137; was its container stopped?"
SILENT = {
    "slow": ("cat {fifo} | cat", "proxy-x did not answer within 2 s; --timeout gives it more"),
    "no program": (None, "proxy-x has no pykubeproxy in its image registry.example.com/kube-proxy:1"),
    "killed": ("echo note >&2; exit 137", f"proxy-x: {STOPPED}"),
    "no kubelet": (
        "echo 'error: error dialing backend: dial tcp: i/o timeout' >&2; kill -9 $PPID",
        "kubectl exec in proxy-x: error dialing backend: dial tcp: i/o timeout; is the node's kubelet up?",
    ),
    "an error": ("echo 'Error: no such thing' >&2; exit 2", "proxy-x: no such thing"),
    "garbage": ("head -c 1000 /dev/urandom", OTHERWISE),
    "other version": (
        'echo \'{{"version": 2, "exitStatus": 0, "observations": []}}\'',
        f"{OTHERWISE}version 2 of the document is not known here",
    ),
    "nothing": ("true", OTHERWISE),
    "huge": ("cat /dev/zero", "proxy-x printed more than 64 MiB"),
}


@pytest.mark.parametrize(("script", "reason"), SILENT.values(), ids=SILENT.keys())
def test_a_node_that_does_not_answer_has_a_line_and_the_others_are_shown(
    kubectl: StandIn, fifo: Path, script: str | None, reason: str
) -> None:
    script = script and script.format(fifo=fifo)
    kubectl.nodes({"x": script, "y": says(kubectl, "y", WELL)})
    result = run("status", "--timeout", "2s" if script and "fifo" in script else "60s")
    assert (result.exit_code, result.stderr) == (2, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "2 nodes: 1 answered, 1 in sync"
    assert lines[2].startswith(f"? x     no answer: {reason}")
    assert lines[3] == "✔ y     yes      none   pykubeproxy 0.1.0  nft"
    # What a command has started is ended with it.
    assert_unread(fifo)


State = dict[str, Any]


def not_running(state: State, last: State | None = None, init: State | None = None) -> dict[str, Any]:
    """A pod of node a, with states as kubelet reports them."""
    found = pod("a", state=state, ready=False)
    found["status"]["containerStatuses"][1]["lastState"] = last or {}
    found["spec"]["initContainers"] = [{"name": "sidecar", "restartPolicy": "Always"}, {"name": "init"}]
    found["status"]["initContainerStatuses"] = [
        {"name": "sidecar", "started": True, "state": RUNNING},
        {"name": "init", "state": init or {"terminated": {"exitCode": 0, "reason": "Completed"}}},
    ]
    return found


def unscheduled() -> dict[str, Any]:
    """A pod that a DaemonSet has made for node a, which has no room for it."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 Insufficient cpu."}
    spec = {"affinity": {"nodeAffinity": required}, "containers": [{"name": "kube-proxy"}]}
    return {**pod(""), "spec": spec, "status": {"phase": "Pending", "conditions": [why]}}


ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}
NEVER_STARTED = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec: /x:\nno such file"}}
INITIALIZING = {"waiting": {"reason": "PodInitializing"}}
NO_CONFIG = {"waiting": {"reason": "CreateContainerConfigError", "message": 'configmap "x" not found'}}
LOGS, DESCRIBE = "see `kubectl logs -n kube-system proxy-a -c", "see `kubectl describe pod -n kube-system proxy-a`"


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (not_running(WAITING, ENDED), f"CrashLoopBackOff; {LOGS} kube-proxy`"),
        (not_running(ENDED), f"Error; {LOGS} kube-proxy`"),
        (not_running(WAITING, NEVER_STARTED), f"CrashLoopBackOff: exec: /x: no such file; {DESCRIBE}"),
        (not_running(NO_CONFIG), f'CreateContainerConfigError: configmap "x" not found; {DESCRIBE}'),
        (not_running(INITIALIZING, init=ENDED), f"Init:Error; {LOGS} init`"),
        (not_running(INITIALIZING, init=RUNNING), f"Init:Running; {LOGS} init`"),
        (
            not_running(INITIALIZING, init=NO_CONFIG),
            f'Init:CreateContainerConfigError: configmap "x" not found; {DESCRIBE}',
        ),
        (not_running(INITIALIZING), f"PodInitializing; {DESCRIBE}"),
        (unscheduled(), "Unschedulable: 1 Insufficient cpu; see `kubectl describe pod -n kube-system proxy`"),
    ],
)
def test_a_container_that_does_not_run_is_not_asked(kubectl: StandIn, state: object, why: str) -> None:
    kubectl.nodes({"a": "exit 3", "b": says(kubectl, "b", WELL), "c": None}, [state, pod("b", ready=False)])
    _, _, first, second, third = run("status").stdout.splitlines()
    assert first.partition(" does not run: ")[2] == why
    assert second.startswith("✔ b "), "it runs, though it is not ready"
    assert third == "? c     no answer: no pod there has the labels k8s-app=kube-proxy in namespace kube-system"
    assert [where for where, _ in calls(kubectl)] == ["proxy-b"]


LATER = "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (pod("a", "other", state=WAITING), "proxy-a"),
        (pod("a", "other", deleted=LATER, created=LATER), "proxy-a"),
        (pod("a", "other", ready=False, created=LATER), "proxy-a"),
        (pod("a", "other", created=LATER), "other"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_pods_on_a_node_one_is_asked(kubectl: StandIn, other: object, expected: str, order: int) -> None:
    kubectl.nodes({"a": "true"}, [other, pod("a")][::order])
    run("status")
    assert [where for where, _ in calls(kubectl)] == [expected]


NOT_READY = {
    "Unknown\tNodeStatusUnknown\tKubelet stopped\nposting.": "Kubelet stopped",
    "False\tKubeletNotReady\t": "KubeletNotReady",
    "\t\t": "its condition Ready is missing",
}


@pytest.mark.parametrize(("ready", "why"), NOT_READY.items())
def test_a_silent_node_that_is_not_ready_is_told_so(kubectl: StandIn, ready: str, why: str) -> None:
    kubectl.nodes({"a": "exit 3", "b": says(kubectl, "b", WELL), "c": None}, [pod("a"), pod("b")], ready=ready)
    _, _, first, second, third = run("status").stdout.splitlines()
    assert first.endswith(f"exit status 3; the node is not ready: {why}")
    assert (second[:4], third.partition("kube-system")[2]) == ("✔ b ", f"; the node is not ready: {why}")


NODE_LINES = (
    'jsonpath={range .items[*]}{.metadata.name}{"\\t"}{.status.conditions[?(@.type=="Ready")].status}{"\\t"}'
    '{.status.conditions[?(@.type=="Ready")].reason}{"\\t"}{.status.conditions[?(@.type=="Ready")].message}{"\\n"}{end}'
)


def test_the_flags_of_kubectl_are_handed_on(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", WELL)})
    flags = ("--context", "east", "--kubeconfig=/k", "--cluster=c", "--user=u")
    assert run(*flags, "-n", "proxies", "status", "--user=v", "-l", "app=proxy").exit_code == 0
    connected = "--context=east --kubeconfig=/k --cluster=c --user=v"
    assert sorted(kubectl.calls()) == [
        f"{connected} exec --namespace kube-system proxy-a --container kube-proxy -- pykubeproxy status --output json",
        f"{connected} get nodes --selector kubernetes.io/os=linux --output {NODE_LINES}",
        f"{connected} get pods --namespace proxies --selector app=proxy --output json",
    ]


def assert_fails(result: Result, expected: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("Error: ")
    assert expected in result.stderr


MISTAKES = {
    "status --node worker-q": "--node worker-q: there is no such node; did you mean worker-1?",
    "status --no-such": "No such option '--no-such'",
    "status --timeout 0": "Invalid value for '--timeout'",
    "trace --from 10.0.0.1 --to a/b": "say on which node: --node NAME, or --from pod/",
    "trace --from pod/client --to a/b": "write it as pod/NAMESPACE/NAME",
    "trace --from pod/a/gone --to a/b": 'pods "gone" not found',
    "trace --from pod/a/pending --to a/b": "pod/a/pending is not on any node yet",
    "trace --from pod/a/young --to a/b": "pod/a/young has no address",
    "trace --from node --to a/b --node worker-1": "worker-1: proxy-worker-1 has no pykubeproxy",
    "diff -f x.yaml": "-f: files are here, not on the nodes",
    "trace --node worker-1 --from node --live=x": "--live=x: files are here",
}


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES.items(), ids=MISTAKES.keys())
def test_a_mistake_is_told_in_one_line(kubectl: StandIn, arguments: str, expected: str) -> None:
    kubectl.nodes({"worker-1": None})
    kubectl.answer("get-pod-gone", "echo 'Error from server (NotFound): pods \"gone\" not found' >&2; exit 1")
    kubectl.print("get-pod-pending", json.dumps({**pod(""), "status": {"phase": "Pending"}}))
    young = {"spec": {"nodeName": "worker-1", "containers": []}, "status": {"phase": "Pending"}}
    kubectl.print("get-pod-young", json.dumps({**pod(""), **young}))
    assert_fails(run(*arguments.split()), expected)


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
    document = json.loads(result.stdout)
    first, second = document["nodes"]
    assert (result.exit_code, document["version"], document["exitStatus"]) == (2, 1, 2)
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
    assert (result.exit_code, result.stderr) == (2, "d: no answer: proxy-d: broken\n")
    assert run("diff", "--node", "d").stdout == ""
    assert run("diff", "--node", "a", "--node", "b").exit_code == 1
    assert run("diff", "--node", "a").exit_code == 0
    assert calls(kubectl)[-1] == ("proxy-d", "pykubeproxy diff --output text --family ipv4")


@pytest.mark.parametrize(
    ("arguments", "where", "command"),
    [
        ("--from pod/default/client --to shop/cart", "proxy-b", "--from 10.244.1.7 --to shop/cart"),
        ("--from pod/default/client --to [fd00:96::1]:80", "proxy-b", "--from fd00::7 --to [fd00:96::1]:80"),
        ("--from pod/default/client --node a --to shop/cart", "proxy-a", "--from 10.244.1.7 --to shop/cart"),
        ("--from pod/default/host --to shop/cart", "proxy-b", "--from node --to shop/cart"),
    ],
)
@pytest.mark.parametrize("status", [0, 1])
def test_trace_runs_on_the_node_of_a_pod_with_its_address(
    kubectl: StandIn, arguments: str, where: str, command: str, status: int
) -> None:
    script = f"echo a note >&2; {echo('the way', status)}"
    kubectl.nodes({"a": script, "b": script})
    kubectl.print("get-pod-host", json.dumps(pod("b")))
    client = testing.pod("client", "10.244.1.7", "fd00::7", nodeName="b", containers=[])
    kubectl.print("get-pod-client", json.dumps(client))
    result = run("trace", *arguments.split())
    assert (result.exit_code, result.stdout, result.stderr) == (status, "the way\n", "a note\n")
    assert calls(kubectl) == [(where, f"pykubeproxy trace --output text {command}")]


def test_documents_of_several_nodes_are_one(kubectl: StandIn) -> None:
    kubectl.nodes({"a": echo('{"services": []}'), "b": echo("[", 1)})
    result = run("services", "-nshop", "--output", "json", "--live-no-file")
    document = json.loads(result.stdout)
    assert [node["document"] for node in document["nodes"]] == [{"services": []}, None]
    assert document["nodes"][1]["noAnswer"]["kind"] == "NotUnderstood"
    assert result.exit_code == document["exitStatus"] == 2
    assert calls(kubectl)[-1][1] == "pykubeproxy services --output json --namespace shop --live-no-file"


def test_who_may_not_list_nodes_sees_those_with_a_proxy(kubectl: StandIn) -> None:
    kubectl.nodes({"a": says(kubectl, "a", WELL)})
    kubectl.answer("get-nodes", "echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1")
    result = run("status")
    assert result.exit_code == 0
    assert result.stderr == (
        "note: a node without a pod of the proxy is not seen: "
        "kubectl get nodes: Error from server (Forbidden): nodes is forbidden\n"
    )
    assert "Error: --node b: no pod of the proxy is on a node of this name" in run("status", "--node", "b").stderr


def test_escapes_that_a_node_prints_do_not_reach_the_terminal(kubectl: StandIn) -> None:
    kubectl.nodes({"a": r"printf '\033[2Jbad\n'; printf '\033[2Jworse\n' >&2"})
    assert run("diff").stdout == "a\n\\x1b[2Jworse\n\\x1b[2Jbad\n"


def test_top_of_one_node_is_live_on_a_terminal(kubectl: StandIn) -> None:
    kubectl.nodes({"a": "echo interactive", "b": "exit 2", "c": "exit 137", "d": "kill -9 $PPID"})
    ours, its = pty.openpty()
    try:
        live = subprocess.run([*PLUGIN, "top", "--node", "a"], cwd=ROOT, stdin=its, stdout=its, check=False)
        assert (live.returncode, os.read(ours, 100)) == (0, b"interactive\r\n")
        lost = "kubectl exec in proxy-d: it failed, or the connection was lost"
        for node, says in (("b", ""), ("c", f"Error: c: proxy-c: {STOPPED}\n"), ("d", f"Error: d: {lost}\n")):
            command = [*PLUGIN, "top", "--node", node]
            failed = subprocess.run(command, cwd=ROOT, stdin=its, stdout=its, stderr=-1, check=False, text=True)
            assert (failed.returncode, "Error" in failed.stderr) == (2, bool(says))
            assert failed.stderr.endswith(says)
            # The terminal is given back: the usual screen, and the cursor.
            assert not says or os.read(ours, 100).endswith(b"\x1b[?1047l\x1b[?25h")
    finally:
        os.close(ours)
        os.close(its)
    call = next(call for call in kubectl.calls() if "exec" in call)
    assert call.startswith("exec --stdin --tty --namespace kube-system proxy-a ")
    assert call.endswith("-- pykubeproxy top --interval 1")


def test_connections_of_all_nodes_are_added_up(kubectl: StandIn) -> None:
    first, second = service("ns/\x1bweb", 6, 2, seconds=1.0), service("ns/\x1bweb", 0, 4, 8, refused=3.0)
    measured = {"a": rates(first, seconds=1.0), "b": rates(second)}
    scripts = {node: f"echo note: odd >&2; {echo(rates_json(its, '', None))}" for node, its in measured.items()}
    kubectl.nodes({**scripts, "c": None, "d": echo("{}")})
    result = run("top", "--limit", "2", "--source", "api")
    head, total, titles, *rows = result.stdout.splitlines()
    assert (head, titles.split()[-3:]) == ("4 nodes: 2 answered", ["SHARE", "EXPECTED", "HISTORY"])
    assert total == "20 new connections in 1.4 s, 14.0/s; 6 refused; 1 busy of 1,234 Service ports with 5,678 endpoints"
    assert [line.rstrip(" █▁▂▃▄▅▆▇").split() for line in rows] == [
        [r"ns/\x1bweb", "udp6", "14.0", "100.0%"],
        ["dropped:", "no", "local", "endpoints", "3.0"],
        ["[fd00::3]:80", "4.0", "40.0%", "33.3%"],
        ["[fd00::1]:80", "6.0", "30.0%", "40.0%"],
        ["...", "and", "1", "more", "endpoints"],
    ]
    note, absent, odd = result.stderr.splitlines()
    assert (result.exit_code, note) == (2, "a, b: note: odd")
    assert absent.startswith("c: no answer: proxy-c has no pykubeproxy")
    assert odd.startswith("d: no answer: proxy-d printed something else than expected: ")
    assert calls(kubectl)[0][1] == "pykubeproxy top --output json --interval 1 --source api --once"
    document = json.loads(run("top", "-o", "json", "--node", "a", "--node", "b").stdout)
    assert (document["exitStatus"], document["sum"]["rate"], document["sum"]["services"][0]["rate"]) == (0, 14.0, 14.0)
    assert [node["document"]["connections"] for node in document["nodes"]] == [8, 12]
    silent = run("top", "--node", "c", "--node", "d")
    assert (silent.exit_code, silent.stdout) == (2, "2 nodes: 0 answered\n")


def test_ctrl_c_ends_the_plugin_and_what_it_started(kubectl: StandIn, fifo: Path) -> None:
    kubectl.nodes({"a": f"cat {fifo}"})
    process = subprocess.Popen([*PLUGIN, "status"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # It is open as soon as the command on the node reads.
    with process, fifo.open("w"):
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=30)
    assert (process.returncode, said, complained.strip()) == (130, "", "Error: interrupted")
    assert_unread(fifo)
