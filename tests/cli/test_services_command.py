"""`services`: what it prints of a dump, beside objects, and how it exits."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.main import main
from tests.corpus import GOLDEN

KUBERNETES = "default/kubernetes:https  443/TCP  10.96.0.1   -"
NODE_PORT = "ns1/np:http               80/TCP   10.96.1.1   node port 30080/TCP"


def services(name: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["services", "--live", str(GOLDEN / name / "ipv4.save"), *arguments])


def objects(name: str) -> tuple[str, str]:
    return "-f", str(GOLDEN / name / "objects.yaml")


def test_the_dump_of_a_node_with_kube_proxy() -> None:
    result = services("nodeport-local-no-local-endpoints")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "SERVICE                   PORT     CLUSTER IP  OTHER ADDRESSES      ENDPOINTS    NOTES",
        f"{KUBERNETES}                    0            refused: no endpoints",
        f"{NODE_PORT}  1 (0 local)  dropped from outside: no local endpoints; externalTrafficPolicy Local",
        "2 ports of 2 Services; 2 have traffic that is refused or dropped",
    ]


def test_one_service_whole() -> None:
    result = services("loadbalancer-local", "ns1/lb")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ns1/lb:http  80/TCP  IPv4",
        "  cluster IP     10.96.1.1",
        "  load balancer  198.51.100.7",
        "  node port      30081/TCP",
        "                 externalTrafficPolicy Local",
        "  endpoints      3 (1 local)",
        "                 10.244.0.11:8080 (local)",
        "                 10.244.1.12:8080",
        "                 10.244.2.13:8080",
    ]


@pytest.mark.parametrize(
    ("arguments", "shown", "status"),
    [
        (("-n", "ns1"), ["ns1/np:http"], 0),
        (("--address", "10.96.0.1"), ["default/kubernetes:https"], 0),
        (("--address", "10.244.0.11"), ["ns1/np:http"], 0),
        (("--namespace", "other"), [], 1),
        (("ns1/np:http",), ["ns1/np:http"], 0),
        (("default/np",), [], 1),
    ],
)
def test_filters(arguments: tuple[str, ...], shown: list[str], status: int) -> None:
    result = services("nodeport", "--output", "json", *arguments)
    document = json.loads(result.stdout)
    assert result.exit_code == status
    assert [view["title"] for view in document["services"]] == shown
    assert (document["version"], document["unequal"]) == (1, None)


def test_a_name_that_no_rule_has() -> None:
    assert (
        services("nodeport", "ns1/npp").stderr
        == "note: no Service ns1/npp in these rules; did you mean ns1/np or ns1/np:http?\n"
    )
    assert services("nodeport", "ns1/npp").stdout == ""
    headless = services("nodeport", "ns1/hl", *objects("headless")).stderr
    assert "note: ns1/hl has no rules: headless (clusterIP: None): clients reach its pods directly" in headless


def test_objects_are_compared_and_explain() -> None:
    same = services("nodeport", *objects("nodeport"))
    assert same.exit_code == 0
    assert same.stdout.endswith("\nThe rules have the Services that the objects have.\n")
    assert "refused: no endpoints: it has no EndpointSlice" in same.stdout
    other = services("nodeport", *objects("session-affinity"))
    assert other.exit_code == 1
    assert other.stdout.split("\n\n")[1:] == [
        "1 in the objects, but not in the IPv4 rules:\n  ns1/aff:http",
        "1 in the IPv4 rules, but not in the objects:\n  ns1/np:http\n",
    ]
    document = json.loads(services("nodeport", *objects("session-affinity"), "--output", "json").stdout)
    assert document["unequal"] == [
        {"family": "IPv4", "onlyInObjects": ["ns1/aff:http"], "onlyInRules": ["ns1/np:http"]}
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nodeport-local-no-local-endpoints", "dropped from outside (1 packet): no local endpoints"),
        ("nodeport-no-endpoints", "refused (2 packets): no endpoints"),
        ("loadbalancer-source-ranges", "203.0.113.0/24 (1 packet from elsewhere dropped)"),
    ],
)
def test_a_dump_with_counters_says_how_much_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    counted = (GOLDEN / name / "ipv4.save").read_text().replace("\n-A", "\n[1:60] -A")
    (tmp_path / "dump").write_text(counted)
    assert expected in CliRunner().invoke(main, ["services", "--live", str(tmp_path / "dump")]).stdout


def test_while_objects_cannot_be_read_none_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(
        "kind: Service\nmetadata: {name: np, namespace: ns1}\napiVersion: v1\nspec: 7\n"
    )
    known = (GOLDEN / "clusterip-one-endpoint" / "objects.yaml").read_text()
    (tmp_path / "known.yaml").write_text(known)
    result = services("nodeport", "-f", str(tmp_path), "--output", "json")
    (unequal,) = json.loads(result.stdout)["unequal"]
    assert unequal["onlyInRules"] == []
    assert "note: not all objects can be read, so nothing is said of Services that only the rules have" in result.stderr


def test_many_names_are_shortened(tmp_path: Path) -> None:
    listed = [
        {"kind": "Service", "metadata": {"name": f"s{number}", "namespace": "ns"}}
        | {"apiVersion": "v1", "spec": {"clusterIP": f"10.96.3.{number}", "ports": [{"port": 80}]}}
        for number in range(1, 13)
    ]
    path = tmp_path / "objects.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": listed}))
    lines = services("nodeport", "-f", str(path)).stdout.splitlines()
    place = lines.index("12 in the objects, but not in the IPv4 rules:")
    assert lines[place + 10 : place + 12] == ["  ns/s7", "  ... and 2 more"]


def test_a_dump_without_a_table(tmp_path: Path) -> None:
    whole = (GOLDEN / "nodeport" / "ipv4.save").read_text()
    nat = tmp_path / "nat"
    nat.write_text("*nat" + whole.partition("*nat")[2].partition("COMMIT")[0] + "COMMIT\n")
    result = CliRunner().invoke(main, ["services", "--live", str(nat)])
    assert result.stderr == f"note: {nat} has no table filter (ipv4)\n"
    assert "ns1/np:http" in result.stdout
    assert CliRunner().invoke(main, ["services", "--live", "/no/such"]).exit_code == 2
