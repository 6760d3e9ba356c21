from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.cluster import Cluster
from tests.apiserver.errors import ApiError
from tests.apiserver.testing import service


def test_defaults_of_a_cluster_ip_service(api: Cluster) -> None:
    created = api.create(service("web", ports=[{"port": 80}]))
    spec = created["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["clusterIP"].startswith("10.")
    expected = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }
    assert {name: spec.get(name) for name in expected} == expected
    assert created["status"] == {"loadBalancer": {}}
    assert "externalTrafficPolicy" not in spec


def test_metadata_is_filled_in(api: Cluster) -> None:
    metadata = api.create(service("web"))["metadata"]
    assert {"uid", "creationTimestamp", "resourceVersion"} <= metadata.keys()
    assert metadata["creationTimestamp"].endswith("Z")


def test_node_ports_and_health_check_port_are_allocated(api: Cluster) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    spec = api.create(service("lb", type="LoadBalancer", externalTrafficPolicy="Local", ports=ports))["spec"]
    taken = [port["nodePort"] for port in spec["ports"]] + [spec["healthCheckNodePort"]]
    assert len(set(taken)) == 3
    assert all(30000 <= port <= 32767 for port in taken)
    assert spec["allocateLoadBalancerNodePorts"] is True


def test_a_load_balancer_without_node_ports(api: Cluster) -> None:
    spec = api.create(service("lb", type="LoadBalancer", allocateLoadBalancerNodePorts=False))["spec"]
    assert "nodePort" not in spec["ports"][0]
    assert spec["externalTrafficPolicy"] == "Cluster"


