"""A cluster is prepared in the right order, and read back as it is; with stand-ins for kubectl and docker."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e.kind import __main__ as program
from e2e.kind import cluster
from e2e.kind.exclusions import SCTP
from e2e.kind.scenarios import Scenario, examples, three_nodes
from e2e.netns import LabError
from tests.e2e.kind_like import applied, calls, elsewhere, enter, install, patched

EXAMPLES, THREE_NODES = examples(), three_nodes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> Path:
    services = [each for each in scenario.objects if each["kind"] == "Service"]
    install(tmp_path, elsewhere(scenario.topology), services)
    enter(monkeypatch, tmp_path, scenario)
    return tmp_path


on_both = pytest.mark.parametrize("scenario", [EXAMPLES, THREE_NODES], ids=lambda scenario: scenario.name)
on_examples = pytest.mark.parametrize("scenario", [EXAMPLES], ids=["examples"])
on_three_nodes = pytest.mark.parametrize("scenario", [THREE_NODES], ids=["three-nodes"])


@on_both
def test_machines_and_pods_come_before_what_needs_their_addresses(folder: Path, scenario: Scenario) -> None:
    cluster.prepare(scenario, "image:1")
    first, second = applied(folder)
    assert [each["kind"] for each in first[:3]] == ["Namespace", "ServiceAccount", "Pod"]
    assert {each["kind"] for each in first[3:]} == {"Pod"}
    assert [each["metadata"]["name"] for each in second] == [each["metadata"]["name"] for each in scenario.objects]
    made = calls(folder)
    ways = "docker exec pykubeproxy-client ip"
    order = [
        next(index for index, call in enumerate(made) if call.startswith(start))
        for start in ("docker run", "kubectl apply", "kubectl wait", "kubectl patch", ways)
    ]
    assert order == sorted(order)


@on_examples
def test_load_balancers_get_their_addresses_and_outsiders_the_way_to_them(folder: Path, scenario: Scenario) -> None:
    cluster.prepare(scenario, "image:1")
    assert sorted(name for _, name, _ in patched(folder)) == ["office", "portal", "store"]
    for outsider in ("client", "stranger"):
        assert f"docker exec pykubeproxy-{outsider} ip -4 route replace 192.0.2.10 via 172.31.0.16" in calls(folder)


@on_three_nodes
def test_everything_is_made_in_the_namespace_of_the_scenario(folder: Path, scenario: Scenario) -> None:
    cluster.prepare(scenario, "image:1")
    first, second = applied(folder)
    assert first[0]["kind"] == "Namespace"
    assert first[0]["metadata"]["name"] == "three-nodes"
    assert {each["metadata"]["namespace"] for each in (*first[1:], *second)} == {"three-nodes"}
    assert {namespace for namespace, _, _ in patched(folder)} == {"three-nodes"}
    waits = [call for call in calls(folder) if call.startswith("kubectl wait")]
    assert all("--namespace three-nodes" in call for call in waits)
    assert waits


@on_three_nodes
def test_a_load_balancer_that_is_a_machine_runs_and_is_named_where_it_is(folder: Path, scenario: Scenario) -> None:
    cluster.prepare(scenario, "image:1")
    (started,) = (call for call in calls(folder) if call.startswith("docker run") and "pykubeproxy-balancer" in call)
    assert started.endswith("image:1 python3 /e2e/pod_server.py --pod balancer --node outside TCP/80")
    status = {name: patch["status"]["loadBalancer"]["ingress"] for _, name, patch in patched(folder)}
    assert status["proxied"] == [
        {"ip": "192.0.2.135", "ipMode": "Proxy"},
        {"ip": "2001:db8:2:1::135", "ipMode": "Proxy"},
    ]
    assert status["store"] == [{"ip": "192.0.2.14"}, {"ip": "2001:db8:2::14"}]


@on_three_nodes
def test_machines_that_run_already_stay(folder: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNING", "a container")
    cluster.prepare(scenario, "image:1")
    assert not [call for call in calls(folder) if call.startswith("docker run")]


@on_three_nodes
def test_what_cannot_be_asked_is_not_made(folder: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.prepare(scenario, "image:1")
    monkeypatch.setenv("FAILS", "IPPROTO_SCTP")
    cluster.prepare(scenario, "image:1")
    whole, without = ({each["metadata"]["name"] for each in objects} for objects in applied(folder)[1::2])
    assert whole - without == {"stream", "stream-ipv4", "stream-ipv6"}


@on_three_nodes
def test_what_cannot_be_asked_is_told_as_such(
    folder: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cluster.prepared(scenario)
    assert whole.excluded == ()
    assert whole.scenario == scenario
    monkeypatch.setenv("FAILS", "IPPROTO_SCTP")
    its = cluster.prepared(scenario)
    assert its.excluded == (SCTP,)
    assert SCTP.service not in {case.service for case in its.scenario.cases}
    assert "docker exec pykubeproxy-client python3 -c" in " ".join(calls(folder))


@on_both
def test_the_cluster_is_read_as_it_is(folder: Path, scenario: Scenario) -> None:
    found = cluster.prepared(scenario)
    here = elsewhere(scenario.topology)
    assert [node.addresses for node in found.topology.nodes] == [node.addresses for node in here.nodes]
    assert found.topology.pods == here.pods
    assert [each.addresses for each in found.topology.outsiders] == [each.addresses for each in here.outsiders]
    assert {case.service for case in scenario.cases} <= found.manifests.services.keys()
    asked = [call for call in calls(folder) if call.startswith(("kubectl get pods", "kubectl get services"))]
    assert all(f"--selector app.kubernetes.io/part-of=pykubeproxy-{scenario.name} " in call for call in asked)


@on_examples
def test_a_pod_that_is_not_there_is_named(folder: Path, scenario: Scenario) -> None:
    (folder / "pods").write_text('{"items": []}')
    with pytest.raises(LabError, match=r"no pod \S+, or it has no address: .*prepare"):
        cluster.prepared(scenario)


@on_examples
def test_an_answer_that_makes_no_sense_is_told_in_a_line(folder: Path, scenario: Scenario) -> None:
    (folder / "nodes").write_text("Error from server")
    with pytest.raises(LabError, match="the cluster's answer is not a NodeList"):
        cluster.prepared(scenario)


@on_both
def test_a_tool_that_is_not_there_is_named(folder: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(LabError, match=r"cannot run (kubectl|docker): No such file"):
        cluster.prepared(scenario)


@on_examples
def test_a_command_that_fails_is_told(folder: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "wait")
    with pytest.raises(LabError, match=r"^kubectl wait --namespace default .* failed$"):
        cluster.prepare(scenario, "image:1")
    assert len(applied(folder)) == 1


@pytest.mark.parametrize(
    ("words", "names"), [([], ["examples", "three-nodes"]), (["--scenario", "three-nodes"], ["three-nodes"])]
)
def test_all_scenarios_are_prepared_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, words: list[str], names: list[str]
) -> None:
    prepared: list[tuple[str, str]] = []
    monkeypatch.setattr(cluster, "prepare", lambda scenario, image: prepared.append((scenario.name, image)))
    assert CliRunner().invoke(program.main, [*words, "prepare", "--image", "image:1"]).exit_code == 0
    assert prepared == [(name, "image:1") for name in names]
