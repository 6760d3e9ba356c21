"""What cannot be traced is told in one line that says what would be right, with an exit status above 1."""

from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.tracing import EXAMPLES, POD, example, trace
from tests.corpus import GOLDEN

DUAL = GOLDEN / "dual-stack"


def assert_one_error(result: Result, *expected: str) -> None:
    errors = [line for line in result.stderr.splitlines() if not line.startswith("assumed: ")]
    assert result.exit_code > 1
    assert len(errors) == 1, result.stderr
    assert result.stdout == ""
    for text in expected:
        assert text in errors[0]


QUESTIONS = {
    "unknown Service": ("default/wob", ["no Service default/wob in these rules", "did you mean default/web"]),
    "unknown port": ("default/web:https", ["default/web has no port https", "default/web:http (tcp 80)"]),
    "unknown port number": ("default/web:81", ["default/web has no port 81", "default/web:http (tcp 80)"]),
    "ambiguous port number": ("infra/dns:53", ["infra/dns:53 has several ports", "infra/dns:dns (udp 53)", "name one"]),
    "ambiguous port": ("infra/dns", ["infra/dns has several ports", "infra/dns:dns (udp 53)", "name one"]),
    "headless": ("default/database", ["headless (clusterIP: None)", "ask for 10.244.0.21:8080"]),
    "not a target": ("wob", ["neither IP:port", "nor a Service as namespace/name:port"]),
    "no namespace": ("web", ["nor a Service as namespace/name:port; did you mean default/web or default/web:http?"]),
    "not spelled so": ("default/Web", ["did you mean default/web?"]),
    "headless, nearly": ("default/databas", ["did you mean default/database"]),
    "port too large": ("10.0.0.1:70000", ["port 70000 is not within 1 to 65535"]),
    "protocol": ("10.0.0.1:80/icmp", ["'icmp' is not one of tcp, udp, sctp"]),
    "address": ("10.0.0.300:80", ["'10.0.0.300' is not an IP address"]),
    "families": ("[fd00::1]:80", ["both ends of a packet are of one family"]),
}


