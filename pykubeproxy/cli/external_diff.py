"""An external program that shows the differences, as KUBECTL_EXTERNAL_DIFF is for `kubectl diff`."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pykubeproxy.cli.errors import FAILED
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.host.errors import HostError, ToolMissing
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.compile import in_print_order
from pykubeproxy.rules.ruleset import Ruleset, render

VARIABLE = "PYKUBEPROXY_EXTERNAL_DIFF"


def external_command() -> list[str]:
    """The program to run, with its arguments, from the environment; empty if there is none. Raises ConfigError."""
    text = os.environ.get(VARIABLE, "")
    try:
        return shlex.split(text)
    except ValueError as error:
        problem = str(error).lower()
        raise ConfigError(
            f"{VARIABLE}: {text}: {problem}; a program and its arguments are expected, quoted as for a shell"
        ) from None


def run_external_diff(command: list[str], live: Mapping[Family, Ruleset], planned: Mapping[Family, Ruleset]) -> int:
    """Run the program on two folders, LIVE and PLANNED, with a dump per family in each.

    Returns its exit status: 0 for no difference, 1 for some, as diff(1) has it. Raises HostError.
    """
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-") as folder:
        for name, rulesets in (("LIVE", live), ("PLANNED", planned)):
            Path(folder, name).mkdir()
            for family, ruleset in rulesets.items():
                text = "".join(f"{line}\n" for line in render(in_print_order(ruleset)))
                Path(folder, name, f"{family.lower()}.save").write_text(text)
        try:
            status = subprocess.run([*command, f"{folder}/LIVE", f"{folder}/PLANNED"], check=False).returncode
        except OSError as error:
            raise ToolMissing(f"{VARIABLE}: {command[0]}: {error.strerror}") from None
    if status > FAILED or status < 0:
        raise HostError(f"{VARIABLE}: {command[0]} ended with status {status}")
    return status
