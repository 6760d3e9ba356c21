"""The flags as click options."""

from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.errors import CONTEXT_SETTINGS
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.config.completed import complete
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.flag_table import FLAGS


def invoke(*args: str) -> tuple[Result, dict[str, Any]]:
    seen: dict[str, Any] = {}

    @click.command(context_settings=CONTEXT_SETTINGS)
    @click.option("--source", default="api")
    @kube_proxy_flags()
    def run(source: str, flags: dict[str, Any]) -> None:
        seen.update(flags, source=source)

    return CliRunner().invoke(run, args), seen


def flags_of(*args: str) -> dict[str, Any]:
    result, seen = invoke(*args)
    assert result.exit_code == 0, result.output
    assert seen.pop("source") == "api"
    return seen


@pytest.mark.parametrize(
    ("args", "flags"),
    [
        ([], {}),
        (["--config=/f", "--hostname-override", "N"], {"config": "/f", "hostname-override": "N"}),
        (["--masquerade-all"], {"masquerade-all": True}),
        (["--masquerade-all=false"], {"masquerade-all": False}),
        (["--masquerade_all", "--cleanup=true"], {"masquerade-all": True, "cleanup": True}),
        (["-v", "4"], {"v": 4}),
        (["-v4"], {"v": 4}),
        (["-v=4"], {"v": 4}),
        (["--v=4"], {"v": 4}),
        (["--version"], {"version": "true"}),
        (["--version=raw"], {"version": "raw"}),
        (["--oom-score-adj=-5"], {"oom-score-adj": -5}),
        (["--oom-score-adj", "-5"], {"oom-score-adj": -5}),
        (["--iptables-sync-period", "1h"], {"iptables-sync-period": Duration.parse("1h")}),
        (["--config=a", "--config="], {"config": ""}),
        (["--metrics-bind-address="], {}),
        (["--nodeport-addresses=a,b", "--nodeport-addresses=c"], {"nodeport-addresses": ("a", "b", "c")}),
        (["--nodeport-addresses="], {"nodeport-addresses": ()}),
        (["--feature-gates=A=true,B=false"], {"feature-gates": {"A": True, "B": False}}),
    ],
)
def test_given_flags_arrive_and_no_others(args: list[str], flags: dict[str, Any]) -> None:
    assert flags_of(*args) == flags


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--bind-address=x"], "Invalid value for '--bind-address': \"x\" is not a valid IP address"),
        (["--healthz-bind-address=1.2.3.4:0"], "Invalid value for '--healthz-bind-address'"),
        (["--masquerade-all=maybe"], "Invalid value for '--masquerade-all': \"maybe\" is not true or false"),
        (["--iptables-sync-period=30"], "missing unit"),
        (["--no-such-flag"], "No such option"),
        (["positional"], "unexpected extra argument"),
        (["--masquerade-all", "true"], "unexpected extra argument (true)"),
        (["--masquerade_all", "false"], "unexpected extra argument (false)"),
        (["--version", "raw"], "unexpected extra argument (raw)"),
    ],
)
def test_bad_flags(args: list[str], reason: str) -> None:
    result, seen = invoke(*args)
    assert result.exit_code != 0
    assert reason in result.output
    assert seen == {}


def test_every_flag_has_an_option_and_completes() -> None:
    args = [f"--{flag.name}={flag.shown(flag.default).strip('[]')}" for flag in FLAGS]
    flags = flags_of(*args)
    assert flags == {flag.name: flag.default for flag in FLAGS}
    assert complete(flags, None, "node").config == complete({}, None, "node").config


def test_flags_can_be_left_out() -> None:
    @click.command()
    @kube_proxy_flags(leave_out=("cleanup",))
    def render(flags: dict[str, Any]) -> None:
        click.echo(flags)

    assert CliRunner().invoke(render, ["--cleanup"]).exit_code != 0
    assert CliRunner().invoke(render, ["--v=1"]).output == "{'v': 1}\n"


def test_help_names_defaults_and_hides_deprecated_flags() -> None:
    output = " ".join(invoke("--help")[0].output.split())
    assert "--iptables-masquerade-bit INT" in output
    assert "(default 14)" in output
    assert "No effect: pykubeproxy works in iptables mode only." in output
    assert "--healthz-port" not in output
