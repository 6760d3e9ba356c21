"""What containers may do on the node: as little as the rules of Services take."""

import pytest

from tests.manifests.reading import REPLACE, SHADOW, containers, main, pod

OVERLAYS = pytest.mark.parametrize("overlay", [REPLACE, SHADOW])


@OVERLAYS
def test_the_running_container_has_two_capabilities_and_no_way_to_more(overlay: str) -> None:
    context = main(overlay)["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    assert context["allowPrivilegeEscalation"] is False
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "privileged" not in context


def test_only_the_container_for_initialisation_is_privileged() -> None:
    (init,) = pod()["initContainers"]
    assert init["securityContext"] == {"privileged": True, "readOnlyRootFilesystem": True}
    assert init["command"][-1] == "--init-only"


def test_the_container_that_gives_the_shadow_its_ports_has_no_rights() -> None:
    (ports,) = pod(SHADOW)["initContainers"]
    assert ports["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert ports["securityContext"]["allowPrivilegeEscalation"] is False


@OVERLAYS
def test_there_is_one_place_to_write_and_the_lock(overlay: str) -> None:
    for container in containers(overlay):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"/tmp", "/run/xtables.lock"}  # noqa: S108


@OVERLAYS
def test_the_node_is_seen_through_two_paths_at_most(overlay: str) -> None:
    mounted = [volume["hostPath"] for volume in pod(overlay)["volumes"] if "hostPath" in volume]
    paths = {host_path["path"]: host_path for host_path in mounted}
    assert paths["/run/xtables.lock"]["type"] == "FileOrCreate"
    assert paths.keys() <= {"/run/xtables.lock", "/lib/modules"}
    assert pod(overlay)["hostNetwork"] is True
    assert not pod(overlay).get("hostPID")
    assert not pod(overlay).get("hostIPC")


def test_it_runs_on_every_node_and_goes_last() -> None:
    assert pod()["tolerations"] == [{"operator": "Exists"}]
    assert pod()["priorityClassName"] == "system-node-critical"


@OVERLAYS
def test_it_asks_for_room_and_is_never_cut_off(overlay: str) -> None:
    for container in containers(overlay):
        assert container["resources"].keys() == {"requests"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