@pytest.mark.parametrize(("target", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_without_an_answer(target: str, expected: list[str]) -> None:
    assert_one_error(example(POD, target), *expected)


@pytest.mark.parametrize(
    "name", ["svc/default/web:80", "default/web:80/tcp", "web.default.svc.cluster.local:80", "web.default.svc:http"]
)
def test_other_ways_to_name_a_service(name: str) -> None:
    assert example(POD, name).stdout == example(POD, "default/web:http").stdout


def test_a_port_of_one_protocol() -> None:
    assert "(infra/dns:dns)" in example(POD, "infra/dns:53/udp").stdout
    assert "(infra/dns:dns-tcp)" in example(POD, "infra/dns:53/tcp").stdout
    assert_one_error(example(POD, "infra/dns:53/icmp"), "'icmp' is not one of tcp, udp, sctp")
    assert_one_error(example(POD, "default/web/udp"), "no Service default/web in these rules")


def test_a_pod_by_its_name() -> None:
    assert example("pod/default/web-1", "default/web").stdout == example("10.244.0.11", "default/web").stdout
    assert_one_error(example("pod/default/wep-1", "default/web"), "is a pod of this name; did you mean default/web-1")
    dump = ("--live", str(GOLDEN / "nodeport" / "ipv4.save"))
    assert_one_error(trace("pod/default/web-1", "ns1/np", *dump), "add --source api or -f, or give its IP address")


def test_a_port_by_its_number() -> None:
    by_number = example(POD, "default/web:80")
    assert by_number.exit_code == 0
    assert by_number.stdout == example(POD, "default/web:http").stdout


@pytest.mark.parametrize("endpoint", ["10.244.0.11", "web:8080", "10.244.0.300:8080", "10.244.0.11:0"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    told = f"--seen-at {endpoint}: an endpoint is expected, such as 10.244.0.11:8080"
    assert_one_error(example(POD, "default/cart", "--seen-at", endpoint), told)


def test_a_service_without_an_address_of_the_family() -> None:
    assert_one_error(example("fd00::9", "default/web"), "default/web has no rules: it has no IPv6 clusterIP")


UNSERVED = {
    "type ExternalName is DNS only": "{type: ExternalName, externalName: example.org}",
    "it has no clusterIP": "{ports: [{port: 80}]}",
}


@pytest.mark.parametrize(("why", "spec"), UNSERVED.items(), ids=UNSERVED.keys())
def test_a_service_for_which_there_are_no_rules(why: str, spec: str, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(f"apiVersion: v1\nkind: Service\nmetadata: {{name: odd, namespace: ns1}}\nspec: {spec}\n")
    assert_one_error(trace(POD, "ns1/odd", "-f", str(file), "--family", "ipv4"), f"ns1/odd has no rules: {why}")


def test_a_service_that_another_proxy_serves(tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    text = (EXAMPLES / "cluster-ip.yaml").read_text()
    file.write_text(
        text.replace("  name: web\n", "  name: web\n  labels: {service.kubernetes.io/service-proxy-name: x}\n", 1)
    )
    result = trace(POD, "default/web", "-f", str(file), "--family", "ipv4")
    assert_one_error(result, "label service.kubernetes.io/service-proxy-name hands it to another proxy")


def test_an_endpoint_whose_clients_no_rule_remembers() -> None:
    told = "the rules on this way remember only those of 10.244.0.11:8080, 10.244.0.12:8080, 10.244.1.11:8080"
    assert_one_error(example(POD, "default/cart", "--seen-at", "10.244.9.9:8080"), "--seen-at 10.244.9.9:8080", told)
    none = example(POD, "default/web", "--seen-at", "10.244.0.11:8080")
    assert_one_error(none, "remember no clients: there is no session affinity")


def test_an_interface_by_which_the_node_s_own_packets_do_not_arrive() -> None:
    told = "what the node sends itself arrives by no interface"
    assert_one_error(example("node", "default/web", "--in-interface", "eth9"), told)


def test_what_depends_on_an_address_of_the_node_that_nobody_told() -> None:
    dump = ("--live", str(GOLDEN / "loadbalancer-source-ranges" / "ipv4.save"))
    assert_one_error(trace("node", "198.51.100.7:80", *dump), "depends on the node's address", "--host-address")
    assert trace("node", "198.51.100.7:80", *dump, "--host-address", "172.31.1.2").exit_code == 0
    assert trace("node", "ns1/lb", *dump).exit_code == 0, "most things do not depend on it"


RESTRICTED = """\
apiVersion: v1
kind: Service
metadata: {{name: lb, namespace: default}}
spec: {{type: LoadBalancer, clusterIP: "{cluster_ip}", ports: [{{port: 80}}], loadBalancerSourceRanges: ["{range}"]}}
status: {{loadBalancer: {{ingress: [{{ip: "{address}"}}]}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: lb-1, namespace: default, labels: {{kubernetes.io/service-name: lb}}}}
addressType: {family}
ports: [{{name: "", port: 8080, protocol: TCP}}]
endpoints: [{{addresses: ["{endpoint}"]}}]
"""
FAMILIES = {
    "IPv4": ("10.96.0.50", "10.244.0.11", "192.0.2.1", "192.0.2.0/24", "198.51.100.0/24"),
    "IPv6": ("fd00:10:96::50", "fd00:10:244::11", "2001:db8::1", "2001:db8::/64", "fd00:99::/64"),
}


def restricted(folder: Path, family: str, *, admits_documentation: bool) -> tuple[str, str, str]:
    """A manifest with a load balancer at the first address for documentation; that address, and where to ask."""
    cluster_ip, endpoint, address, inside, outside = FAMILIES[family]
    file = folder / "lb.yaml"
    ranges = inside if admits_documentation else outside
    text = RESTRICTED.format(cluster_ip=cluster_ip, endpoint=endpoint, address=address, range=ranges, family=family)
    file.write_text(text)
    return str(file), address, f"[{address}]:80" if ":" in address else f"{address}:80"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_address_for_documentation_may_be_the_node_s_own(family: str, tmp_path: Path) -> None:
    file, address, target = restricted(tmp_path, family, admits_documentation=False)
    result = trace("node", target, "-f", file, "--family", family.lower(), "--host-address", address)
    assert result.exit_code == 1, result.output
    assert "not in loadBalancerSourceRanges" in result.stdout


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("admits_documentation", [True, False])
def test_a_made_up_address_of_the_node_is_not_judged_by_the_rules(
    family: str, tmp_path: Path, *, admits_documentation: bool
) -> None:
    file, _, target = restricted(tmp_path, family, admits_documentation=admits_documentation)
    assert_one_error(trace("node", target, "-f", file, "--family", family.lower()), "depends on the node's address")


def test_a_dump_that_says_what_it_lacks(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text("# Table `filter' is incompatible, use 'nft' tool.\n*nat\nCOMMIT\n")
    result = trace(POD, "10.0.0.1:80", "--live", str(dump))
    assert_one_error(result, f"{dump}: line 1: table filter is not in this dump", "made with nft")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html></html>\n", "line 1: '<html></html>' is not a line of iptables-save"),
        ("*nat\n:A - [0:0]", "the dump ends inside table nat"),
        ("", "no table in it"),
    ],
)
def test_a_dump_that_is_none(text: str, expected: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text(text)
    assert_one_error(trace(POD, "10.0.0.1:80", "--live", str(dump)), str(dump), expected)


def test_a_dump_of_the_other_family() -> None:
    result = trace("10.0.0.9", "10.0.0.1:80", "--live", str(DUAL / "ipv6.save"), "--family", "ipv4")
    assert result.exit_code in (0, 1), "--family says what a dump is taken for"
    result = trace("fd00::9", "10.0.0.1:80", "--live", str(DUAL / "ipv4.save"))
    assert_one_error(result, "both ends of a packet are of one family")


def test_a_client_that_is_no_address() -> None:
    assert_one_error(
        example("somewhere", "default/web"), "neither an IP address, nor pod/NAMESPACE/NAME, nor the word node"
    )