def test_session_affinity_has_a_timeout(api: Cluster) -> None:
    spec = api.create(service("web", sessionAffinity="ClientIP"))["spec"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


def test_headless_and_external_name_services_get_no_address(api: Cluster) -> None:
    headless = api.create(service("headless", clusterIP="None"))["spec"]
    assert (headless["clusterIP"], headless["clusterIPs"]) == ("None", ["None"])
    named = api.create(service("named", type="ExternalName", externalName="example.com"))["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "internalTrafficPolicy"} & named.keys()


def test_dual_stack_gets_an_address_of_each_family(api: Cluster) -> None:
    spec = api.create(service("web", ipFamilyPolicy="RequireDualStack"))["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert spec["clusterIPs"][1].startswith("fd00:10:96::")


def test_an_ipv6_service(api: Cluster) -> None:
    spec = api.create(service("web", ipFamilies=["IPv6"]))["spec"]
    assert spec["clusterIP"].startswith("fd00:10:96::")
    assert spec["ipFamilyPolicy"] == "SingleStack"


def test_status_is_kept_apart_from_spec(api: Cluster) -> None:
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    created = api.create(service("lb", type="LoadBalancer") | {"status": ingress})
    assert created["status"] == {"loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}]}}
    changed = api.patch("Service", "default", "lb", {"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}})
    assert changed["status"]["loadBalancer"]["ingress"]
    patch = {"spec": {"externalIPs": ["192.0.2.8"]}, "status": {"loadBalancer": {"ingress": None}}}
    after = api.patch("Service", "default", "lb", patch, subresource="status")
    assert after["status"] == {"loadBalancer": {}}
    assert "externalIPs" not in after["spec"]


def test_a_replacement_keeps_what_was_allocated(api: Cluster) -> None:
    before = api.create(service("web", type="NodePort"))["spec"]
    after = api.replace(service("web", type="NodePort", sessionAffinity="ClientIP"))["spec"]
    assert after["clusterIP"] == before["clusterIP"]
    assert after["ports"] == before["ports"]
    assert after["sessionAffinity"] == "ClientIP"


def test_a_change_of_type_drops_what_belonged_to_the_old_one(api: Cluster) -> None:
    api.create(service("web", type="LoadBalancer", externalTrafficPolicy="Local"))
    spec = api.patch("Service", "default", "web", {"spec": {"type": "ClusterIP"}})["spec"]
    dropped = {"healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"}
    assert not dropped & spec.keys()
    assert "nodePort" not in spec["ports"][0]
    spec = api.patch("Service", "default", "web", {"spec": {"type": "ExternalName", "externalName": "a.b"}})["spec"]
    assert not {"clusterIP", "clusterIPs"} & spec.keys()


def test_what_a_deleted_service_held_is_free_again(api: Cluster) -> None:
    wanted: dict[str, Any] = {"clusterIP": "10.96.7.7", "type": "NodePort", "ports": [{"port": 80, "nodePort": 30007}]}
    api.create(service("web", **wanted))
    for each in ({"clusterIP": "10.96.7.7"}, {"type": "NodePort", "ports": wanted["ports"]}):
        with pytest.raises(ApiError, match="already allocated") as caught:
            api.create(service("other", **each))
        assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    api.delete("Service", "default", "web")
    assert api.create(service("other", **wanted))["spec"]["clusterIP"] == "10.96.7.7"


def test_a_new_service_shares_a_node_port_between_protocols_where_the_port_is_the_same(api: Cluster) -> None:
    def ports(*node_ports: int | None) -> list[dict[str, Any]]:
        made = [("tcp", 53, "TCP"), ("udp", 53, "UDP"), ("web", 80, "TCP")]
        named = zip(made, node_ports, strict=True)
        return [
            {"name": name, "port": number, "protocol": protocol} | ({"nodePort": given} if given else {})
            for (name, number, protocol), given in named
        ]

    def given(spec: dict[str, Any]) -> list[int]:
        return [port["nodePort"] for port in spec["ports"]]

    free = given(api.create(service("free", type="NodePort", ports=ports(None, None, None)))["spec"])
    assert free[0] == free[1] != free[2]
    assert given(api.create(service("one", type="NodePort", ports=ports(None, 30053, 30080)))["spec"]) == [
        30053,
        30053,
        30080,
    ]
    two = api.create(service("two", type="NodePort", ports=ports(30153, 30154, 30180)))["spec"]
    assert given(two) == [30153, 30154, 30180]


def test_a_new_service_shares_no_node_port_between_different_ports_but_an_update_may(api: Cluster) -> None:
    ports = [
        {"name": "http", "port": 80, "nodePort": 30113},
        {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30113},
    ]
    with pytest.raises(ApiError, match=r"spec\.ports\[1\]\.nodePort: .*30113: provided port is already allocated"):
        api.create(service("shop", type="NodePort", ports=ports))
    api.create(service("shop", type="NodePort", ports=[ports[0]]))
    changed = api.replace(service("shop", type="NodePort", ports=ports))["spec"]
    assert [port["nodePort"] for port in changed["ports"]] == [30113, 30113]
    with pytest.raises(ApiError, match=r"[Dd]uplicate"):
        api.replace(service("shop", type="NodePort", ports=[ports[0], ports[1] | {"protocol": "TCP"}]))


def test_a_load_balancer_that_wants_no_node_ports_still_gets_those_that_it_names(api: Cluster) -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30114}, {"name": "b", "port": 81}]
    balancer: dict[str, Any] = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": ports}
    spec = api.create(service("lb", **balancer))["spec"]
    assert [port.get("nodePort") for port in spec["ports"]] == [30114, None]
    with pytest.raises(ApiError, match="already allocated"):
        api.create(service("other", **balancer))


def test_a_replacement_keeps_node_ports_by_the_name_of_the_port(api: Cluster) -> None:
    before = api.create(service("web", type="NodePort"))["spec"]["ports"][0]
    moved = [{"name": "http", "port": 8000}, {"name": "new", "port": 80}]
    after = api.replace(service("web", type="NodePort", ports=moved))["spec"]["ports"]
    assert after[0]["nodePort"] == before["nodePort"] != after[1]["nodePort"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            r"nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-",
        ),
        ({"ports": []}, r"spec\.ports: Required value"),
        ({"ports": [{"port": 0}]}, r"spec\.ports\[0\]\.port: Invalid value"),
        ({"ports": [{"port": 80, "protocol": "ICMP"}]}, r"spec\.ports\[0\]\.protocol: Unsupported value"),
        ({"ports": [{"port": 80}, {"port": 81}]}, r"spec\.ports\[0\]\.name: Required value"),
        ({"type": "Gateway"}, r"spec\.type: Unsupported value"),
    ],
)
def test_a_bad_service_is_refused(api: Cluster, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        api.create(service("bad", **spec))
    assert caught.value.code == 422
    assert caught.value.details is not None
    assert caught.value.details["causes"]


def test_the_cluster_ip_cannot_change(api: Cluster) -> None:
    api.create(service("web"))
    with pytest.raises(ApiError, match="may not change once set"):
        api.patch("Service", "default", "web", {"spec": {"clusterIP": "10.96.9.9", "clusterIPs": ["10.96.9.9"]}})
