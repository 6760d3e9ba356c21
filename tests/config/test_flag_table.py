"""Every flag of the reference: its field, its default, and that setting it sets just that field."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.config.completed import complete
from pykubeproxy.config.flag_table import FLAG_BY_NAME, FLAGS
from pykubeproxy.config.write import as_api_object

REFERENCE = (Path(__file__).parents[2] / "docs/reference/lifecycle.md").read_text()
# Field of the file, flag, default. Of rows with several flags and of other modes the reference has no such line.
FIELDS = [
    *re.findall(r"^\| ([\w.]+) \| (?:-v, )?--([\w-]+) \| (?:\"\" -> )?(\S*)", REFERENCE, re.MULTILINE),
    *(
        (f"logging.options.{kind}.{field}", f"log-{kind}-{name}", default)
        for kind in ("text", "json")
        for field, name, default in (
            ("splitStream", "split-stream", "false"),
            ("infoBufferSize", "info-buffer-size", "0"),
        )
    ),
    ("ipvs.scheduler", "ipvs-scheduler", ""),
    ("ipvs.excludeCIDRs", "ipvs-exclude-cidrs", "[]"),
    ("ipvs.strictARP", "ipvs-strict-arp", "false"),
    ("ipvs.tcpTimeout", "ipvs-tcp-timeout", "0s"),
    ("ipvs.tcpFinTimeout", "ipvs-tcpfin-timeout", "0s"),
    ("ipvs.udpTimeout", "ipvs-udp-timeout", "0s"),
]
WITHOUT_FIELD = {
    *("config", "write-config-to", "cleanup", "init-only", "version", "master", "hostname-override", "healthz-port"),
    *("metrics-port", "ipvs-sync-period", "ipvs-min-sync-period", "boot-id-file", "machine-id-file"),
}
# For each type of flag there is one that can be read.
VALUES = ("A=false,B=true", "a=1,b*=2", "[2001:db8::1]:80", "10.0.0.1", "true", "false", "7", "7.5", "7s", "2Ki")


def leaves(value: object, path: str = "") -> dict[str, object]:
    """Every field of an API object, by path."""
    if not isinstance(value, dict):
        return {path: value}
    return {key: leaf for name, item in value.items() for key, leaf in leaves(item, f"{path}.{name}").items()}


def effective(flags: dict[str, Any]) -> dict[str, object]:
    return leaves(as_api_object(complete(flags, None, "node").config))


def test_the_reference_s_flags_are_all_there() -> None:
    assert {flag.name for flag in FLAGS} == {row[1] for row in FIELDS} | WITHOUT_FIELD
    assert len(FLAGS) == len(FLAG_BY_NAME)
    assert {flag.name for flag in FLAGS if not flag.field} == WITHOUT_FIELD


@pytest.mark.parametrize(("field", "name", "default"), FIELDS)
def test_flag_with_a_field(field: str, name: str, default: str) -> None:
    flag = FLAG_BY_NAME[name]
    assert flag.shown(flag.default) == default.strip('"{}|')
    changed = set()
    for text in VALUES:
        with suppress(ValueError):
            value = flag.type.read(text)
            assert flag.shown(value).strip("[]") == text.strip("[]")
            before, after = effective({}), effective({name: value})
            changed |= {path.removeprefix(".") for path in before | after if before.get(path) != after.get(path)}
    assert changed
    assert {path for path in changed if not path.startswith(field)} == set()
