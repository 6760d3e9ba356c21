"""What cannot be traced is told in one line that says what would be right, with an exit status above 1."""

import pytest
from click.testing import Result

from tests.cli.tracing import POD, example, trace
from tests.corpus import GOLDEN


def assert_one_error(result: Result, *expected: str) -> None:
    errors = [line for line in result.stderr.splitlines() if not line.startswith("assumed: ")]
    assert (result.exit_code, result.stdout, len(errors)) == (2, "", 1), result.stderr
    for text in expected:
        assert text in errors[0]


def dump_of(name: str) -> tuple[str, str]:
    return "--live", str(GOLDEN / name / "ipv4.save")


OWN_IP = "depends on the node's address"
QUESTIONS = {
    "unknown Service": (POD, "default/wob", (), ["no Service default/wob in these rules", "did you mean default/web"]),
    "unknown port": (POD, "default/web:https", (), ["default/web has no port https", "default/web:http (tcp 80)"]),
    "unknown port number": (POD, "default/web:81", (), ["default/web has no port 81", "default/web:http (tcp 80)"]),
    "ambiguous number": (POD, "infra/dns:53", (), ["infra/dns:53 has several ports", "infra/dns:dns (udp 53)"]),
    "ambiguous port": (POD, "infra/dns", (), ["infra/dns has several ports", "infra/dns:dns (udp 53)", "name one"]),
    "unknown protocol": (POD, "infra/dns:53/icmp", (), ["'icmp' is not one of tcp, udp, sctp"]),
    "protocol without a port": (POD, "default/web/udp", (), ["no Service default/web in these rules"]),
    "headless": (POD, "default/database", (), ["headless (clusterIP: None)", "ask for 10.244.0.21:8080"]),
    "no target": (POD, "wob", (), ["neither IP:port", "nor a Service as namespace/name:port"]),
    "no namespace": (POD, "web", (), ["as namespace/name:port; did you mean default/web or default/web:http?"]),
    "not spelled so": (POD, "default/Web", (), ["did you mean default/web?"]),
    "headless, nearly": (POD, "default/databas", (), ["did you mean default/database"]),
    "port too large": (POD, "10.0.0.1:70000", (), ["port 70000 is not within 1 to 65535"]),
    "protocol": (POD, "10.0.0.1:80/icmp", (), ["'icmp' is not one of tcp, udp, sctp"]),
    "address": (POD, "10.0.0.300:80", (), ["'10.0.0.300' is not an IP address"]),
    "families": (POD, "[fd00::1]:80", (), ["both ends of a packet are of one family"]),
    "no address of the family": ("fd00::9", "default/web", (), ["default/web has no rules: it has no IPv6 clusterIP"]),
    "no client": ("somewhere", "default/web", (), ["neither an IP address, nor pod/NAMESPACE/NAME, nor the word node"]),
    "no pod": ("pod/default/wep-1", "default/web", (), ["is a pod of this name; did you mean default/web-1"]),
    "not from there": (
        *(POD, "default/cart", ("--seen-at", "10.244.9.9:8080")),
        ["--seen-at 10.244.9.9:8080: the rules on this way remember only those of 10.244.0.11:8080, 10.244.0.12:8080"],
    ),
    "remembers none": (
        *(POD, "default/web", ("--seen-at", "10.244.0.11:8080")),
        ["remember no clients: there is no session affinity"],
    ),
    "own packets": (
        *("node", "default/web", ("--in-interface", "eth9")),
        ["what the node sends itself arrives by no interface"],
    ),
    **{
        f"endpoint {text}": (
            *(POD, "default/cart", ("--seen-at", text)),
            [f"--seen-at {text}: an endpoint is expected, such as 10.244.0.11:8080"],
        )
        for text in ("10.244.0.11", "web:8080", "10.244.0.300:8080", "10.244.0.11:0")
    },
}


@pytest.mark.parametrize(("client", "target", "flags", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_without_an_answer(client: str, target: str, flags: tuple[str, ...], expected: list[str]) -> None:
    assert_one_error(example(client, target, *flags), *expected)


@pytest.mark.parametrize(
    ("client", "target", "same_client", "same_target"),
    [
        *(
            (POD, other, POD, "default/web:http")
            for other in ("svc/default/web:80", "default/web:80/tcp", "default/web:80", "web.default.svc:http")
        ),
        (POD, "web.default.svc.cluster.local:80", POD, "default/web:http"),
        (POD, "infra/dns:53/udp", POD, "infra/dns:dns"),
        (POD, "infra/dns:53/tcp", POD, "infra/dns:dns-tcp"),
        ("pod/default/web-1", "default/web", "10.244.0.11", "default/web"),
    ],
)
def test_other_ways_to_name_ends(client: str, target: str, same_client: str, same_target: str) -> None:
    result, same = example(client, target), example(same_client, same_target)
    assert (result.exit_code, result.stdout) == (0, same.stdout)


def test_by_a_dump_alone_pods_have_no_names() -> None:
    result = trace("pod/default/web-1", "ns1/np", *dump_of("nodeport"))
    assert_one_error(result, "add --source api or -f, or give its IP address")


def test_what_depends_on_an_address_of_the_node_that_nobody_told() -> None:
    dump = dump_of("loadbalancer-source-ranges")
    assert_one_error(trace("node", "198.51.100.7:80", *dump), OWN_IP, "--host-address")
    assert trace("node", "198.51.100.7:80", *dump, "--host-address", "172.31.1.2").exit_code == 0
    assert trace("node", "ns1/lb", *dump).exit_code == 0, "most things do not depend on it"
