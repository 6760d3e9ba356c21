"""The components of manifests/: what can be added to an overlay, for the Prometheus operator."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.manifests.reading import FOLDER, JsonObject, objects

ALERTS = "components/alerts"
PROJECT = FOLDER.parent


def with_component(name: str, folder: Path) -> list[JsonObject]:
    """The objects of the overlay `replace` with this component, as a kustomization of a user's own has them."""
    (folder / "manifests").symlink_to(FOLDER)
    (folder / "own").mkdir()
    own = {"resources": ["../manifests/overlays/replace"], "components": [f"../manifests/{name}"]}
    (folder / "own/kustomization.yaml").write_text(yaml.safe_dump(own))
    return list(objects("own", folder))


def rules(made: list[JsonObject]) -> list[dict[str, Any]]:
    (found,) = [obj for obj in made if obj["kind"] == "PrometheusRule"]
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def test_every_alert_leads_to_its_section_of_the_runbook(tmp_path: Path) -> None:
    for rule in rules(with_component(ALERTS, tmp_path)):
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        path = re.fullmatch(r"https://github\.com/OWNER/pykubeproxy/blob/main/(docs/\S+\.md)", page)
        assert path, page
        headings = re.findall(r"^## (\w+)$", (PROJECT / path[1]).read_text(), re.MULTILINE)
        assert rule["alert"] in headings
        assert anchor == rule["alert"].lower()


def test_the_pod_monitor_asks_the_port_of_the_metrics(tmp_path: Path) -> None:
    made = {obj["kind"]: obj for obj in with_component("components/pod-monitor", tmp_path)}
    monitor, daemon_set = made["PodMonitor"], made["DaemonSet"]
    template = daemon_set["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (container,) = template["spec"]["containers"]
    (port,) = container["ports"]
    assert endpoint["port"] == port["name"]
    address = re.search(r"metricsBindAddress: \S+:(\d+)", made["ConfigMap"]["data"]["config.conf"])
    assert address
    assert port["containerPort"] == int(address[1])
