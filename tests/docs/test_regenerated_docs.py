"""What the texts show is what the program does."""

import re
from pathlib import Path

import pytest

from docs import ROOT
from docs.regenerate import documents, regenerated, run

TROUBLES = {
    1: "no ready endpoints for default/coming-soon:http: its EndpointSlices list no pods: does its selector match any?",
    2: "no ready endpoints for default/shop:http: 3 endpoints: 2 not ready, 1 terminating",
    3: "no ready endpoints for default/legacy:web: its 2 endpoints are for port http/TCP, not web/TCP",
    4: "LOST  always  no Service has 8080/tcp at 10.96.0.10, only 80/tcp (default/web:http)",
    5: "externalTrafficPolicy: Local and no endpoint on this node for default/audit:http: 2 endpoints, on node-a",
    6: "internalTrafficPolicy: Local and no endpoint on this node for infra/agent:grpc: 1 endpoint, on node-a",
    7: "source 198.51.100.7 not in loadBalancerSourceRanges of default/office:http: 203.0.113.0/24",
    8: "default/database has no rules: headless (clusterIP: None): clients reach its pods directly",
    9: "sent to 10.244.1.87:8080; stale rules: no EndpointSlice of default/web:http lists that endpoint",
    10: "policy DROP of chain FORWARD in table filter: no rule there accepted the packet",
}
SECTIONS = re.split(r"^## \d+\. ", (ROOT / "docs" / "troubleshooting.md").read_text(), flags=re.MULTILINE)


@pytest.fixture(autouse=True)
def in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_a_text_is_as_make_docs_would_leave_it(document: Path) -> None:
    for path, text in regenerated(document).items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: run make docs"


assert len(SECTIONS) - 1 == len(TROUBLES), "each section has its reason here"


@pytest.mark.parametrize(("number", "reason"), TROUBLES.items())
def test_the_first_command_of_each_trouble_names_its_cause(number: int, reason: str) -> None:
    command = re.search(r"^\$ (.*)$", SECTIONS[number], flags=re.MULTILINE)
    assert command is not None
    answer = run(command[1]).split("\n\n")
    # The answer stands at the top: in the only line, or between the first line and the way.
    assert reason in answer[min(1, len(answer) - 1)]
    # Before it stands the one command for a whole cluster.
    assert re.fullmatch(r" {4}(kubectl )?pykubeproxy (status|trace --\S.*)", SECTIONS[number].split("\n\n")[1])


def test_every_local_link_leads_somewhere() -> None:
    for document in documents():
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
