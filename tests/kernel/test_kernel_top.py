"""`top` counts every connection once, for the Service and the endpoint that it went to, whoever wrote the rules."""

import json
from pathlib import Path

import pytest

from tests.corpus import GOLDEN, without_nfacct
from tests.kernel.counted import PORT, all_pods_here, attempt, totals, watching
from tests.kernel.kube_proxy import as_kube_proxy_leaves_it
from tests.kernel.machine import COMMAND, Kind, Machine
from tests.kernel.objects import cluster_ip, web, write

TIMES = 30


def golden(name: str) -> str:
    return as_kube_proxy_leaves_it(without_nfacct((GOLDEN / name / "ipv4.save").read_text()), name)


@pytest.mark.parametrize("count", [3, 200], ids=["few", "in groups"])
def test_our_tree(machine: Machine, kind: Kind, tmp_path: Path, count: int) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1, endpoints=range(1, count + 1)), web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    with all_pods_here(machine, kind.family) as connect:
        connect(cluster_ip(kind.family, 2), 1)
        with watching(machine, "--output", "json", *kind.flags) as top:
            assert json.loads(top.first)["known"] == {"services": 2, "endpoints": count + 2}
            connect(cluster_ip(kind.family, 1), TIMES)
            documents = top.documents(TIMES)
    (endpoints,) = totals(documents).values()
    assert len(endpoints) == count
    assert sum(endpoints.values()) == TIMES
    told = [service for document in documents for service in document["services"]]
    assert {service["service"] for service in told} == {"default/web-1:http"}
    assert {service["family"] for service in told} == {kind.family.lower()}
    expected = {endpoint["expectedShare"] for service in told for endpoint in service["endpoints"]}
    assert expected == {1 / count}


def test_the_rules_of_kube_proxy(machine: Machine, kind4: Kind) -> None:
    machine.load(kind4, golden("clusterip-three-endpoints"))
    with all_pods_here(machine, kind4.family) as connect, watching(machine, *kind4.flags) as top:
        assert top.first.endswith("0 busy of 1 Service ports with 3 endpoints\n")
        connect("10.96.1.1", TIMES)
        lines = top.tables(TIMES)
    rows = [line.split() for line in lines]
    assert any(row[:2] == ["ns1/web:http", "tcp"] and row[3] == "100.0%" for row in rows if len(row) > 3)
    shown = {row[0]: row[3] for row in rows if len(row) > 3 and row[0].endswith(f":{PORT}")}
    assert shown == {f"{address}:{PORT}": "33.3%" for address in ("10.244.0.11", "10.244.1.12", "10.244.2.13")}


def test_the_rules_of_kube_proxy_in_a_large_cluster(machine: Machine, kind4: Kind) -> None:
    dump = golden("thousand-endpoints-large-cluster")
    machine.load(kind4, dump)
    arguments = ("--output", "json", *kind4.flags)
    with all_pods_here(machine, kind4.family) as connect, watching(machine, *arguments) as top:
        for address in ("10.96.2.1", "10.96.2.11"):
            connect(address, TIMES)
        found = totals(top.documents(2 * TIMES))
    assert [sum(endpoints.values()) for endpoints in found.values()] == [TIMES, TIMES]
    assert all(f'--comment "{title} cluster IP"' in dump for title in found)


def test_counting_goes_on_when_rules_are_rewritten(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind4.family, 1))
    machine.once(source, *kind4.flags)
    with all_pods_here(machine, kind4.family) as connect:
        connect(cluster_ip(kind4.family, 1), TIMES)
        with watching(machine, "--output", "json", *kind4.flags) as top:
            connect(cluster_ip(kind4.family, 1), 5)
            top.documents(5)
            machine.clear(kind4)
            write(source, web(kind4.family, 1, endpoints=(1, 2, 3)))
            machine.once(source, *kind4.flags)
            connect(cluster_ip(kind4.family, 1), 4)
            found = totals(top.documents(4))
    assert {name: sum(endpoints.values()) for name, endpoints in found.items()} == {"default/web-1:http": 4}


def test_connections_that_are_refused(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1, endpoints=()), web(kind.family, 2))
    assert machine.once(source, *kind.flags).returncode == 0
    with all_pods_here(machine, kind.family) as connect, watching(machine, "--output", "json", *kind.flags) as top:
        for _ in range(5):
            attempt(machine, cluster_ip(kind.family, 1), kind.family)
        connect(cluster_ip(kind.family, 2), 1)
        documents = top.documents(1)
    told = [service for document in documents for service in document["services"]]
    refused = [each for service in told for each in service["refused"] if service["service"] == "default/web-1:http"]
    assert {each["reason"] for each in refused} == {"no_endpoints"}
    assert sum(each["connections"] for each in refused) == sum(document["refused"] for document in documents) == 5


def test_once_is_one_document(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    machine.once(write(tmp_path / "objects.json", web(kind4.family, 1)), *kind4.flags)
    before = machine.dump(kind4)
    done = machine.pykubeproxy("top", "--once", "--output", "json", "--interval", "0.1", *kind4.flags)
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["connections"]) == (0, "", 0)
    assert document["seconds"] >= 0.1
    assert machine.dump(kind4) == before


def test_one_namespace_and_a_word_on_one_that_is_not_there(machine: Machine, kind4: Kind, tmp_path: Path) -> None:
    machine.once(write(tmp_path / "objects.json", web(kind4.family, 1)), *kind4.flags)
    once = ("top", "--once", "--interval", "0.1", *kind4.flags)
    assert "0 busy of 1 Service ports with 2 endpoints" in machine.pykubeproxy(*once, "--namespace", "default").stdout
    other = machine.pykubeproxy(*once, "--namespace", "defualt")
    assert "0 busy of 0 Service ports" in other.stdout
    assert other.stderr == (
        "note: no Service of namespace defualt has endpoints in these rules; did you mean default?\n"
    )


def test_a_node_without_rules(machine: Machine, kind: Kind) -> None:
    before = machine.loaded_tables()
    done = machine.pykubeproxy("top", "--once", "--interval", "0.1", *kind.flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 busy of 0 Service ports with 0 endpoints" in done.stdout
    assert machine.loaded_tables() == before


def test_without_rights(machine: Machine, kind4: Kind) -> None:
    machine.load(kind4, golden("clusterip-three-endpoints"))
    command = ["setpriv", "--bounding-set", "-net_admin,-net_raw", *COMMAND, "top", "--once", *kind4.flags]
    refused = machine.exec(command, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    advice = "top reads this node's rules: run it with sudo; "
    assert refused.stderr.startswith(f"Error: {advice}{kind4.program}-save: ")
    assert refused.stderr.endswith(": run as root, or with CAP_NET_ADMIN and CAP_NET_RAW\n")
    assert refused.stderr.count("\n") == 1
