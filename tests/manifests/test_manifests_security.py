"""What containers may do on the node: as little as the rules of Services take."""

import pytest

from tests.manifests.reading import SHADOW, containers, main, pod

FILES = pytest.mark.parametrize("file", ["daemonset.yaml", SHADOW])


@FILES
def test_the_running_container_has_two_capabilities_and_no_way_to_more(file: str) -> None:
    context = main(file)["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    assert context["allowPrivilegeEscalation"] is False
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "privileged" not in context


def test_only_the_container_for_initialisation_is_privileged() -> None:
    (init,) = pod()["initContainers"]
    assert init["securityContext"] == {"privileged": True, "readOnlyRootFilesystem": True}
    assert init["command"][-1] == "--init-only"


@FILES
def test_there_is_one_place_to_write_and_the_lock(file: str) -> None:
    for container in containers(file):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable == {"/tmp", "/run/xtables.lock"}  # noqa: S108


@FILES
def test_the_node_is_seen_through_two_paths_at_most(file: str) -> None:
    paths = {volume["hostPath"]["path"]: volume["hostPath"] for volume in pod(file)["volumes"] if "hostPath" in volume}
    assert paths["/run/xtables.lock"]["type"] == "FileOrCreate"
    assert paths.keys() <= {"/run/xtables.lock", "/lib/modules"}
    assert pod(file)["hostNetwork"] is True
    assert not pod(file).get("hostPID")
    assert not pod(file).get("hostIPC")


def test_it_runs_on_every_node_and_goes_last() -> None:
    assert pod()["tolerations"] == [{"operator": "Exists"}]
    assert pod()["priorityClassName"] == "system-node-critical"


@FILES
def test_it_asks_for_room_and_is_never_cut_off(file: str) -> None:
    for container in containers(file):
        assert container["resources"].keys() == {"requests"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
