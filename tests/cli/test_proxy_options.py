"""The flags as click options."""

from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from pykubeproxy.cli.help import CONTEXT_SETTINGS
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.config.completed import complete
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.flag_table import FLAGS


def invoke(*args: str, leave_out: tuple[str, ...] = ()) -> tuple[Result, dict[str, Any]]:
    seen: dict[str, Any] = {}

    @click.command(context_settings=CONTEXT_SETTINGS)
    @kube_proxy_flags(leave_out=leave_out)
    def run(flags: dict[str, Any]) -> None:
        seen.update(flags)

    return CliRunner().invoke(run, args), seen


@pytest.mark.parametrize(
    ("args", "flags"),
    [
        ([], {}),
        (["--config=/f", "--hostname-override", "N"], {"config": "/f", "hostname-override": "N"}),
        (["--masquerade-all"], {"masquerade-all": True}),
        (["--masquerade-all=false"], {"masquerade-all": False}),
        (["--masquerade_all", "--cleanup=true"], {"masquerade-all": True, "cleanup": True}),
        (["-v", "4"], {"v": 4}),
        (["-v=4"], {"v": 4}),
        (["--v=4"], {"v": 4}),
        (["--version"], {"version": "true"}),
        (["--version=raw"], {"version": "raw"}),
        (["--oom-score-adj=-5"], {"oom-score-adj": -5}),
        (["--iptables-sync-period", "1h"], {"iptables-sync-period": Duration.parse("1h")}),
        (["--config=a", "--config="], {"config": ""}),
        (["--nodeport-addresses=a,b", "--nodeport-addresses=c"], {"nodeport-addresses": ("a", "b", "c")}),
        (["--nodeport-addresses="], {"nodeport-addresses": ()}),
        (["--feature-gates=A=true,B=false"], {"feature-gates": {"A": True, "B": False}}),
    ],
)
def test_given_flags_arrive_and_no_others(args: list[str], flags: dict[str, Any]) -> None:
    result, seen = invoke(*args)
    assert (result.exit_code, seen) == (0, flags), result.output


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--bind-address=x"], "Invalid value for '--bind-address': \"x\" is not a valid IP address"),
        (["--masquerade-all=maybe"], "Invalid value for '--masquerade-all': \"maybe\" is not true or false"),
        (["--config-sync-period=1s"], "No such option"),
        (["positional"], "unexpected extra argument"),
        (["--masquerade-all", "true"], "unexpected extra argument (true)"),
    ],
)
def test_bad_flags(args: list[str], reason: str) -> None:
    result, seen = invoke(*args, leave_out=("config-sync-period",))
    assert result.exit_code != 0
    assert reason in result.output
    assert seen == {}


def test_every_flag_has_an_option_and_completes() -> None:
    _, flags = invoke(*(f"--{flag.name}={flag.shown(flag.default).strip('[]')}" for flag in FLAGS))
    assert flags == {flag.name: flag.default for flag in FLAGS}
    assert complete(flags, None, "node").config == complete({}, None, "node").config
