"""docs/kubectl-plugin.md: its screen is what the plugin prints, and its tables have all values of the JSON."""

import re

import click
import pytest

from pykubeproxy.cli.kubectl_output import Statuses, status_lines
from pykubeproxy.cli.kubectl_plugin import main
from pykubeproxy.cli.status_output import as_json
from pykubeproxy.explain.node_answer_words import no_answer_text
from pykubeproxy.explain.node_answers import NoAnswer, NodeStatus, NoSuchProgram, read_status
from pykubeproxy.explain.status.assessment import assess
from pykubeproxy.explain.status.node_state import NodeState
from tests.documented import DOCS, assert_documented, leaves, structs_in
from tests.explain.status.nodes import TROUBLED, WELL
from tests.explain.test_every_value_has_words import built

DOCUMENT = (DOCS / "kubectl-plugin.md").read_text()


def reported(state: NodeState) -> NodeStatus:
    return read_status(as_json(state, assess(state)).encode())


STATUSES: Statuses = {
    "node-a": reported(WELL),
    "node-b": reported(TROUBLED),
    "node-c": NoSuchProgram(pod="kube-proxy-x7k2p", image="registry.k8s.io/kube-proxy:v1.37.0"),
    "node-d": reported(WELL),
}


def test_the_screen_is_what_status_prints() -> None:
    shown = re.search(r"<!-- status -->\n```\n(.*?)```", DOCUMENT, re.DOTALL)
    assert shown is not None
    assert shown[1] == click.unstyle("\n".join(status_lines(STATUSES))) + "\n"


@pytest.mark.parametrize("kind", leaves(NoAnswer), ids=lambda kind: kind.__name__)
def test_each_reason_has_words_and_is_documented(kind: type[NoAnswer]) -> None:
    assert "something" in no_answer_text(built(kind))
    assert_documented(kind, "kubectl-plugin.md")


@pytest.mark.parametrize("kind", list(structs_in(NodeStatus)), ids=lambda kind: kind.__name__)
def test_each_value_is_documented(kind: type[NodeStatus]) -> None:
    assert_documented(kind, "kubectl-plugin.md")


def test_each_command_is_documented() -> None:
    for command in main.list_commands(click.Context(main)):
        assert f"| `kubectl pykubeproxy {command}" in DOCUMENT
