"""Which objects are asked for (`docs/reference/lifecycle.md` section 9)."""

from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, own_node


def test_paths_and_selectors() -> None:
    assert (SERVICES.path, SERVICES.selectors) == (
        "/api/v1/services",
        {"labelSelector": "!service.kubernetes.io/service-proxy-name", "fieldSelector": "spec.clusterIP!=None"},
    )
    assert (ENDPOINT_SLICES.path, ENDPOINT_SLICES.selectors) == (
        "/apis/discovery.k8s.io/v1/endpointslices",
        {"labelSelector": "!service.kubernetes.io/headless"},
    )
    node = own_node("n1")
    assert (node.path, node.selectors) == ("/api/v1/nodes", {"fieldSelector": "metadata.name=n1"})


def test_names_for_rbac() -> None:
    assert [each.group_resource for each in (SERVICES, ENDPOINT_SLICES, own_node("n1"))] == [
        "services",
        "endpointslices.discovery.k8s.io",
        "nodes",
    ]
